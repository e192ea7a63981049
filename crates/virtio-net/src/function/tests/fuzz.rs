//! Any bytes as a driver: register accesses, rings and tables of any content, doorbells, in any order. Nothing panics or hangs, the
//! other function of the switch notices nothing, and after a reset the broken one works.

use arbitrary::{Result, Unstructured};

use super::hostile::{NEEDS_RESET, works};
use super::{frame, mac, vf};
use crate::layout;
use crate::spec::common as reg;
use crate::testing::{Driver, Guest, Header, LINUX, PACKED, descriptor};

#[test]
fn target() {
    let seeds: &[&[u8]] = &[&[0; 128], &[1; 256], &[2; 256], &[3; 256]];
    pando_fuzz::Target { name: "virtio-net", run, seeds, runs: 40 }.test();
}

fn run(bytes: &[u8]) {
    program(&mut Unstructured::new(bytes)).unwrap();
}

fn program(u: &mut Unstructured<'_>) -> Result<()> {
    let guest = Guest::new();
    let mut driver = guest.driver(vf(0));
    let mut other = guest.driven(vf(1), LINUX);
    if u.ratio(3, 4)? {
        driver.probe(if u.arbitrary()? { PACKED } else { LINUX });
    }
    driver.memory.write(BUFFERS, &[0x5a; 0x1000]);
    for _ in 0..200 {
        if u.is_empty() {
            break;
        }
        step(u, &mut driver)?;
    }
    other.send(1, Header::default(), &frame(mac(0), mac(1), 500), 1);
    other.wait_used(1);
    assert_eq!(other.status(), 0xf, "of the other function");
    driver.probe(LINUX);
    assert_eq!(driver.status() & NEEDS_RESET, 0);
    works(&mut driver, &mut other, 3);
    Ok(())
}

/// Memory that tables and buffers are at, and nobody else.
const BUFFERS: u64 = 0x3f0_0000;

fn step(u: &mut Unstructured<'_>, driver: &mut Driver) -> Result<()> {
    match u.int_in_range(0..=9)? {
        0 => {
            let (offset, width) = (offset(u)?, 1 << u.int_in_range(0..=3)?);
            driver.read(offset, width);
        }
        1..=3 => {
            let (offset, width) = (offset(u)?, 1 << u.int_in_range(0..=3)?);
            driver.write(offset, width, value(u)?);
        }
        4 | 5 => publish(u, driver)?,
        6 => store(u, driver)?,
        7 => driver.kick(u.int_in_range(0..=9)?),
        8 => {
            driver.write(reg::QUEUE_SELECT, 2, u.int_in_range(0..=9)?);
            driver.write(reg::QUEUE_RESET, 2, 1);
        }
        _ => command(u, driver)?,
    }
    Ok(())
}

/// Where a program may do something, and the rest.
fn offset(u: &mut Unstructured<'_>) -> Result<usize> {
    match u.int_in_range(0..=4)? {
        0 => u.int_in_range(layout::DEVICE..=layout::DEVICE + 0x20),
        1 => u.int_in_range(layout::NOTIFY..=layout::NOTIFY + 0x40),
        2 => u.int_in_range(0..=0x2fff),
        _ => u.int_in_range(0..=0x3f),
    }
}

fn value(u: &mut Unstructured<'_>) -> Result<u64> {
    match u.int_in_range(0..=3)? {
        0 => u.int_in_range(0..=15),
        1 => Ok(u.int_in_range(0..=63)? << 12),
        2 => Ok(u64::MAX),
        _ => u.arbitrary(),
    }
}

/// A descriptor or two in a ring, made available.
fn publish(u: &mut Unstructured<'_>, driver: &mut Driver) -> Result<()> {
    let memory = driver.memory.clone();
    let queue = u.int_in_range(0..=8)?;
    let Some(ring) = driver.rings.get_mut(queue) else { return Ok(()) };
    for _ in 0..=u.int_in_range(0..=2)? {
        let slot = u.int_in_range(0..=7)?;
        memory.write(ring.desc + 16 * slot, &any_descriptor(u)?);
    }
    ring.publish(&memory, if u.ratio(7, 8)? { u.int_in_range(0..=7)? } else { u.arbitrary()? });
    driver.kick(queue as u16);
    Ok(())
}

fn any_descriptor(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let near = BUFFERS + u.int_in_range(0..=0xfff)?;
    let address = if u.ratio(7, 8)? { near } else { value(u)? };
    let len = if u.ratio(7, 8)? { u.int_in_range(0..=2000)? } else { u.arbitrary()? };
    let next = if u.ratio(7, 8)? { u.int_in_range(0..=8)? } else { u.arbitrary()? };
    Ok(descriptor(address, len, u.int_in_range(0..=7)?, next))
}

/// Bytes of an indirect table, of a header or of a frame; or an index of a ring.
fn store(u: &mut Unstructured<'_>, driver: &Driver) -> Result<()> {
    let memory = &driver.memory;
    let ring = driver.rings.get(u.int_in_range(0..=8)?);
    match (u.int_in_range(0..=3)?, ring) {
        (0, Some(ring)) => memory.store(ring.avail + 2, u.arbitrary()?),
        (1, Some(ring)) => {
            memory.store(ring.avail + u.int_in_range(0..=0x200)? * 2, u.arbitrary()?);
        }
        (2, _) => memory.write(BUFFERS + 16 * u.int_in_range(0..=31)?, &any_descriptor(u)?),
        _ => {
            let bytes: [u8; 16] = u.arbitrary()?;
            memory.write(BUFFERS + u.int_in_range(0..=0xf00)?, &bytes);
        }
    }
    Ok(())
}

/// A command of any class and content for the control queue, in one piece, with an answer of any length.
fn command(u: &mut Unstructured<'_>, driver: &mut Driver) -> Result<()> {
    let bytes: [u8; 24] = u.arbitrary()?;
    let class = u.int_in_range(0..=6)?;
    driver.memory.write(BUFFERS, &[&[class, bytes[0] % 8], &bytes[2..]].concat());
    let queue = 8;
    if driver.rings.len() <= usize::from(queue) {
        return Ok(());
    }
    let len = u.int_in_range(0..=600)?;
    let answer = u.int_in_range(0..=2)?;
    driver.add(queue, &[(BUFFERS, len, false), (BUFFERS + 0x800, answer, true)]);
    driver.kick(queue);
    Ok(())
}

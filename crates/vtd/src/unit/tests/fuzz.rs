//! Any bytes as a guest's program: the model's steps, tables of any content, or registers, tables and queues in any order.

use arbitrary::{Result, Unstructured};

use super::*;

const TRANSLATION: u32 = 1 << 31;

#[test]
fn target() {
    let seeds: &[&[u8]] = &[&[0; 64], &[1; 64], &[2; 256], BOOT];
    pando_fuzz::Target { name: "vtd", run, seeds, runs: 150 }.test();
}

/// What a guest does at its start, in steps of a program: the queue, then translation, then invalidations.
const BOOT: &[u8] = &[2, 5, 0, 5, 2, 5, 3, 3, 1, 0, 0, 0, 3, 2, 0, 0, 0, 4, 0x10, 0x70, 0, 0, 3, 5];

fn run(bytes: &[u8]) {
    let mut u = Unstructured::new(bytes);
    let kind: u8 = u.arbitrary().unwrap();
    let run = match kind % 4 {
        0 => model::steps,
        1 => model::tables,
        _ => program,
    };
    run(&mut u).unwrap();
}

/// Registers, tables and descriptors in any order: no panic, no hang, constants stay, the head stays in its queue, no
/// translation leads out; and after a reset everything works.
fn program(u: &mut Unstructured<'_>) -> Result<()> {
    let mut bench = Bench::new();
    let capability = bench.read64(0x08);
    bench.map(0x7000, 0x20_0000 | 3);
    for _ in 0..300 {
        if u.is_empty() {
            break;
        }
        match u.int_in_range(0..=6)? {
            0 => bench.store(u.int_in_range(0..=0x1000)? << 3, value(u)?),
            1 => bench.write64(u.int_in_range(0..=0x7f)? * 8, value(u)?),
            2 => bench.write32(u.int_in_range(0..=0xff)? * 4, value(u)? as u32),
            3 => bench.submit(&[descriptor(u)?]),
            4 => ask(&bench, u)?,
            5 => switch(&bench, u.arbitrary()?),
            _ => {
                let mut data = [0; 8];
                let len = u.int_in_range(0..=8)?;
                bench.unit.read(u.int_in_range(0..=0x1000)?, &mut data[..len]);
            }
        }
        let (head, size) = (bench.read64(0x80), 0x1000 << (bench.read64(0x90) & 7));
        assert!(head < size && head % 16 == 0, "head {head:#x} of {size:#x}");
    }
    assert_eq!(bench.read64(0x08), capability);
    works_again(bench);
    Ok(())
}

/// Small numbers, pointers to what is there, or anything.
fn value(u: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match u.int_in_range(0..=3)? {
        0 => u.int_in_range(0..=31)?,
        1 => 1 << u.int_in_range(0..=63)?,
        2 => u.int_in_range(0..=15)? << 12 | u.int_in_range(0..=3)?,
        _ => u.arbitrary()?,
    })
}

/// Mostly of a kind that exists.
fn descriptor(u: &mut Unstructured<'_>) -> Result<[u64; 2]> {
    let flags = u.int_in_range(0..=3)? << 4;
    Ok(match u.int_in_range(0..=5)? {
        0 => [0x1 | flags | u.arbitrary::<u64>()? & 0xffff_ffff_0000, 0],
        1 => [0x2 | flags | 5 << 16, u.int_in_range(0..=15)? << 12 | u.int_in_range(0..=63)?],
        2 => [0x4 | flags | u.arbitrary::<u64>()? & 0x1f << 27, 0],
        3 => WAIT,
        4 => [0x5 | flags | 7 << 32, value(u)?],
        _ => [value(u)?, value(u)?],
    })
}

fn ask(bench: &Bench, u: &mut Unstructured<'_>) -> Result<()> {
    let source = if u.ratio(3, 4)? { VF } else { RequesterId(u.arbitrary()?) };
    let address = match u.int_in_range(0..=2)? {
        0 => u.int_in_range(0..=15)? << 12,
        1 => 1 << u.int_in_range(0..=63)?,
        _ => u.arbitrary()?,
    };
    if bench.read32(0x1c) & TRANSLATION != 0 {
        model::lies_in_reach(bench, source, address);
    }
    let message = MsiMessage { address: 0xfee0_0000 | address & 0xf_ffff, data: u.arbitrary()? };
    let _ = bench.unit.remap(source, message); // a fault or a message, whatever the table says
    Ok(())
}

/// One of the commands that begin something, with tables where the bench has them.
fn switch(bench: &Bench, which: u8) {
    let change = |bit: u32| bench.write32(0x18, bench.read32(0x1c) & 0x96ff_ffff | bit);
    match which % 7 {
        0 => {
            bench.write64(0x90, QUEUE);
            change(1 << 26);
        }
        1 => bench.write32(0x18, bench.read32(0x1c) & 0x96ff_ffff & !(1 << 26)),
        2 => {
            bench.store(ROOT + 16 * u64::from(VF.bus()), CONTEXTS | 1);
            bench.store(CONTEXTS + 16 * u64::from(VF.function()), TOP | 1);
            bench.store(CONTEXTS + 16 * u64::from(VF.function()) + 8, 5 << 8 | 2);
            bench.write64(0x20, ROOT);
            change(1 << 30);
        }
        3 => change(1 << 31),
        4 => {
            bench.write64(0xb8, INTERRUPTS | 1 << 11 | 0xf);
            change(1 << 24);
        }
        5 => change(1 << 25),
        _ => bench.write32(0x18, 0),
    }
}

fn works_again(mut bench: Bench) {
    bench.unit.reset();
    bench.tail = 0;
    bench.store(STATUS, 0);
    bench.enable_queue();
    bench.store(ROOT + 16 * u64::from(VF.bus()) + 8, 0);
    bench.map(0x7000, 0x20_0000 | 3);
    bench.enable_translation();
    bench.submit(&[[0x2 | 1 << 4, 0], WAIT]);
    assert_eq!(bench.load(STATUS) as u32, 2);
    assert_eq!(bench.translate(0x7abc, Access::Write), Ok(0x20_0abc));
}

//! Cases that must be stopped: DMA to what is not mapped, and interrupts that are not the function's own.

use std::fs::File;
use std::io::Result;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use crate::Outcome;
use crate::frame::{is_pattern, pattern};
use crate::nic::{IOVA, Nic};
use crate::sys::Mapping;
use crate::talk::cross;

const MOMENT: Duration = Duration::from_millis(500);
const LIMIT: Duration = Duration::from_secs(10);
const PAGE: usize = 4096;
const CANARY: u8 = 0xa5;

/// Lets the function send a frame that lies where nothing is mapped.
pub(crate) fn stray_read(function: &str) -> Outcome {
    let mut nic = Nic::open(function, false)?;
    nic.offer_at(1, 0, IOVA - 0x1_0000, 72);
    nic.used(1, MOMENT);
    println!("status {:#x}", nic.status_now());
    Ok(())
}

/// Where a page of ours is in the machine's memory (Documentation/admin-guide/mm/pagemap.rst).
fn physical(memory: &Mapping) -> Result<u64> {
    let mut entry = [0; 8];
    let at = memory.address() / PAGE as u64 * 8;
    File::open("/proc/self/pagemap")?.read_exact_at(&mut entry, at)?;
    Ok((u64::from_le_bytes(entry) & ((1 << 55) - 1)) * PAGE as u64)
}

/// Offers the function a buffer at the physical address of a page that is mapped elsewhere: a write that were not
/// translated would hit it.
pub(crate) fn stray_write(function: &str, sender: &str) -> Outcome {
    let (mut nic, mut sender) = (Nic::open(function, false)?, Nic::open(sender, false)?);
    let canary = Mapping::memory(PAGE)?;
    canary.copy_in(0, &[CANARY; PAGE]);
    nic.device.map(&canary, 2 * IOVA)?; // which also keeps it where it is
    let target = physical(&canary)?;
    if target == 0 {
        return Err("pagemap tells no addresses".into());
    }
    nic.offer_at(0, 0, target, 2048);
    sender.send(0, &pattern(nic.mac(), sender.mac(), 512, 1));
    nic.used(0, MOMENT);
    println!("physical {target:#x}, status {:#x}", nic.status_now());
    if canary.copy_out(0, PAGE) != [CANARY; PAGE] {
        return Err("the write went through".into());
    }
    Ok(())
}

/// Offers the function a buffer where interrupts are: a frame is no interrupt, and no memory is there.
pub(crate) fn interrupt_range(function: &str, sender: &str) -> Outcome {
    let (mut nic, mut sender) = (Nic::open(function, false)?, Nic::open(sender, false)?);
    nic.offer_at(0, 0, 0xfee0_1000, 2048);
    sender.send(0, &pattern(nic.mac(), sender.mac(), 60, 1));
    sender.used(1, LIMIT).ok_or("the sent buffer does not come back")?;
    nic.used(0, MOMENT);
    if nic.received.wait(Duration::ZERO) != 0 {
        return Err("an interrupt came of it".into());
    }
    Ok(())
}

/// The vector of receive interrupts.
const RECEIVE: usize = 1;

/// Sends the function a frame whose interrupt is `message`; neither side may get one. With the true message they come again.
fn forge(nic: &mut Nic, sender: &mut Nic, message: (u64, u32)) -> Outcome {
    let own = nic.table.get(RECEIVE);
    cross(sender, nic, 100, 1)?;
    nic.received.wait(Duration::ZERO);
    nic.table.set(RECEIVE, message);
    if nic.table.get(RECEIVE) != message {
        return Err("the MSI-X table does not take the message".into());
    }
    sender.send(0, &pattern(nic.mac(), sender.mac(), 200, 2));
    let stray = nic.received.wait(MOMENT) + sender.received.wait(Duration::ZERO);
    nic.table.set(RECEIVE, own);
    nic.receive(LIMIT, is_pattern).ok_or("the frame itself is lost")?;
    sender.used(1, LIMIT).ok_or("the sent buffer does not come back")?;
    if stray != 0 {
        return Err("an interrupt came of it".into());
    }
    sender.send(0, &pattern(nic.mac(), sender.mac(), 300, 3));
    if nic.received.wait(LIMIT) == 0 {
        return Err("no interrupt with the function's own message".into());
    }
    Ok(())
}

/// A message in compatibility format, which would name any vector of any CPU.
pub(crate) fn forge_compatibility(function: &str, sender: &str) -> Outcome {
    let (mut nic, mut sender) = (Nic::open(function, true)?, Nic::open(sender, true)?);
    forge(&mut nic, &mut sender, (0xfee0_0000, 0x4041))
}

/// The message of the other function.
pub(crate) fn forge_index(function: &str, sender: &str) -> Outcome {
    let (mut nic, mut sender) = (Nic::open(function, true)?, Nic::open(sender, true)?);
    let message = sender.table.get(RECEIVE);
    forge(&mut nic, &mut sender, message)
}

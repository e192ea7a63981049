//! Cases that must hold under load: resets while frames arrive, and mappings that come and go beside traffic.

use std::time::Duration;

use crate::Outcome;
use crate::frame::pattern;
use crate::nic::{IOVA, Nic};
use crate::ring;
use crate::sys::Mapping;
use crate::talk::cross;

const SETTLE: Duration = Duration::from_millis(5);

/// Resets the function while frames are on their way into it: when that is done, its memory stays as it is.
pub(crate) fn reset(function: &str, sender: &str, rounds: u32) -> Outcome {
    let (mut nic, mut sender) = (Nic::open(function, true)?, Nic::open(sender, false)?);
    let mac = nic.mac();
    for round in 0..rounds {
        for number in 0..ring::SIZE {
            let frame = pattern(mac, sender.mac(), 1514, round as u8);
            sender.send(number, &frame);
        }
        nic.device.reset()?;
        let before = nic.memory.copy_out(0, nic.memory.len() / 8);
        nic.device.unmap(IOVA, nic.memory.len() as u64)?;
        std::thread::sleep(SETTLE);
        if nic.memory.copy_out(0, before.len()) != before {
            return Err(format!("round {round}: the function wrote after its reset").into());
        }
        for _ in 0..ring::SIZE {
            sender.used(1, Duration::from_secs(10)).ok_or("a sent buffer does not come back")?;
        }
        nic.device.map(&nic.memory, IOVA)?;
        nic.restart()?;
        cross(&mut sender, &mut nic, 64, round as u8)?;
    }
    Ok(())
}

/// Maps and unmaps other memory as fast as it goes, with frames in both directions in between.
pub(crate) fn remap(function: &str, sender: &str, rounds: u32) -> Outcome {
    let (mut nic, mut sender) = (Nic::open(function, true)?, Nic::open(sender, true)?);
    let other = Mapping::memory(16 << 12)?;
    for round in 0..rounds {
        nic.device.map(&other, 2 * IOVA)?;
        nic.device.unmap(2 * IOVA, other.len() as u64)?;
        if round % 8 == 0 {
            cross(&mut sender, &mut nic, 64 + (round as usize * 7) % 1400, round as u8)?;
            cross(&mut nic, &mut sender, 64 + (round as usize * 11) % 1400, round as u8)?;
        }
    }
    Ok(())
}

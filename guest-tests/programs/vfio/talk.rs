//! Cases that must work: a function driven from user space talks to one that the kernel drives, and to its like.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::Outcome;
use crate::frame::{answers, is_pattern, pattern, who_has};
use crate::nic::Nic;

const LIMIT: Duration = Duration::from_secs(10);

/// Sends an ARP request and gets the kernel's answer, told by an interrupt.
pub(crate) fn resolve(function: &str, own: &str, peer: &str) -> Outcome {
    let (own, peer): (Ipv4Addr, Ipv4Addr) = (own.parse()?, peer.parse()?);
    let mut nic = Nic::open(function, true)?;
    nic.send(0, &who_has(nic.mac(), own, peer));
    if nic.received.wait(LIMIT) == 0 {
        return Err("no interrupt".into());
    }
    nic.receive(LIMIT, |frame| answers(frame, own, peer)).ok_or("no answer")?;
    nic.used(1, LIMIT).ok_or("the request's buffer does not come back")?;
    Ok(())
}

/// Frames of several sizes in both directions between two functions with an address space each.
pub(crate) fn pair(one: &str, other: &str) -> Outcome {
    let (mut one, mut other) = (Nic::open(one, true)?, Nic::open(other, true)?);
    for (seed, len) in [60, 61, 128, 1000, 1514, 60, 700, 1513].into_iter().enumerate() {
        cross(&mut one, &mut other, len, seed as u8)?;
        cross(&mut other, &mut one, len, seed as u8 | 0x80)?;
    }
    Ok(())
}

/// One frame, which must arrive as it was sent.
pub(crate) fn cross(from: &mut Nic, to: &mut Nic, len: usize, seed: u8) -> Outcome {
    let frame = pattern(to.mac(), from.mac(), len, seed);
    from.send(0, &frame);
    let arrived = to.receive(LIMIT, is_pattern).ok_or("a frame is lost")?;
    from.used(1, LIMIT).ok_or("a sent buffer does not come back")?;
    if arrived == frame { Ok(()) } else { Err("a frame arrives changed".into()) }
}

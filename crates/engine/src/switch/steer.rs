//! Which receive queue of a port a frame goes to: a flow, in both directions, always hashes to the same value.

use crate::Frame;

/// Chooses a receive queue in a personality's own way. Asked on workers, once per frame and receiver.
pub trait Steer: Send + Sync {
    /// The number of the queue that `frame` goes to; `None`: it is dropped.
    fn queue(&self, frame: &Frame) -> Option<u16>;

    /// The queue that every frame goes to, if it is the same for all. Asked once: frames aren't shown then.
    fn only(&self) -> Option<u16> {
        None
    }
}

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const VLAN: [u8; 2] = [0x81, 0x00];
const TCP: u8 = 6;
const UDP: u8 = 17;

/// A hash over the addresses and ports in the frame's head, the same for both directions.
#[inline]
pub(crate) fn flow_hash(frame: &Frame) -> u32 {
    let head = frame.head();
    let at = if head.get(12..14) == Some(&VLAN) { 18 } else { 14 };
    let kind = head.get(at - 2..at).unwrap_or_default();
    let flow = if kind == IPV4 {
        ipv4(head, at)
    } else if kind == IPV6 {
        ipv6(head, at)
    } else {
        None
    };
    mix(flow.unwrap_or_else(|| word(head, 2) ^ word(head, 8)))
}

/// The queue, out of `queues`, for a flow.
#[inline]
pub(crate) fn queue(hash: u32, queues: usize) -> usize {
    ((u64::from(hash) * queues as u64) >> 32) as usize
}

fn ipv4(head: &[u8], at: usize) -> Option<u64> {
    let fragment = u16::from_be_bytes([*head.get(at + 6)?, *head.get(at + 7)?]) & 0x3fff != 0;
    let addresses = word(head, at + 12) ^ word(head, at + 16);
    head.get(at + 19)?;
    let header = usize::from(head[at] & 0xf) * 4;
    Some(addresses ^ if fragment { 0 } else { ports(head, head[at + 9], at + header) })
}

fn ipv6(head: &[u8], at: usize) -> Option<u64> {
    let next = *head.get(at + 6)?;
    head.get(at + 39)?;
    let mut addresses = 0;
    for offset in (8..40).step_by(4) {
        // The halves of an address stay apart by rotation, source and destination alike.
        addresses ^= word(head, at + offset).rotate_left(offset as u32 % 16 * 4);
    }
    Some(addresses ^ ports(head, next, at + 40))
}

/// The sum of both ports, out of the way of the addresses.
fn ports(head: &[u8], protocol: u8, at: usize) -> u64 {
    if (protocol != TCP && protocol != UDP) || head.len() < at + 4 {
        return 0;
    }
    let [a, b] = [at, at + 2].map(|at| u64::from(u16::from_be_bytes([head[at], head[at + 1]])));
    (a + b) << 32 | (a ^ b) << 49
}

/// Four bytes as a number; those past the end are zero.
#[inline]
fn word(head: &[u8], at: usize) -> u64 {
    head.iter().skip(at).take(4).fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[inline]
fn mix(flow: u64) -> u32 {
    let flow = (flow ^ flow >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((flow ^ flow >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) as u32
}

#[cfg(test)]
mod tests;

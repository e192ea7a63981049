//! The frames that the cases send: a pattern between two functions, and ARP for a kernel's.

use std::net::Ipv4Addr;

pub(crate) type Mac = [u8; 6];

const BROADCAST: Mac = [0xff; 6];
/// For local experiments (IEEE 802).
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];
const ARP: [u8; 2] = [0x08, 0x06];

/// A frame of `len` bytes whose content depends on `seed`.
pub(crate) fn pattern(to: Mac, from: Mac, len: usize, seed: u8) -> Vec<u8> {
    let mut frame = [&to[..], &from, &EXPERIMENT].concat();
    frame.extend((frame.len()..len).map(|index| (index as u8).wrapping_mul(31) ^ seed));
    frame
}

/// Whether it is one of [`pattern`]'s.
pub(crate) fn is_pattern(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&EXPERIMENT)
}

/// Asks who has `peer`.
pub(crate) fn who_has(from: Mac, own: Ipv4Addr, peer: Ipv4Addr) -> Vec<u8> {
    let request = [0, 1, 8, 0, 6, 4, 0, 1];
    let mut frame = [&BROADCAST[..], &from, &ARP, &request, &from, &own.octets()].concat();
    frame.extend([0; 6]);
    frame.extend(peer.octets());
    frame.resize(60, 0);
    frame
}

/// Whether it tells `own` who has `peer`.
pub(crate) fn answers(frame: &[u8], own: Ipv4Addr, peer: Ipv4Addr) -> bool {
    frame.get(12..14) == Some(&ARP)
        && frame.get(20..22) == Some(&[0, 2])
        && frame.get(28..32) == Some(&peer.octets())
        && frame.get(38..42) == Some(&own.octets())
}

//! A function as its drivers see it.

mod coalescing;
mod control;
mod datagrams;
mod fuzz;
mod hashing;
mod hostile;
mod lifecycle;
mod probe;
mod traffic;

use pando_engine::MacAddress;

use crate::config::{FunctionConfig, NicConfig};
use crate::testing::Header;

/// VF `vf` of a card with four pairs everywhere.
fn vf(vf: u16) -> FunctionConfig {
    NicConfig { vf_queue_pairs: 4, packed_rings: true, ..NicConfig::default() }.vf(vf)
}

fn mac(function: u16) -> MacAddress {
    vf(function).mac
}

/// A frame of `len` bytes that isn't IP, each byte telling its place.
fn frame(to: MacAddress, from: MacAddress, len: usize) -> Vec<u8> {
    let mut frame = [&to.0[..], &from.0, &[0x88, 0xb5]].concat();
    frame.extend((frame.len()..len).map(|at| (at % 251) as u8));
    frame
}

/// A TCP over IPv4 frame of `payload` bytes, its header checksum right, its TCP checksum the pseudo header's sum.
fn tcp(to: MacAddress, from: MacAddress, payload: usize) -> Vec<u8> {
    let mut frame = [&to.0[..], &from.0, &[0x08, 0x00]].concat();
    let total = (40 + payload) as u16;
    let mut ip = [
        &[0x45, 0][..],
        &total.to_be_bytes(),
        &[0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
    ]
    .concat();
    let sum = !sum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(&ip);
    let pseudo = [&ip[12..20], &[0, 6], &((20 + payload) as u16).to_be_bytes()].concat();
    let mut tcp = vec![0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 0x20, 0, 0, 0, 0, 0];
    tcp[16..18].copy_from_slice(&self::sum(&pseudo).to_be_bytes());
    frame.extend(tcp);
    frame.extend((0..payload).map(|at| (at % 253) as u8));
    frame
}

/// The ones' complement sum of `bytes` (RFC 1071), not inverted.
fn sum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Whether the TCP checksum of a TCP over IPv4 frame is right.
fn checksum_is_right(frame: &[u8]) -> bool {
    let len = u16::from_be_bytes([frame[16], frame[17]]) - 20;
    let pseudo = [&frame[26..34], &[0, 6], &len.to_be_bytes()].concat();
    let tcp = &frame[34..34 + usize::from(len)];
    sum(&[&pseudo[..], tcp].concat()) == 0xffff
}

/// The header of a frame of `tcp` that is to be cut into payloads of `size`; 0: only its checksum is missing.
fn unfinished(size: u16) -> Header {
    let gso_type = u8::from(size != 0);
    let hdr_len = if size == 0 { 0 } else { 54 };
    let header = Header { flags: 1, gso_type, hdr_len, gso_size: size, ..Header::default() };
    Header { csum_start: 34, csum_offset: 16, ..header }
}

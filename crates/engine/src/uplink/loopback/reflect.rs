//! Turns a frame into what a willing peer would answer.
//!
//! Unicast frames come back with their Ethernet and IP addresses and their TCP or UDP ports exchanged (to TCP that is a
//! connection to itself, which is an echo: RFC 9293, 3.5 simultaneous open), ICMP and ICMPv6 echo requests as replies (RFC 792, RFC 4443). Who asks
//! for any address by ARP (RFC 826) or neighbour solicitation (RFC 4861) is told one made-up address; who probes whether an
//! address is free (RFC 5227, RFC 4862) is not answered. No checksum needs computing: exchanging words leaves a sum as it is.

use crate::MacAddress;
use crate::finish::{Sum, network};

/// The address that answers to every IP address: locally administered, and spells "Pando" in its way.
pub(super) const PEER: MacAddress = MacAddress([0x02, b'P', b'a', b'n', b'd', b'o']);

/// Answers `frame` in place; `false` if there is no answer.
pub(super) fn reflect(frame: &mut [u8]) -> bool {
    let Ok((at, ether_type)) = network(frame) else { return false };
    let multicast = frame[0] & 1 != 0;
    let (ethernet, packet) = frame.split_at_mut(at);
    let answered = match ether_type {
        0x0806 => arp(packet),
        0x86dd if is_solicitation(packet) => neighbour(packet),
        _ if multicast => None,
        0x0800 => ipv4(packet),
        0x86dd => ipv6(packet),
        _ => Some(()),
    };
    if answered.is_none() {
        return false;
    }
    exchange(ethernet, 0, 6, 6);
    if multicast {
        ethernet[6..12].copy_from_slice(&PEER.0);
    }
    true
}

fn arp(packet: &mut [u8]) -> Option<()> {
    let packet = packet.get_mut(..28)?;
    let request = packet[..8] == [0, 1, 8, 0, 6, 4, 0, 1];
    let probe = packet[14..18] == [0; 4] || packet[14..18] == packet[24..28];
    if !request || probe {
        return None;
    }
    packet[7] = 2;
    exchange(packet, 8, 18, 10);
    packet[8..14].copy_from_slice(&PEER.0);
    Some(())
}

fn ipv4(packet: &mut [u8]) -> Option<()> {
    let header = usize::from(packet.first()? & 0xf) * 4;
    if header < 20 || packet.len() < header {
        return None;
    }
    let first_fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff == 0;
    exchange(packet, 12, 16, 4);
    let protocol = packet[9];
    if first_fragment { transport(protocol, &mut packet[header..]) } else { Some(()) }
}

fn ipv6(packet: &mut [u8]) -> Option<()> {
    if packet.len() < 40 {
        return None;
    }
    exchange(packet, 8, 24, 16);
    transport(packet[6], &mut packet[40..])
}

fn transport(protocol: u8, bytes: &mut [u8]) -> Option<()> {
    match protocol {
        1 => echo(bytes, 8, 0),
        58 => echo(bytes, 128, 129),
        6 | 17 if bytes.len() >= 4 => {
            exchange(bytes, 0, 2, 2);
            Some(())
        }
        _ => Some(()),
    }
}

/// Turns an echo request into its reply. Other messages get no answer, least of all errors.
fn echo(bytes: &mut [u8], request: u8, reply: u8) -> Option<()> {
    if bytes.len() < 8 || bytes[..2] != [request, 0] {
        return None;
    }
    bytes[0] = reply;
    // RFC 1624: the new checksum is the complement of (old sum - old word + new word).
    let old = !u16::from_be_bytes([bytes[2], bytes[3]]);
    let sum = Sum::default().add_word(old).add_word(!u16::from_be_bytes([request, 0]));
    let checksum = sum.add_word(u16::from_be_bytes([reply, 0])).checksum();
    bytes[2..4].copy_from_slice(&checksum);
    Some(())
}

/// Whether an IPv6 packet is a neighbour solicitation with room for its answer.
fn is_solicitation(packet: &[u8]) -> bool {
    packet.len() >= 72 && packet[6] == 58 && packet[40] == 135
}

fn neighbour(packet: &mut [u8]) -> Option<()> {
    let probe = packet[8..24] == [0; 16];
    let with_option = packet[64..66] == [1, 1] && packet[4..6] == [0, 32];
    if probe || !with_option {
        return None;
    }
    packet.copy_within(8..24, 24); // to who asked
    packet.copy_within(48..64, 8); // from who is asked for
    packet[40] = 136;
    packet[44..48].copy_from_slice(&[0x60, 0, 0, 0]); // solicited, override
    packet[64] = 2; // target link-layer address
    packet[66..72].copy_from_slice(&PEER.0);
    packet[42..44].fill(0);
    let pseudo = Sum::default().add(&packet[8..40]).add_word(32).add_word(58);
    let checksum = pseudo.add(&packet[40..72]).checksum();
    packet[42..44].copy_from_slice(&checksum);
    Some(())
}

/// Exchanges the `len` bytes at `a` with those at `b`, which lies behind them.
fn exchange(bytes: &mut [u8], a: usize, b: usize, len: usize) {
    let (first, second) = bytes.split_at_mut(b);
    first[a..a + len].swap_with_slice(&mut second[..len]);
}

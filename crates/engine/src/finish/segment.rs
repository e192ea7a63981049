//! Cuts one long frame of TCP, or of UDP datagrams, into frames of a given payload size, as a NIC with segmentation offload does (virtio 1.3, 5.1.6.2.1;
//! 82599 datasheet, 7.2.4).
//!
//! Every frame gets the long frame's headers with its own lengths, IPv4 identification, sequence number, flags and checksums.

use super::checksum::Sum;
use super::headers::Headers;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// What all frames cut from one have in common.
#[derive(Debug)]
pub(super) struct Template<'f> {
    bytes: &'f [u8],
    at: Headers,
    size: usize,
    last: usize,
    sequence: u32,
    identification: u16,
    /// The part of the pseudo header that is the same for each: addresses and protocol.
    pseudo: Sum,
}

impl<'f> Template<'f> {
    /// `bytes` are the long frame's headers; it has `payload` bytes, at least one, to be sent `size` at a time.
    pub(super) fn new(bytes: &'f [u8], at: Headers, payload: usize, size: usize) -> Self {
        let (identification, addresses) = if at.kind.is_ipv4() {
            (u16::from_be_bytes([bytes[at.network + 4], bytes[at.network + 5]]), 12..20)
        } else {
            (0, 8..40)
        };
        let (sequence, protocol) = if at.kind.is_tcp() {
            let tcp = &bytes[at.transport..];
            (u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]), 6)
        } else {
            (0, 17)
        };
        Self {
            bytes,
            at,
            size,
            last: (payload - 1) / size,
            sequence,
            identification,
            pseudo: Sum::default().add(&bytes[at.network..][addresses]).add_word(protocol),
        }
    }

    /// Bytes of headers per frame.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Writes the headers of frame number `index`, which carries `payload`; `to` has [`len`](Self::len) bytes.
    /// The whole frame is at most 65535 bytes long.
    pub(super) fn write(&self, index: usize, payload: &[u8], to: &mut [u8]) {
        to.copy_from_slice(self.bytes);
        let (network, transport) = to.split_at_mut(self.at.transport);
        self.write_network(index, payload.len(), &mut network[self.at.network..]);
        if self.at.kind.is_tcp() {
            self.write_tcp(index, payload, transport);
        } else {
            self.write_udp(payload, transport);
        }
    }

    fn write_network(&self, index: usize, payload: usize, ip: &mut [u8]) {
        let total = (self.len() - self.at.network + payload) as u16;
        if self.at.kind.is_ipv4() {
            let identification = self.identification.wrapping_add(index as u16);
            ip[2..4].copy_from_slice(&total.to_be_bytes());
            ip[4..6].copy_from_slice(&identification.to_be_bytes());
            ip[10..12].fill(0);
            let checksum = Sum::default().add(ip).checksum();
            ip[10..12].copy_from_slice(&checksum);
        } else {
            ip[4..6].copy_from_slice(&(total - 40).to_be_bytes());
        }
    }

    fn write_udp(&self, payload: &[u8], udp: &mut [u8]) {
        let len = (udp.len() + payload.len()) as u16;
        udp[4..6].copy_from_slice(&len.to_be_bytes());
        udp[6..8].fill(0);
        let checksum = match self.pseudo.add_word(len).add(udp).add(payload).checksum() {
            [0, 0] => [0xff, 0xff], // zero would say "none" (RFC 768)
            checksum => checksum,
        };
        udp[6..8].copy_from_slice(&checksum);
    }

    fn write_tcp(&self, index: usize, payload: &[u8], tcp: &mut [u8]) {
        let sequence = self.sequence.wrapping_add((index * self.size) as u32);
        tcp[4..8].copy_from_slice(&sequence.to_be_bytes());
        if index != self.last {
            tcp[13] &= !(FIN | PSH);
        }
        if index != 0 {
            tcp[13] &= !CWR;
        }
        tcp[16..18].fill(0);
        let len = (tcp.len() + payload.len()) as u16;
        let checksum = self.pseudo.add_word(len).add(tcp).add(payload).checksum();
        tcp[16..18].copy_from_slice(&checksum);
    }
}

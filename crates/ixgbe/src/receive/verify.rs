//! Checks checksums of received frames as the chip does (82599 datasheet, 7.1.11).
//!
//! What its sender has vouched for, or the engine has computed, isn't summed again. For the rest the frame is first copied where
//! nobody can change it, and then received from there. Leaves out SCTP, fragments and IPv6 extension headers: not checked.

use pando_engine::{Checksum, FrameRef, Sum};

use super::write_back::Checks;
use pando_engine::packet::{Network, Packet, Transport};

/// The longest frame that is checked.
const LONGEST: usize = 16 << 10;

/// The memory to check in.
pub(super) struct Verifier(Vec<u8>);

impl Verifier {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// What is known of `frame`'s checksums; and its bytes, if they were copied.
    pub(super) fn check(
        &mut self,
        frame: &FrameRef<'_, '_>,
        packet: &Packet,
    ) -> (Checks, Option<&[u8]>) {
        let ip = packet.ipv4_checksum(frame.head());
        let checked = matches!(packet.transport, Some(Transport::Tcp | Transport::Udp));
        match frame.offload.checksum {
            _ if !checked => (Checks { ip, l4: None }, None),
            Checksum::Valid => (Checks { ip, l4: Some(true) }, None),
            Checksum::Partial { .. } => (Checks { ip, l4: None }, None),
            Checksum::Unknown => match self.copy(frame) {
                None => (Checks { ip, l4: None }, None),
                Some(bytes) => (Checks { ip, l4: transport(packet, bytes) }, Some(bytes)),
            },
        }
    }

    fn copy(&mut self, frame: &FrameRef<'_, '_>) -> Option<&[u8]> {
        let len = frame.len as usize;
        if len > LONGEST {
            return None;
        }
        if self.0.is_empty() {
            self.0 = vec![0; LONGEST]; // once, at the first frame that needs it
        }
        let to = self.0.get_mut(..len)?;
        let (first, mut rest) = to.split_at_mut(frame.head().len());
        first.copy_from_slice(frame.head());
        for segment in frame.rest {
            let copied = segment.copy_to(rest);
            rest = &mut rest[copied..];
        }
        self.0.get(..len)
    }
}

/// Whether the transport checksum of the packet in `bytes` is right; `None` if there is none, or not all it covers.
fn transport(packet: &Packet, bytes: &[u8]) -> Option<bool> {
    let protocol = match packet.transport? {
        Transport::Tcp => 6,
        Transport::Udp => 17,
        Transport::Sctp => return None,
    };
    let transport = bytes.get(packet.transport_at..packet.end)?;
    if transport.len() < 8 || protocol == 6 && transport.len() < 20 {
        return None;
    }
    let without = protocol == 17 && transport[6..8] == [0, 0];
    if without {
        return match packet.network? {
            Network::V4 { .. } => None,
            Network::V6 { .. } => Some(false),
        };
    }
    let (source, destination) = packet.addresses(bytes)?;
    let len = u16::try_from(transport.len()).ok()?;
    let sum = Sum::default().add(source).add(destination).add_word(protocol).add_word(len);
    Some(sum.add(transport).checksum() == [0, 0])
}

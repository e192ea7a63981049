//! Checks checksums of received frames as the chip does (82599 datasheet, 7.1.11).
//!
//! What its sender has vouched for, or the engine has computed, isn't summed again. The rest is summed where nobody can change it:
//! in a frame's head, on its way into the buffer, or in a copy, from which the frame is then received. Leaves out SCTP, fragments and
//! IPv6 extension headers: not checked.

use pando_engine::packet::{Network, Packet, Transport};
use pando_engine::{Checksum, FrameRef, Sum};

use super::write_back::Checks;

/// The longest frame that is checked.
const LONGEST: usize = 16 << 10;

/// What of a transport header says whether there is a checksum: all of UDP's.
const SEEN: usize = 8;

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
        match Transported::of(frame, packet) {
            Transported::Known(l4) => (Checks { ip, l4 }, None),
            Transported::Begun(sum) if sum.behind == 0 => (Checks { ip, l4: sum.is_right() }, None),
            _ => match self.copy(frame) {
                None => (Checks { ip, l4: None }, None),
                Some(bytes) => (Checks { ip, l4: in_whole(packet, bytes) }, Some(bytes)),
            },
        }
    }

    fn copy(&mut self, frame: &FrameRef<'_, '_>) -> Option<&[u8]> {
        let len = frame.len as usize; // at most `LONGEST`
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

/// What the head tells about the transport checksum.
pub(super) enum Transported {
    /// All of it; `None`: it isn't checked.
    Known(Option<bool>),
    /// The rest of the packet is to be summed too.
    Begun(Begun),
    /// Too little.
    Unseen,
}

/// The sum of what lies in the head.
pub(super) struct Begun {
    pub(super) sum: Sum,
    /// Bytes behind the head that belong to it.
    pub(super) behind: usize,
}

impl Begun {
    /// Whether the checksum is right, once everything was added.
    pub(super) fn is_right(&self) -> Option<bool> {
        Some(self.sum.checksum() == [0, 0])
    }
}

impl Transported {
    #[inline]
    pub(super) fn of(frame: &FrameRef<'_, '_>, packet: &Packet) -> Self {
        let checked = matches!(packet.transport, Some(Transport::Tcp | Transport::Udp));
        match frame.offload.checksum {
            _ if !checked => Self::Known(None),
            Checksum::Valid => Self::Known(Some(true)),
            Checksum::Partial { .. } => Self::Known(None),
            Checksum::Unknown if frame.len as usize > LONGEST => Self::Known(None),
            Checksum::Unknown => Self::begin(packet, frame.head(), frame.len as usize),
        }
    }

    /// The same for a frame of `len` bytes that nobody has vouched for.
    #[inline(always)]
    fn begin(packet: &Packet, head: &[u8], len: usize) -> Self {
        let Packet { transport_at, end, .. } = *packet;
        let (protocol, least) = match packet.transport {
            Some(Transport::Tcp) => (6, 20),
            Some(Transport::Udp) => (17, SEEN),
            _ => return Self::Known(None),
        };
        // There is none, or not all it covers.
        let whole = end <= len && transport_at.checked_add(least).is_some_and(|least| least <= end);
        if !whole {
            return Self::Known(None);
        }
        let Some(seen) = head.get(transport_at..end.min(head.len())) else { return Self::Unseen };
        let without = match seen.get(6..SEEN) {
            None => return Self::Unseen,
            Some(checksum) => protocol == 17 && *checksum == [0, 0],
        };
        if without {
            let v6 = matches!(packet.network, Some(Network::V6 { .. }));
            return Self::Known(v6.then_some(false));
        }
        let Some(addresses) = packet.both_addresses(head) else { return Self::Known(None) };
        let Ok(length) = u16::try_from(end - transport_at) else { return Self::Known(None) };
        let behind = end - transport_at - seen.len();
        if behind > 0 && !seen.len().is_multiple_of(2) {
            return Self::Unseen; // what follows is out of step
        }
        let sum = Sum::default().add(addresses).add_word(protocol).add_word(length);
        Self::Begun(Begun { sum: sum.add(seen), behind })
    }
}

/// Whether the transport checksum of the packet in `bytes`, a whole frame, is right; `None` if it isn't checked.
fn in_whole(packet: &Packet, bytes: &[u8]) -> Option<bool> {
    match Transported::begin(packet, bytes, bytes.len()) {
        Transported::Known(l4) => l4,
        Transported::Begun(begun) => begun.is_right(),
        Transported::Unseen => None,
    }
}

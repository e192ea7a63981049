//! What is still to be done to a frame: checksum to fill in, segments to cut (virtio 1.3, 5.1.6; the same facts an 82599
//! context descriptor states).

bitflags::bitflags! {
    /// Which unfinished frames a receiver takes; what it doesn't take the engine finishes in software.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Accepts: u8 {
        /// Frames whose transport checksum is still partial.
        const CHECKSUM = 1 << 0;
        /// TCP over IPv4 longer than the MTU.
        const TCP4 = 1 << 1;
        /// TCP over IPv6 longer than the MTU.
        const TCP6 = 1 << 2;
        /// Such TCP frames with Congestion Window Reduced set.
        const ECN = 1 << 3;
        /// UDP over IPv4 longer than the MTU, of several datagrams.
        const UDP4 = 1 << 4;
        /// UDP over IPv6 longer than the MTU, of several datagrams.
        const UDP6 = 1 << 5;
    }
}

/// The state of the transport checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// Complete, and nobody has checked it.
    #[default]
    Unknown,
    /// Known to be right.
    Valid,
    /// To be computed over the frame from byte `start`, and stored at byte `start + offset`.
    Partial {
        /// First byte summed.
        start: u16,
        /// Where the result goes, relative to `start`.
        offset: u16,
    },
}

/// Which protocol a long frame is cut by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentationKind {
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP over IPv4: each frame is a datagram of its own.
    Udp4,
    /// UDP over IPv6, likewise.
    Udp6,
}

impl SegmentationKind {
    /// Whether it is TCP.
    pub fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp4 | Self::Tcp6)
    }

    /// Whether it is over IPv4.
    pub fn is_ipv4(self) -> bool {
        matches!(self, Self::Tcp4 | Self::Udp4)
    }
}

/// A frame that stands for several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// The protocol.
    pub kind: SegmentationKind,
    /// Payload bytes of each frame but the last; not zero.
    pub size: u16,
    /// Congestion Window Reduced is set, and belongs to the first frame only.
    pub ecn: bool,
}

/// All that is still to be done to one frame. Segmentation comes with [`Checksum::Partial`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// The transport checksum.
    pub checksum: Checksum,
    /// `None`: the frame is one frame.
    pub segmentation: Option<Segmentation>,
}

impl Offload {
    /// The same for a frame whose packet lies `by` bytes further from its beginning.
    pub(crate) fn moved(self, by: i16) -> Self {
        let checksum = match self.checksum {
            Checksum::Partial { start, offset } => {
                Checksum::Partial { start: start.saturating_add_signed(by), offset }
            }
            other => other,
        };
        Self { checksum, ..self }
    }

    /// What a receiver must take to get the frame as it is.
    pub fn needs(self) -> Accepts {
        let checksum = match self.checksum {
            Checksum::Partial { .. } => Accepts::CHECKSUM,
            _ => Accepts::empty(),
        };
        let segmentation = match self.segmentation {
            None => Accepts::empty(),
            Some(segmentation) => {
                let kind = match segmentation.kind {
                    SegmentationKind::Tcp4 => Accepts::TCP4,
                    SegmentationKind::Tcp6 => Accepts::TCP6,
                    SegmentationKind::Udp4 => Accepts::UDP4,
                    SegmentationKind::Udp6 => Accepts::UDP6,
                };
                if segmentation.ecn { kind | Accepts::ECN } else { kind }
            }
        };
        checksum | segmentation
    }
}

//! What transmit descriptors say (82599 datasheet, 7.2.3.2).

use crate::ring::Descriptor;
use crate::spec::descriptor::*;

/// One descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A context, to be kept under a number.
    Context(usize, Context),
    /// A buffer of a frame.
    Data(Data),
    /// None that there is.
    Unknown,
}

/// What a context says about the frames that name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// Bytes of the Ethernet header, without a tag that is to be inserted.
    pub(super) mac_len: usize,
    /// Bytes of the IP header and its extensions.
    pub(super) ip_len: usize,
    /// Bytes of the transport header.
    pub(super) l4_len: usize,
    /// Payload bytes of each frame but the last.
    pub(super) mss: u16,
    /// The tag control information.
    pub(super) vlan: u16,
    pub(super) ipv4: bool,
    pub(super) transport: L4,
}

/// The transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum L4 {
    Udp,
    Tcp,
    Sctp,
    Reserved,
}

/// A buffer, and what its first descriptor asks for its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Data {
    pub(super) address: u64,
    pub(super) len: usize,
    pub(super) end: bool,
    pub(super) reports: bool,
    pub(super) wants: Wants,
}

/// What is to be done to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// By what the descriptor says itself.
    Legacy {
        /// A checksum over the frame from the first byte named, stored at the second.
        checksum: Option<(u16, u16)>,
        vlan: Option<u16>,
    },
    /// By context number `context`.
    Advanced { context: usize, ip_checksum: bool, l4_checksum: bool, vlan: bool, segment: bool },
}

/// A frame of one buffer that wants nothing but, at most, its transport checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Simple {
    pub(super) address: u64,
    pub(super) len: usize,
    pub(super) reports: bool,
    /// The context by which its checksum is wanted.
    pub(super) context: Option<usize>,
}

/// Contexts that a queue keeps.
pub(super) const CONTEXTS: usize = 2;

impl Kind {
    #[inline]
    pub(super) fn of(descriptor: Descriptor) -> Self {
        let command = descriptor[2];
        match command >> TX_TYPE_SHIFT & 0xf {
            _ if command & TX_DEXT == 0 => Self::Data(Data::legacy(descriptor)),
            TX_TYPE_DATA => Self::Data(Data::advanced(descriptor)),
            TX_TYPE_CONTEXT => Self::Context(number(descriptor[3]), Context::of(descriptor)),
            _ => Self::Unknown,
        }
    }
}

/// Context numbers have three bits, of which the chip uses one.
fn number(dword: u32) -> usize {
    (dword >> TX_IDX_SHIFT) as usize % CONTEXTS
}

impl Context {
    fn of([lengths, _, command, sizes]: Descriptor) -> Self {
        Self {
            mac_len: (lengths >> 9 & 0x7f) as usize,
            ip_len: (lengths & 0x1ff) as usize,
            l4_len: (sizes >> 8 & 0xff) as usize,
            mss: (sizes >> 16) as u16,
            vlan: (lengths >> 16) as u16,
            ipv4: command & TUCMD_IPV4 != 0,
            transport: match command >> TUCMD_L4T_SHIFT & 3 {
                0 => L4::Udp,
                1 => L4::Tcp,
                2 => L4::Sctp,
                _ => L4::Reserved,
            },
        }
    }
}

impl Simple {
    #[inline]
    pub(super) fn of([low, high, command, options]: Descriptor) -> Option<Self> {
        const LOOKED_AT: u32 = TX_DEXT | 0xf << TX_TYPE_SHIFT | TX_EOP | TX_VLE | TX_TSE;
        const SIMPLE: u32 = TX_DEXT | TX_TYPE_DATA << TX_TYPE_SHIFT | TX_EOP;
        if command & LOOKED_AT != SIMPLE || options & TX_IXSM != 0 {
            return None;
        }
        Some(Self {
            address: u64::from(high) << 32 | u64::from(low),
            len: (command & 0xffff) as usize,
            reports: command & TX_RS != 0,
            context: (options & TX_TXSM != 0).then(|| number(options)),
        })
    }
}

impl Data {
    #[inline]
    fn new([low, high, command, _]: Descriptor, wants: Wants) -> Self {
        Self {
            address: u64::from(high) << 32 | u64::from(low),
            len: (command & 0xffff) as usize,
            end: command & TX_EOP != 0,
            reports: command & TX_RS != 0,
            wants,
        }
    }

    fn legacy(descriptor: Descriptor) -> Self {
        let [_, _, command, status] = descriptor;
        let (start, at) = ((status >> 8 & 0xff) as u16, (command >> 16 & 0xff) as u16);
        let wants = Wants::Legacy {
            checksum: (command & TX_LEGACY_IC != 0).then_some((start, at)),
            vlan: (command & TX_VLE != 0).then_some((status >> 16) as u16),
        };
        Self::new(descriptor, wants)
    }

    #[inline]
    fn advanced(descriptor: Descriptor) -> Self {
        let [_, _, command, options] = descriptor;
        let wants = Wants::Advanced {
            context: number(options),
            ip_checksum: options & TX_IXSM != 0,
            l4_checksum: options & TX_TXSM != 0,
            vlan: command & TX_VLE != 0,
            segment: command & TX_TSE != 0,
        };
        Self::new(descriptor, wants)
    }
}

//! What a descriptor says about a received frame (82599 datasheet, 7.1.5, 7.1.6.2).

use crate::ring::Descriptor;
use crate::spec::descriptor::*;
use pando_engine::packet::{Network, Packet, Transport};

/// How SRRCTL wants descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Legacy,
    OneBuffer,
    /// The header apart, where there is one.
    Split,
    /// The first bytes apart, whatever they are.
    SplitAlways,
}

/// SRRCTL, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Buffers {
    pub(super) form: Form,
    /// Bytes of a packet buffer.
    pub(super) packet: usize,
    /// Bytes of a header buffer.
    pub(super) header: usize,
    pub(super) drops: bool,
}

impl Buffers {
    pub(super) fn of(srrctl: u32) -> Self {
        /// A size of zero is reserved; the reset value is taken.
        const RESET: usize = 2;
        let kib = match (srrctl & SRRCTL_PACKET_MASK) as usize {
            0 => RESET,
            kib => kib,
        };
        Self {
            form: match srrctl >> SRRCTL_TYPE_SHIFT & 7 {
                0 => Form::Legacy,
                2 => Form::Split,
                5 => Form::SplitAlways,
                _ => Form::OneBuffer,
            },
            packet: kib << 10,
            header: (srrctl >> SRRCTL_HEADER_SHIFT & 0x3f) as usize * 64,
            drops: srrctl & SRRCTL_DROP != 0,
        }
    }

    /// How many bytes of a frame of `len` bytes go to the header buffer, and whether the header is longer than that.
    pub(super) fn split(&self, packet: &Packet, head: &[u8], len: usize) -> (usize, bool) {
        let header = match self.form {
            Form::Legacy | Form::OneBuffer => return (0, false),
            Form::Split | Form::SplitAlways => packet.headers(head).unwrap_or(0),
        };
        match (self.form, header) {
            (Form::SplitAlways, 0) => (self.header.min(len), false),
            (_, header) if header > self.header => (0, header > 0),
            (_, header) => (header.min(len), false),
        }
    }
}

/// What checking has shown; `None`: not checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checks {
    pub(super) ip: Option<bool>,
    pub(super) l4: Option<bool>,
}

/// What is said of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) packet: Packet,
    pub(super) checks: Checks,
    /// The RSS hash and its type.
    pub(super) hash: Option<(u32, u32)>,
    /// The number of an ethertype filter.
    pub(super) filter: Option<u8>,
    /// The tag that was taken out.
    pub(super) stripped: Option<u16>,
    /// It comes from another pool.
    pub(super) local: bool,
    /// Bytes in the header buffer, and whether there would be more.
    pub(super) header: usize,
    pub(super) overflow: bool,
}

impl Report {
    /// The write-back of one of a frame's descriptors, `len` bytes of which are in its packet buffer.
    pub(super) fn write_back(&self, form: Form, len: usize, first: bool, last: bool) -> Descriptor {
        let tag = u32::from(self.stripped.unwrap_or(0)) << 16;
        if form == Form::Legacy {
            let length = len as u32 & 0xffff;
            return [0, 0, length, tag | self.legacy(last)];
        }
        let (hash, kind) = self.hash.unwrap_or_default();
        let (header, split) = if first { (self.header, self.header > 0) } else { (0, false) };
        let info = kind
            | self.packet_type()
            | (header as u32 & 0x3ff) << RX_HEADER_SHIFT
            | if split { RX_SPH } else { 0 };
        [info, hash, self.status(last), tag | (len as u32 & 0xffff)]
    }

    fn packet_type(&self) -> u32 {
        use packet_type::*;
        if let Some(number) = self.filter {
            return ETHERTYPE | u32::from(number & 7) << 4;
        }
        let network = match self.packet.network {
            None => return 0,
            Some(Network::V4 { options: false }) => IPV4,
            Some(Network::V4 { options: true }) => IPV4_OPTIONS,
            Some(Network::V6 { extensions: false }) => IPV6,
            Some(Network::V6 { extensions: true }) => IPV6_EXTENSIONS,
        };
        network
            | match self.packet.transport {
                None => 0,
                Some(Transport::Tcp) => TCP,
                Some(Transport::Udp) => UDP,
                Some(Transport::Sctp) => SCTP,
            }
    }

    fn status(&self, last: bool) -> u32 {
        use status::*;
        let mut status = DD | if self.stripped.is_some() { VP } else { 0 };
        status |= if self.overflow { HBO } else { 0 };
        if !last {
            return status;
        }
        status |= EOP | if self.local { LB } else { 0 };
        if let Some(right) = self.checks.ip {
            status |= IPCS | if right { 0 } else { IPE };
        }
        if let Some(right) = self.checks.l4 {
            let udp = self.packet.transport == Some(Transport::Udp);
            status |= L4CS | if udp { UDPCS } else { 0 } | if right { 0 } else { TCPE };
        }
        status
    }

    fn legacy(&self, last: bool) -> u32 {
        use legacy::*;
        let mut status = DD | if self.stripped.is_some() { VP } else { 0 };
        if !last {
            return status;
        }
        status |= EOP;
        if let Some(right) = self.checks.ip {
            status |= IPCS | if right { 0 } else { IPE };
        }
        if let Some(right) = self.checks.l4 {
            status |= L4CS | if right { 0 } else { TCPE };
        }
        status
    }
}

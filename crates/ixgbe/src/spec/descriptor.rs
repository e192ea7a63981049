//! Descriptors (82599 datasheet, 7.1.5, 7.1.6, 7.2.3): bits of their dwords. All are 16 bytes; `LOW` is dwords 0 and 1, `HIGH` 2 and 3.

/// Transmit, dword 2: the frame's last descriptor.
pub(crate) const TX_EOP: u32 = 1 << 24;
/// Transmit, legacy, dword 2: insert a checksum.
pub(crate) const TX_LEGACY_IC: u32 = 1 << 26;
/// Transmit, dword 2: report status.
pub(crate) const TX_RS: u32 = 1 << 27;
/// Transmit, dword 2: an advanced descriptor.
pub(crate) const TX_DEXT: u32 = 1 << 29;
/// Transmit, dword 2: insert a VLAN tag.
pub(crate) const TX_VLE: u32 = 1 << 30;
/// Transmit, advanced data, dword 2: segment.
pub(crate) const TX_TSE: u32 = 1 << 31;
/// Transmit, advanced, dword 2: the type, bits 23:20.
pub(crate) const TX_TYPE_SHIFT: u32 = 20;
/// A context.
pub(crate) const TX_TYPE_CONTEXT: u32 = 2;
/// Data.
pub(crate) const TX_TYPE_DATA: u32 = 3;
/// Transmit, advanced data, dword 3: which context, bits 6:4.
pub(crate) const TX_IDX_SHIFT: u32 = 4;
/// Transmit, advanced data, dword 3: insert the IPv4 header's checksum.
pub(crate) const TX_IXSM: u32 = 1 << 8;
/// Transmit, advanced data, dword 3: insert the transport checksum.
pub(crate) const TX_TXSM: u32 = 1 << 9;
/// Transmit, write-back, dword 3: done.
pub(crate) const TX_DD: u32 = 1;
/// Transmit, context, dword 2: IPv4.
pub(crate) const TUCMD_IPV4: u32 = 1 << 10;
/// Transmit, context, dword 2: the transport protocol, bits 12:11: UDP, TCP, SCTP.
pub(crate) const TUCMD_L4T_SHIFT: u32 = 11;

/// Receive, write-back, dword 0: RSS type, bits 3:0, by what was hashed.
pub(crate) mod rss_type {
    /// TCP over IPv4.
    pub(crate) const TCP4: u32 = 1;
    /// IPv4.
    pub(crate) const IPV4: u32 = 2;
    /// TCP over IPv6.
    pub(crate) const TCP6: u32 = 3;
    /// IPv6.
    pub(crate) const IPV6: u32 = 5;
    /// UDP over IPv4.
    pub(crate) const UDP4: u32 = 7;
    /// UDP over IPv6.
    pub(crate) const UDP6: u32 = 8;
}

/// Receive, write-back, dword 0: packet types.
pub(crate) mod packet_type {
    /// IPv4.
    pub(crate) const IPV4: u32 = 1 << 4;
    /// IPv4 with options.
    pub(crate) const IPV4_OPTIONS: u32 = 1 << 5;
    /// IPv6.
    pub(crate) const IPV6: u32 = 1 << 6;
    /// IPv6 with extension headers.
    pub(crate) const IPV6_EXTENSIONS: u32 = 1 << 7;
    /// TCP.
    pub(crate) const TCP: u32 = 1 << 8;
    /// UDP.
    pub(crate) const UDP: u32 = 1 << 9;
    /// SCTP.
    pub(crate) const SCTP: u32 = 1 << 10;
    /// An ethertype filter matched: its number is in bits 6:4, and no other bit means anything.
    pub(crate) const ETHERTYPE: u32 = 1 << 15;
}

/// Receive, write-back, dword 0: header length, bits 30:21.
pub(crate) const RX_HEADER_SHIFT: u32 = 21;
/// Receive, write-back, dword 0: the header is split off.
pub(crate) const RX_SPH: u32 = 1 << 31;

/// Receive, write-back, dword 0: segments that begin in a joined frame's descriptor plus one, bits 20:17.
pub(crate) const RX_RSC_SHIFT: u32 = 17;
/// Receive, write-back, dword 2: a joined frame's next descriptor, bits 19:4 while EOP is 0.
pub(crate) const RX_NEXT_SHIFT: u32 = 4;
/// Receive, write-back, dword 2: status and errors.
pub(crate) mod status {
    /// Done.
    pub(crate) const DD: u32 = 1 << 0;
    /// The frame's last descriptor.
    pub(crate) const EOP: u32 = 1 << 1;
    /// A flow director filter matched.
    pub(crate) const FLM: u32 = 1 << 2;
    /// A VLAN tag was stripped.
    pub(crate) const VP: u32 = 1 << 3;
    /// The UDP checksum was checked.
    pub(crate) const UDPCS: u32 = 1 << 4;
    /// The transport checksum was checked.
    pub(crate) const L4CS: u32 = 1 << 5;
    /// The IPv4 header's checksum was checked.
    pub(crate) const IPCS: u32 = 1 << 6;
    /// It passed by its hash only.
    pub(crate) const PIF: u32 = 1 << 7;
    /// It came from another pool of this card.
    pub(crate) const LB: u32 = 1 << 18;
    /// The header is longer than its buffer.
    pub(crate) const HBO: u32 = 1 << 23;
    /// The transport checksum is wrong.
    pub(crate) const TCPE: u32 = 1 << 30;
    /// The IPv4 header's checksum is wrong.
    pub(crate) const IPE: u32 = 1 << 31;
}

/// Receive, legacy write-back: dword 3.
pub(crate) mod legacy {
    /// Done.
    pub(crate) const DD: u32 = 1 << 0;
    /// The frame's last descriptor.
    pub(crate) const EOP: u32 = 1 << 1;
    /// A VLAN tag was stripped.
    pub(crate) const VP: u32 = 1 << 3;
    /// The transport checksum was checked.
    pub(crate) const L4CS: u32 = 1 << 5;
    /// The IPv4 header's checksum was checked.
    pub(crate) const IPCS: u32 = 1 << 6;
    /// The transport checksum is wrong.
    pub(crate) const TCPE: u32 = 1 << 14;
    /// The IPv4 header's checksum is wrong.
    pub(crate) const IPE: u32 = 1 << 15;
}

/// SRRCTL: the size of packet buffers, bits 6:0, in KiB.
pub(crate) const SRRCTL_PACKET_MASK: u32 = 0x7f;
/// SRRCTL: the size of header buffers, bits 13:8, in 64 bytes.
pub(crate) const SRRCTL_HEADER_SHIFT: u32 = 8;
/// SRRCTL: the descriptor type, bits 27:25.
pub(crate) const SRRCTL_TYPE_SHIFT: u32 = 25;
/// SRRCTL: frames without a buffer are dropped at once.
pub(crate) const SRRCTL_DROP: u32 = 1 << 28;

//! The virtio network header and what it says about its frame (virtio 1.3, 5.1.6; the same layout is a tap device's vnet header).
//!
//! Validated in both directions: what comes out of here is safe to act on. Left out: what a hash report adds, tunnels, receive
//! segment coalescing.

use zerocopy::byteorder::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::packet::{IPV4, IPV6};
use crate::{Checksum, Offload, Segmentation, SegmentationKind};

/// `flags`: the checksum is partial; `csum_start` and `csum_offset` say where.
pub const NEEDS_CSUM: u8 = 1;
/// `flags`: the checksum is known to be right (device to driver only).
pub const DATA_VALID: u8 = 2;

/// `gso_type`: one frame.
pub const GSO_NONE: u8 = 0;
/// `gso_type`: TCP over IPv4.
pub const GSO_TCPV4: u8 = 1;
/// `gso_type`: TCP over IPv6.
pub const GSO_TCPV6: u8 = 4;
/// `gso_type`: UDP datagrams over IPv4 or IPv6.
pub const GSO_UDP_L4: u8 = 5;
/// `gso_type`, as well: Congestion Window Reduced is set.
pub const GSO_ECN: u8 = 0x80;

/// Bytes of an Ethernet header without tags: no checksum may start there.
const ETHERNET: u16 = 14;

/// `struct virtio_net_hdr_v1`: the 12 bytes in front of every frame.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(C)]
pub struct VnetHeader {
    /// [`NEEDS_CSUM`], [`DATA_VALID`].
    pub flags: u8,
    /// [`GSO_NONE`], [`GSO_UDP_L4`], or [`GSO_TCPV4`] or [`GSO_TCPV6`], with [`GSO_ECN`].
    pub gso_type: u8,
    /// Bytes of all headers of the frame together; only a hint.
    pub hdr_len: U16,
    /// Payload bytes of each frame but the last.
    pub gso_size: U16,
    /// First byte of the frame that is summed.
    pub csum_start: U16,
    /// Where the checksum goes, from `csum_start`.
    pub csum_offset: U16,
    /// Receive buffers the frame is spread over. The older 10-byte header ends before it.
    pub num_buffers: U16,
}

/// Why a header is refused, and its frame with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VnetError {
    /// The partial checksum's place isn't inside the frame after its Ethernet header.
    #[error("the checksum lies outside the packet")]
    Checksum,
    /// A segmentation type that isn't offered.
    #[error("unknown segmentation type")]
    SegmentationType,
    /// Segmentation with a size of zero.
    #[error("segmentation without a size")]
    SegmentSize,
    /// Segmentation without a partial checksum.
    #[error("segmentation without a partial checksum")]
    SegmentChecksum,
}

impl VnetHeader {
    /// Its length in bytes.
    pub const LEN: usize = size_of::<Self>();

    /// What the header says about the frame of `len` bytes that follows it. [`DATA_VALID`] is not believed: only a device may say so.
    /// `ether_type` is asked for the packet's where the header leaves open over which protocol datagrams are sent.
    #[inline]
    pub fn offload(
        &self,
        len: u32,
        ether_type: impl FnOnce() -> u16,
    ) -> Result<Offload, VnetError> {
        if self.flags & NEEDS_CSUM == 0 && self.gso_type == GSO_NONE {
            return Ok(Offload::default());
        }
        Ok(Offload { checksum: self.checksum(len)?, segmentation: self.segmentation(ether_type)? })
    }

    /// Whether the sender, if it is to be believed, has checked the checksum.
    #[inline]
    pub fn is_data_valid(&self) -> bool {
        self.flags & DATA_VALID != 0
    }

    /// The header of a frame that begins with `head` and of which `offload` is still to be done, in one receive buffer.
    #[inline]
    pub fn new(offload: Offload, head: &[u8]) -> Self {
        let mut header = Self { num_buffers: U16::new(1), ..Self::default() };
        match offload.checksum {
            Checksum::Unknown => {}
            Checksum::Valid => header.flags = DATA_VALID,
            Checksum::Partial { start, offset } => {
                header.flags = NEEDS_CSUM;
                header.csum_start = U16::new(start);
                header.csum_offset = U16::new(offset);
            }
        }
        // Segmentation rests on a partial checksum; without one the frame is passed as it is.
        if let (Some(segmentation), Checksum::Partial { start, .. }) =
            (offload.segmentation, offload.checksum)
        {
            header.gso_type = match segmentation.kind {
                SegmentationKind::Tcp4 => GSO_TCPV4,
                SegmentationKind::Tcp6 => GSO_TCPV6,
                SegmentationKind::Udp4 | SegmentationKind::Udp6 => GSO_UDP_L4,
            };
            header.gso_type |= if segmentation.ecn { GSO_ECN } else { 0 };
            header.gso_size = U16::new(segmentation.size);
            header.hdr_len = U16::new(headers_len(segmentation.kind, start, head));
        }
        header
    }

    fn checksum(&self, len: u32) -> Result<Checksum, VnetError> {
        if self.flags & NEEDS_CSUM == 0 {
            return Err(VnetError::SegmentChecksum);
        }
        let (start, offset) = (self.csum_start.get(), self.csum_offset.get());
        if start < ETHERNET || u32::from(start) + u32::from(offset) + 2 > len {
            return Err(VnetError::Checksum);
        }
        Ok(Checksum::Partial { start, offset })
    }

    fn segmentation(
        &self,
        ether_type: impl FnOnce() -> u16,
    ) -> Result<Option<Segmentation>, VnetError> {
        let kind = match self.gso_type & !GSO_ECN {
            GSO_NONE if self.gso_type == GSO_NONE => return Ok(None),
            GSO_TCPV4 => SegmentationKind::Tcp4,
            GSO_TCPV6 => SegmentationKind::Tcp6,
            GSO_UDP_L4 if self.gso_type == GSO_UDP_L4 => match ether_type() {
                IPV4 => SegmentationKind::Udp4,
                IPV6 => SegmentationKind::Udp6,
                _ => return Err(VnetError::SegmentationType),
            },
            _ => return Err(VnetError::SegmentationType),
        };
        if self.gso_size.get() == 0 {
            return Err(VnetError::SegmentSize);
        }
        let ecn = self.gso_type & GSO_ECN != 0;
        Ok(Some(Segmentation { kind, size: self.gso_size.get(), ecn }))
    }
}

/// Where the payload of a long frame starts, as far as `head` shows: with TCP's own header length, else with the least there is.
fn headers_len(kind: SegmentationKind, transport: u16, head: &[u8]) -> u16 {
    const TCP: u16 = 20;
    const UDP: u16 = 8;
    if !kind.is_tcp() {
        return transport.saturating_add(UDP);
    }
    let data_offset =
        head.get(usize::from(transport) + 12).map_or(TCP, |byte| u16::from(byte >> 4) * 4);
    transport.saturating_add(data_offset.max(TCP))
}

#[cfg(test)]
mod tests;

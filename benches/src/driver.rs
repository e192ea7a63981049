//! The driver's side of split rings: it writes descriptors and headers, publishes in batches, and takes back what was used,
//! element by element, as a driver in a guest does.

mod link;
mod ring;

pub(crate) use link::{BATCH, Link, Sample, Side, pass_for};
pub(crate) use ring::{Care, Ring, RingPlace};

use anyhow::Result;

use crate::memory::Memory;

/// Entries of a ring.
pub(crate) const SIZE: u16 = 256;

/// Bytes of the header before every frame.
pub(crate) const HEADER: u32 = 12;

/// The bytes of a 64 KiB TCP frame: the longest IPv4 packet, with its Ethernet header.
pub(crate) const LONG: u32 = 65_535 + 14;

/// Bytes of a piece of a long frame, and of a receive buffer for it.
const PIECE: u32 = 4096;

/// How frames lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes of a frame without its header.
    pub(crate) frame: u32,
    /// Bytes of each piece of a sent frame; indirect tables where there are several.
    pub(crate) piece: u32,
    /// Bytes of a receive buffer.
    pub(crate) buffer: u32,
    /// What the driver does for each frame.
    pub(crate) care: Care,
}

impl Shape {
    /// One buffer for each frame at both sides.
    pub(crate) fn whole(frame: u32) -> Self {
        let buffer = (frame + HEADER).max(1536);
        Self { frame, piece: frame + HEADER, buffer, care: Care::Descriptor }
    }

    /// As Linux does it: long frames in pages, through indirect tables and mergeable buffers.
    pub(crate) fn natural(frame: u32) -> Self {
        if frame < LONG {
            return Self::whole(frame);
        }
        Self { piece: PIECE, buffer: PIECE, ..Self::whole(frame) }
    }

    /// With a driver that does so much.
    pub(crate) fn with(self, care: Care) -> Self {
        Self { care, ..self }
    }

    /// Whether the frame is still to be cut into segments.
    pub(crate) fn is_long(self) -> bool {
        self.frame == LONG
    }

    /// Pieces of a sent frame.
    pub(crate) fn pieces(self) -> u32 {
        (self.frame + HEADER).div_ceil(self.piece)
    }
}

/// The first bytes of a sent buffer: virtio header, then Ethernet, IPv4 and TCP.
fn head(shape: Shape, to: [u8; 6], from: [u8; 6]) -> [u8; 66] {
    let mut head = [0; 66];
    let (virtio, frame) = head.split_at_mut(HEADER as usize);
    if shape.is_long() {
        virtio[0] = 1; // NEEDS_CSUM
        virtio[1] = 1; // GSO_TCPV4
        virtio[2..4].copy_from_slice(&54u16.to_le_bytes());
        virtio[4..6].copy_from_slice(&1448u16.to_le_bytes());
        virtio[6..8].copy_from_slice(&34u16.to_le_bytes());
        virtio[8..10].copy_from_slice(&16u16.to_le_bytes());
    }
    frame[..6].copy_from_slice(&to);
    frame[6..12].copy_from_slice(&from);
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14] = 0x45;
    frame[16..18].copy_from_slice(&((shape.frame - 14) as u16).to_be_bytes());
    frame[22..24].copy_from_slice(&[64, 6]);
    frame[26..30].copy_from_slice(&[10, 0, 0, from[5]]);
    frame[30..34].copy_from_slice(&[10, 0, 0, to[5]]);
    frame[46] = 0x50;
    head
}

/// The first bytes of a frame without a virtio header.
pub(crate) fn frame_head(shape: Shape, to: [u8; 6], from: [u8; 6]) -> Vec<u8> {
    head(shape, to, from)[HEADER as usize..].to_vec()
}

/// A sender's ring whose frames all go from one address to the other.
pub(crate) fn transmit_ring(
    memory: &mut Memory,
    shape: Shape,
    to: [u8; 6],
    from: [u8; 6],
) -> Result<Ring> {
    let mut ring = Ring::new(memory, shape, false)?;
    let len = u64::from(shape.frame + HEADER);
    let head = head(shape, to, from);
    for _ in 0..SIZE {
        let buffer = memory.buffer(len)?;
        let known = (len as usize).min(head.len());
        memory.write(buffer, &head[..known])?;
        let pieces = u64::from(shape.pieces());
        if pieces == 1 {
            ring.add(buffer, len as u32, 0);
            continue;
        }
        let table = memory.buffer(16 * pieces)?;
        for index in 0..pieces {
            let at = index * u64::from(shape.piece);
            let size = (len - at).min(u64::from(shape.piece));
            let next = if index + 1 < pieces { 1 | (index + 1) << 16 } else { 0 };
            memory.store64(table + 16 * index, buffer + at)?;
            memory.store64(table + 16 * index + 8, size | next << 32)?;
        }
        ring.add(table, 16 * pieces as u32, ring::INDIRECT);
        ring.look_at(buffer);
    }
    Ok(ring)
}

/// A receiver's ring.
pub(crate) fn receive_ring(memory: &mut Memory, shape: Shape) -> Result<Ring> {
    let mut ring = Ring::new(memory, shape, true)?;
    for _ in 0..SIZE {
        let buffer = memory.buffer(shape.buffer.into())?;
        ring.add(buffer, shape.buffer, ring::WRITE);
    }
    Ok(ring)
}

//! From what descriptors ask for to what the engine is told: offloads by the context's lengths, never by parsing (82599 datasheet,
//! 7.2.4, 7.2.5).
//!
//! Where the chip would change headers, they are first copied into the queue's own memory and changed there: IPv4 checksums, SCTP
//! checksums, and the lengths that a driver leaves open in a long frame. The rest stays where the sender has it.

use arrayvec::ArrayVec;
use pando_engine::{Checksum, MAX_FRAME, Offload, Segmentation, SegmentationKind};
use vm_memory::VolatileSlice;

use super::crc::Crc;
use super::descriptor::{Context, L4, Wants};
use pando_engine::packet::{fold, sum};

/// Pieces of memory that a frame lies in at most: 40 buffers, some of them on several pages.
pub(super) const PIECES: usize = 128;

/// The longest frame that isn't cut (15.5 KiB).
pub(super) const MAX_PACKET: usize = 15_872;

/// The shortest frame on the wire, without its check sequence.
const MIN_PACKET: usize = 60;

/// The shortest that is one.
const ETHERNET: usize = 14;

/// Those, and changed headers in front and padding behind.
pub(super) type Pieces<'g> = ArrayVec<VolatileSlice<'g>, { PIECES + 2 }>;

/// Zeros to pad with.
pub(super) const PADDING: usize = MIN_PACKET;

/// Headers of a frame at most: 7, 9 and 8 bits of length.
pub(super) const MAX_HEADERS: usize = 127 + 511 + 255;

/// A frame ready to be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    pub(super) offload: Offload,
    /// The tag to be inserted.
    pub(super) tag: Option<u16>,
    /// Frames on the wire.
    pub(super) frames: u64,
    /// Bytes of headers that are in each of them; 0 if there is one.
    pub(super) headers: usize,
}

/// Why a frame isn't sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It makes no sense.
    Malformed,
    /// There is no more room for headers now.
    NoRoom,
}

/// Works out what is to be done with the frame in `pieces`, and changes its headers, for which it takes memory from `room`.
pub(super) fn prepare<'g>(
    wants: Wants,
    contexts: &[Option<Context>],
    pieces: &mut Pieces<'g>,
    room: &mut &'g mut [u8],
) -> Result<Prepared, Refused> {
    let len = pieces.iter().map(VolatileSlice::len).sum();
    if !(ETHERNET..=MAX_FRAME).contains(&len) {
        return Err(Refused::Malformed);
    }
    let mut prepared = Prepared { offload: Offload::default(), tag: None, frames: 1, headers: 0 };
    match wants {
        Wants::Legacy { checksum, vlan } => {
            prepared.tag = vlan;
            if let Some((start, at)) = checksum {
                let offset = at.checked_sub(start).ok_or(Refused::Malformed)?;
                prepared.offload.checksum = partial(start.into(), offset, len)?;
            }
        }
        Wants::Advanced { context, ip_checksum, l4_checksum, vlan, segment } => {
            if ip_checksum || l4_checksum || vlan || segment {
                let context = contexts.get(context).copied().flatten().ok_or(Refused::Malformed)?;
                prepared.tag = vlan.then_some(context.vlan);
                let edit = Edit { context, len, pieces, room };
                if segment {
                    edit.segment(&mut prepared)?;
                } else {
                    prepared.offload.checksum = edit.checksums(ip_checksum, l4_checksum)?;
                }
            }
        }
    }
    if prepared.frames == 1 && prepared.offload.segmentation.is_none() && len > MAX_PACKET {
        return Err(Refused::Malformed);
    }
    Ok(prepared)
}

fn partial(start: usize, offset: u16, len: usize) -> Result<Checksum, Refused> {
    if start < ETHERNET || start + usize::from(offset) + 2 > len {
        return Err(Refused::Malformed);
    }
    let start = u16::try_from(start).map_err(|_| Refused::Malformed)?;
    Ok(Checksum::Partial { start, offset })
}

/// The checksum of TCP or UDP in a frame of `len` bytes.
#[inline]
pub(super) fn transport_checksum(context: &Context, len: usize) -> Result<Checksum, Refused> {
    let start = context.mac_len + context.ip_len;
    match context.transport {
        L4::Udp => partial(start, UDP_CHECKSUM, len),
        L4::Tcp => partial(start, TCP_CHECKSUM, len),
        _ => Err(Refused::Malformed),
    }
}

/// A frame of which the headers may be changed.
struct Edit<'e, 'g> {
    context: Context,
    len: usize,
    pieces: &'e mut Pieces<'g>,
    room: &'e mut &'g mut [u8],
}

impl<'g> Edit<'_, 'g> {
    fn l4_start(&self) -> usize {
        self.context.mac_len + self.context.ip_len
    }

    /// One frame: its checksums.
    fn checksums(mut self, ip: bool, l4: bool) -> Result<Checksum, Refused> {
        let (start, context) = (self.l4_start(), self.context);
        let ip = ip && context.ipv4;
        if l4 && context.transport == L4::Sctp {
            return self.sctp(ip);
        }
        if ip {
            self.rewrite(start, |headers, _| write_ipv4_checksum(headers, &context))?;
        }
        if l4 { transport_checksum(&context, self.len) } else { Ok(Checksum::Unknown) }
    }

    /// SCTP's checksum, which no receiver finishes.
    fn sctp(&mut self, ip: bool) -> Result<Checksum, Refused> {
        const HEADER: usize = 12;
        const FIELD: usize = 8;
        let (start, context) = (self.l4_start(), self.context);
        self.rewrite(start + HEADER, |headers, rest| {
            if ip {
                write_ipv4_checksum(headers, &context)?;
            }
            headers[start + FIELD..].fill(0);
            let mut crc = Crc::sctp();
            crc.add(&headers[start..]);
            rest.iter().for_each(|piece| add(&mut crc, piece));
            headers[start + FIELD..].copy_from_slice(&crc.finish());
            Ok(())
        })?;
        Ok(Checksum::Unknown)
    }

    /// A long frame: everything that its sender left open, as if it were one packet.
    fn segment(mut self, prepared: &mut Prepared) -> Result<(), Refused> {
        let (start, len, context) = (self.l4_start(), self.len, self.context);
        let (offset, least, protocol) = match context.transport {
            L4::Tcp => (TCP_CHECKSUM, 20, 6),
            L4::Udp => (UDP_CHECKSUM, 8, 17),
            _ => return Err(Refused::Malformed),
        };
        let kind = kind(&context).ok_or(Refused::Malformed)?;
        let end = start + context.l4_len;
        let too_long = len - context.mac_len.min(len) > usize::from(u16::MAX);
        if context.mss == 0 || context.l4_len < least || end >= len || too_long {
            return Err(Refused::Malformed);
        }
        let checksum = partial(start, offset, len)?;
        let mut ecn = false;
        self.rewrite(end, |headers, _| {
            let l4_len = (len - start) as u16;
            let pseudo = write_network(headers, &context, protocol, len)?;
            let pseudo = fold(pseudo + u64::from(protocol) + u64::from(l4_len));
            let (l4, at) = (&mut headers[start..], usize::from(offset));
            if context.transport == L4::Udp {
                l4[4..6].copy_from_slice(&l4_len.to_be_bytes());
            }
            l4[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
            ecn = context.transport == L4::Tcp && l4[13] & CWR != 0;
            Ok(())
        })?;
        let segmentation = Segmentation { kind, size: context.mss, ecn };
        prepared.offload = Offload { checksum, segmentation: Some(segmentation) };
        prepared.frames = (len - end).div_ceil(usize::from(context.mss)) as u64;
        prepared.headers = end;
        Ok(())
    }

    /// Puts the first `len` bytes, as `change` leaves them, into memory of the queue's own. `change` is given what follows, too.
    fn rewrite(
        &mut self,
        len: usize,
        change: impl FnOnce(&mut [u8], &Pieces<'g>) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        if len > self.len {
            return Err(Refused::Malformed);
        }
        if len > self.room.len() {
            return Err(Refused::NoRoom);
        }
        let (headers, room) = std::mem::take(self.room).split_at_mut(len);
        *self.room = room;
        let mut filled = 0;
        let mut rest = Pieces::new();
        for piece in self.pieces.iter() {
            let copied = piece.copy_to(&mut headers[filled..]);
            filled += copied;
            if let Ok(left) = piece.offset(copied)
                && !left.is_empty()
            {
                rest.push(left);
            }
        }
        change(headers, &rest)?;
        self.pieces.clear();
        self.pieces.push(VolatileSlice::from(headers));
        self.pieces.extend(rest);
        Ok(())
    }
}

/// Where TCP and UDP have their checksums.
const TCP_CHECKSUM: u16 = 16;
const UDP_CHECKSUM: u16 = 6;

/// TCP: Congestion Window Reduced.
const CWR: u8 = 0x80;

fn kind(context: &Context) -> Option<SegmentationKind> {
    match (context.transport, context.ipv4) {
        (L4::Tcp, true) => Some(SegmentationKind::Tcp4),
        (L4::Tcp, false) => Some(SegmentationKind::Tcp6),
        (L4::Udp, true) => Some(SegmentationKind::Udp4),
        (L4::Udp, false) => Some(SegmentationKind::Udp6),
        _ => None,
    }
}

/// The IP header of a frame that begins with `headers`.
fn ip<'h>(headers: &'h mut [u8], context: &Context) -> Result<&'h mut [u8], Refused> {
    let least = if context.ipv4 { 20 } else { 40 };
    let range = context.mac_len..context.mac_len + context.ip_len;
    headers.get_mut(range).filter(|ip| ip.len() >= least).ok_or(Refused::Malformed)
}

fn write_ipv4_checksum(headers: &mut [u8], context: &Context) -> Result<(), Refused> {
    let ip = ip(headers, context)?;
    ip[10..12].fill(0);
    let checksum = !sum(ip);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    Ok(())
}

/// Makes the IP header that of a packet which ends after `len` bytes of frame; returns the sum of its addresses.
fn write_network(
    headers: &mut [u8],
    context: &Context,
    protocol: u8,
    len: usize,
) -> Result<u64, Refused> {
    let total = (len - context.mac_len) as u16; // at most 65535, as checked before
    let ip = ip(headers, context)?;
    if !context.ipv4 {
        let payload = total.checked_sub(40).ok_or(Refused::Malformed)?;
        ip[4..6].copy_from_slice(&payload.to_be_bytes());
        return Ok(u64::from(sum(&ip[8..40])));
    }
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    if ip[9] != protocol {
        return Err(Refused::Malformed);
    }
    let addresses = u64::from(sum(&ip[12..20]));
    write_ipv4_checksum(headers, context)?;
    Ok(addresses)
}

fn add(crc: &mut Crc, piece: &VolatileSlice<'_>) {
    let (mut bytes, mut at) = ([0; 512], 0);
    while let Ok(left) = piece.offset(at)
        && !left.is_empty()
    {
        let copied = left.copy_to(&mut bytes);
        crc.add(&bytes[..copied]);
        at += copied;
    }
}

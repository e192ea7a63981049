//! What is done to bytes: checksum and segmentation in software, beside a copy of the same bytes.

use std::hint::black_box;

use anyhow::Result;
use pando_engine::{Batch, Checksum, Finisher, Offload, Segmentation, SegmentationKind};
use vm_memory::VolatileSlice;

use super::Parts;
use crate::Effort;
use crate::driver::LONG;
use crate::report::Report;

/// Headers: Ethernet, IPv4, TCP.
const HEADERS: usize = 54;

const PARTIAL: Checksum = Checksum::Partial { start: 34, offset: 16 };

pub(super) fn run(effort: &Effort, report: &mut Report) -> Result<()> {
    if effort.wants("parts/checksum") {
        let offload = Offload { checksum: PARTIAL, segmentation: None };
        finish(effort, report, "parts/checksum of 1500 B", 1514, offload)?;
    }
    if effort.wants("parts/segmentation") {
        let segmentation =
            Some(Segmentation { kind: SegmentationKind::Tcp4, size: 1448, ecn: false });
        let offload = Offload { checksum: PARTIAL, segmentation };
        finish(effort, report, "parts/segmentation of 64 KiB", LONG as usize, offload)?;
    }
    Ok(())
}

fn finish(
    effort: &Effort,
    report: &mut Report,
    name: &str,
    len: usize,
    offload: Offload,
) -> Result<()> {
    let mut frame = tcp(len);
    let (source, mut target) = (frame.clone(), vec![0; len]);
    let mut batch = Batch::new();
    batch.push(&[VolatileSlice::from(&mut frame[..])], offload);
    let mut finisher = Finisher::new();
    Parts::new(effort)
        .add("finished", || {
            let done = finisher.finish(batch.frame(0), 0, &mut |out| Ok(black_box(out).len()));
            let _ = black_box(done);
        })
        .add("copied", || {
            target.copy_from_slice(black_box(&source));
            black_box(&mut target);
        })
        .measure(effort, report, name)
}

/// A TCP segment of `len` bytes with its headers.
fn tcp(len: usize) -> Vec<u8> {
    let mut frame = vec![0x5a; len];
    frame[..HEADERS].fill(0);
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    frame[12..15].copy_from_slice(&[8, 0, 0x45]);
    frame[16..18].copy_from_slice(&((len - 14) as u16).to_be_bytes());
    frame[22..24].copy_from_slice(&[64, 6]);
    frame[46] = 0x50;
    frame
}

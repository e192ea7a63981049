use etherparse::PacketBuilder;
use pando_engine::Offload;
use vm_memory::VolatileSlice;

use super::*;
use crate::identity::Model;
use crate::storage::Storage;

type Change = Box<dyn FnOnce(&mut Vec<u8>)>;

const VALID: Offload = Offload { checksum: Checksum::Valid, segmentation: None };

/// A segment of `len` bytes at `sequence` with TCP time stamps, with what `change` makes of it.
fn segment(sequence: u32, len: usize, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let stamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 9])
        .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
        .tcp(5000, 6000, sequence, 500)
        .ack(77)
        .options_raw(&stamps)
        .unwrap()
        .write(&mut bytes, &vec![sequence as u8; len])
        .unwrap();
    change(&mut bytes);
    bytes
}

/// How many of `frames` become one with 16 buffers of 2 KiB.
fn joined(mut frames: Vec<Vec<u8>>, offload: Offload) -> Option<Run> {
    let globals = Globals::read(&Storage::new(Model::default()));
    let limits = Limits::new(3 << 2, 2048, true, globals);
    let mut batch = Batch::new();
    for bytes in &mut frames {
        assert!(batch.push(&[VolatileSlice::from(&mut bytes[..])], offload));
    }
    let indices: Vec<u16> = (0..batch.len() as u16).collect();
    limits.run(&batch, &indices)
}

fn same(_: &mut Vec<u8>) {}

/// Three segments, the second one changed.
fn three(change: impl FnOnce(&mut Vec<u8>)) -> Vec<Vec<u8>> {
    vec![segment(0, 1000, same), segment(1000, 1000, change), segment(2000, 500, same)]
}

/// Writes `value` at `at` of the IP header and makes its checksum right again.
fn ip(at: usize, value: u8) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| {
        bytes[14 + at] = value;
        bytes[24..26].fill(0);
        let checksum = !sum(&bytes[14..34]);
        bytes[24..26].copy_from_slice(&checksum.to_be_bytes());
    }
}

#[test]
fn what_is_joined_looks_like_one_long_segment() {
    let mut frames = three(ip(5, 9));
    frames[2][47] |= PSH;
    let run = joined(frames, VALID).unwrap();
    assert_eq!((run.segments, run.len(), run.descriptors()), (3, 66 + 2500, 2));
    let mut long = segment(0, 2500, |bytes| bytes[47] |= PSH);
    long[50..52].copy_from_slice(&segment(0, 1000, same)[50..52]); // the first one's checksum
    assert_eq!(run.headers(), &long[..66]);
    assert_eq!([0, 1, 2].map(|number| run.payload_of(number)), [1000, 1000, 500]);
    // The second payload begins at 1066, the third at 2066.
    assert_eq!([run.count(0), run.count(1)], [3, 2]);
}

#[test]
fn a_segment_that_says_something_new_begins_another_frame() {
    let changes: [(&str, Change); 9] = [
        ("another stream", Box::new(|bytes| bytes[35] ^= 1)),
        ("a gap", Box::new(|bytes| bytes[41] ^= 1)),
        ("another acknowledgement", Box::new(|bytes| bytes[45] ^= 1)),
        ("another window", Box::new(|bytes| bytes[49] ^= 1)),
        ("another time stamp, beyond the head", Box::new(|bytes| bytes[65] ^= 1)),
        ("FIN", Box::new(|bytes| bytes[47] |= 1)),
        ("another type of service", Box::new(ip(1, 3))),
        ("a fragment", Box::new(ip(6, 0x20))),
        ("a wrong IP checksum", Box::new(|bytes| bytes[24] ^= 1)),
    ];
    for (what, change) in changes {
        assert!(joined(three(change), VALID).is_none(), "{what}");
    }
    let pushed = joined(three(|bytes| bytes[47] |= PSH), VALID);
    assert_eq!(pushed.map(|run| run.segments), Some(2), "PSH ends it");
}

#[test]
fn sizes_and_sums_that_cannot_be_told_later() {
    let sizes = |sizes: [usize; 3]| {
        let mut at = 0;
        let frames = sizes.map(|len| {
            at += len;
            segment((at - len) as u32, len, same)
        });
        joined(frames.into(), VALID).map(|run| run.segments)
    };
    assert_eq!(sizes([500, 1000, 1000]), None, "a longer one");
    assert_eq!(sizes([1000, 500, 500]), Some(2), "one after a shorter one");
    assert_eq!(sizes([1000, 1453, 9]), None, "too long for the wire");
    assert!(joined(three(|bytes| bytes.extend([0; 6])), VALID).is_none(), "padding");
    assert!(joined(three(same), Offload::default()).is_none(), "nobody vouches for them");
    assert!(joined(vec![segment(0, 1000, same)], VALID).is_none());
    assert!(joined(Vec::new(), VALID).is_none());
}

#[test]
fn no_more_descriptors_than_allowed_nor_segments_than_can_be_counted() {
    let full = |len: usize| (0..64).map(move |n| segment((n * len) as u32, len, same)).collect();
    let run = joined(full(1000), VALID).unwrap();
    assert_eq!((run.descriptors(), run.segments), (16, 32));
    assert_eq!((0..16).map(|number| run.count(number) - 1).sum::<u32>(), 32);
    let run = joined(full(100), VALID).unwrap();
    assert_eq!((run.segments, run.count(0)), (14, 15));
}

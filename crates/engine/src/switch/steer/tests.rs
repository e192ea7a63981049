use super::*;
use crate::{Batch, Offload};

fn hash(bytes: &mut [u8]) -> u32 {
    let mut batch = Batch::new();
    batch.push(&[vm_memory::VolatileSlice::from(bytes)], Offload::default());
    flow_hash(&batch.frame(0))
}

fn ipv4(from: (u8, u16), to: (u8, u16), tagged: bool) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, to.0, 2, 0, 0, 0, 0, from.0];
    if tagged {
        bytes.extend([0x81, 0, 0, 5]);
    }
    bytes.extend([8, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 64, TCP, 0, 0]);
    bytes.extend([10, 0, 0, from.0, 10, 0, 0, to.0]);
    bytes.extend(from.1.to_be_bytes());
    bytes.extend(to.1.to_be_bytes());
    bytes.resize(80, 0);
    bytes
}

fn ipv6(from: (u8, u16), to: (u8, u16)) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, to.0, 2, 0, 0, 0, 0, from.0, 0x86, 0xdd];
    bytes.extend([0x60, 0, 0, 0, 0, 20, UDP, 64]);
    for last in [from.0, to.0] {
        bytes.extend([0xfd; 15]);
        bytes.push(last);
    }
    bytes.extend(from.1.to_be_bytes());
    bytes.extend(to.1.to_be_bytes());
    bytes.resize(80, 0);
    bytes
}

#[test]
fn both_directions_of_a_flow_hash_alike() {
    let (a, b) = ((1, 1000), (2, 80));
    assert_eq!(hash(&mut ipv4(a, b, false)), hash(&mut ipv4(b, a, false)));
    assert_eq!(hash(&mut ipv4(a, b, true)), hash(&mut ipv4(b, a, true)));
    assert_eq!(hash(&mut ipv6(a, b)), hash(&mut ipv6(b, a)));
}

#[test]
fn flows_spread_over_queues() {
    let mut counts = [0; 4];
    for port in 0..400 {
        counts[queue(hash(&mut ipv4((1, 40_000 + port), (2, 80), false)), 4)] += 1;
        counts[queue(hash(&mut ipv6((1, 40_000 + port), (2, 80))), 4)] += 1;
    }
    assert!(counts.iter().all(|count| (120..280).contains(count)), "{counts:?}");
}

#[test]
fn short_and_odd_frames_have_a_hash_too() {
    for len in 14..80 {
        for kind in [[8, 0], [0x86, 0xdd], [0x81, 0], [0xff, 0xff]] {
            let mut bytes = vec![0xff; len];
            bytes[12..14].copy_from_slice(&kind);
            assert!(queue(hash(&mut bytes), 3) < 3);
        }
    }
}

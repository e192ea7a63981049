use proptest::prelude::*;

use super::*;
use crate::testing::{hash_config as hash_bytes, rss_config as rss_bytes};

#[test]
fn a_configuration_is_taken_whole() {
    let hashing = rss_config(&rss_bytes(0x3f, &[3, 0, 1, 2], 1), 4).unwrap();
    let spread = hashing.spread.as_ref().unwrap();
    assert_eq!((&*spread.table, spread.unclassified), (&[3, 0, 1, 2][..], 1));
    assert!(hashing.steering().is_some());
    assert!(rss_config(&rss_bytes(0, &[3; 128], 3), 4).is_some());
    assert!(hash_config(&hash_bytes(0x3f)).unwrap().steering().is_none());
}

#[test]
fn padding_changes_nothing() {
    let padded = |bytes: Vec<u8>| [&bytes[..], &[0xff]].concat();
    let rss = |bytes: &[u8]| rss_config(bytes, 4).unwrap().rss;
    let good = rss_bytes(0x3f, &[3; 4], 0);
    assert_eq!(rss(&padded(good.clone())), rss(&good));
    assert!(hash_config(&padded(hash_bytes(1).to_vec())).is_some());
}

#[test]
fn what_there_is_not_is_refused() {
    let good = rss_bytes(0x3f, &[3; 4], 0);
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    assert!(rss_config(&good, 4).is_some());
    let bad = [
        ("an unknown hash type", with(0, 0x40)),
        ("a queue that isn't there", rss_bytes(1, &[0, 4], 0)),
        ("such a queue for the rest", rss_bytes(1, &[0, 1], 4)),
        ("a table of three", rss_bytes(1, &[0; 3], 0)),
        ("a table of 256", rss_bytes(1, &[0; 256], 0)),
        ("a table beyond the end", with(5, 0xff)),
        ("no transmit queue", with(16, 0)),
        ("more transmit queues than there are", with(16, 5)),
        ("a key shorter than it says", good[..good.len() - 1].to_vec()),
        ("a key longer than there can be", [&with(18, 41)[..], &[0]].concat()),
    ];
    for (what, bytes) in bad {
        assert!(rss_config(&bytes, 4).is_none(), "{what}");
    }
    for bytes in [&hash_bytes(0x100)[..], &hash_bytes(1)[..52], &[], &[0; 12]] {
        assert!(hash_config(bytes).is_none(), "{bytes:?}");
    }
    assert!(hash_config(&[0; 13]).is_some(), "no key is a short one");
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400), pairs in 1u16..=256) {
        if let Some(Hashing { spread: Some(spread), .. }) = rss_config(&bytes, pairs) {
            prop_assert!(spread.table.iter().all(|queue| *queue < pairs));
        }
        let _ = hash_config(&bytes);
    }
}

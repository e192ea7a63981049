//! A guest for tests: memory, a link that leads straight to it, and drivers that follow the order of a stock one.

mod driver;
mod guest;

pub(crate) use driver::{Driver, Header, descriptor};
pub(crate) use guest::{Guest, Memory, eventually};

use crate::spec::Features;

/// What a stock Linux takes of what is offered: all of it, but here with the shorter header and with split rings.
pub(crate) const LINUX: Features = Features::all()
    .difference(Features::SR_IOV)
    .difference(Features::HASH_REPORT)
    .difference(Features::RING_PACKED);

/// The same with packed rings.
pub(crate) const PACKED: Features = LINUX.union(Features::RING_PACKED);

/// A driver with nothing but what it can't do without.
pub(crate) const PLAIN: Features = Features::VERSION_1.union(Features::MAC);

/// The key of the verification suite for RSS.
pub(crate) const KEY: [u8; 40] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
    0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
    0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
];

/// The data of MQ_RSS_CONFIG with that key.
pub(crate) fn rss_config(types: u32, table: &[u16], unclassified: u16) -> Vec<u8> {
    let words = |words: &[u16]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let parts: [Vec<u8>; 5] = [
        types.to_le_bytes().into(),
        words(&[table.len() as u16 - 1, unclassified]),
        words(table),
        [1, 0, 40].into(),
        KEY.into(),
    ];
    parts.concat()
}

/// The data of MQ_HASH_CONFIG with that key.
pub(crate) fn hash_config(types: u32) -> Vec<u8> {
    [&types.to_le_bytes()[..], &[0; 8], &[40], &KEY].concat()
}

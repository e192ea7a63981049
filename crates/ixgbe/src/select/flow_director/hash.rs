//! The hash of signature filters (82599 datasheet, 7.1.2.7): a bucket and a signature, each by a key of its own.
//!
//! The stream of fields is moved along the key, which is repeated every 32 bits. So fields that are a multiple of 32 bits apart count as
//! their sum, and two dwords are all there is to hash: that of pool, kind of packet and VLAN, which lies where the stream's end meets its
//! beginning, and the sum of the others.

use crate::spec::filter::fdir::*;
use crate::storage::Storage;

/// Half bytes of both dwords.
const HALVES: usize = 16;

/// The keys, worked into a table.
#[derive(Debug, PartialEq)]
pub(super) struct Hash {
    /// For each half byte of both dwords, what each of its values adds to the hash.
    terms: Box<[[u32; 16]; HALVES]>,
}

impl Hash {
    /// By the keys in the registers.
    pub(super) fn read(storage: &Storage) -> Self {
        Self::new(storage.get(FDIRHKEY), storage.get(FDIRSKEY))
    }

    pub(super) fn new(bucket: u32, signature: u32) -> Self {
        let mut terms = Box::new([[0; 16]; HALVES]);
        for (half, terms) in terms.iter_mut().enumerate() {
            for (value, term) in (0u64..).zip(terms) {
                let stream = value << (4 * half);
                *term = spread(bucket, stream) | spread(signature, stream) << 16;
            }
        }
        Self { terms }
    }

    /// As FDIRHASH has it: the bucket in bits 14:0, the signature in 30:16.
    #[inline]
    pub(super) fn of(&self, flow: u32, rest: u32) -> u32 {
        let stream = u64::from(flow) << 32 | u64::from(rest);
        let terms = self.terms.iter().enumerate();
        terms.fold(0, |hash, (half, terms)| hash ^ terms[(stream >> (4 * half) & 0xf) as usize])
    }
}

/// The hash of one key over `stream`, the first dword of which is its high half.
fn spread(key: u32, stream: u64) -> u32 {
    let [kind, vlan, high, low] = [48, 32, 16, 0].map(|shift| stream >> shift & 0xffff);
    // The first bit of the key is used once less than the others: where VLAN meets it, the stream begins.
    let first = (high ^ kind) << 32 | (low ^ vlan ^ kind) << 16 | high;
    let others = first ^ vlan;
    let bits = (0..32).filter(|bit| key >> bit & 1 != 0);
    let hash = bits.fold(0, |hash, bit| hash ^ if bit == 0 { first } else { others >> bit });
    hash as u32 & 0x7fff
}

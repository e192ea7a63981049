//! Receive side scaling: which fields are hashed, and the redirection table (82599 datasheet, 7.1.2.8).

use pando_engine::packet::Packet;
use pando_engine::{HashTypes, RSS_KEY};

use super::mode;
use crate::spec::descriptor::rss_type;
use crate::spec::filter::{RETA, RSSRK};
use crate::spec::general::MRQC;
use crate::storage::Storage;

/// What the hash is taken over, and spread by.
#[derive(Debug, PartialEq)]
pub(crate) struct Rss {
    rss: pando_engine::Rss,
    table: Box<[u8; 128]>,
}

/// Each type with its bit in MRQC and its number in a descriptor.
const TYPES: [(HashTypes, u32, u32); 6] = [
    (HashTypes::TCP4, 1 << 16, rss_type::TCP4),
    (HashTypes::IPV4, 1 << 17, rss_type::IPV4),
    (HashTypes::IPV6, 1 << 20, rss_type::IPV6),
    (HashTypes::TCP6, 1 << 21, rss_type::TCP6),
    (HashTypes::UDP4, 1 << 22, rss_type::UDP4),
    (HashTypes::UDP6, 1 << 23, rss_type::UDP6),
];

impl Rss {
    pub(super) fn read(storage: &Storage) -> Self {
        let mut key = [0; RSS_KEY];
        for (bytes, offset) in key.chunks_exact_mut(4).zip((RSSRK..).step_by(4)) {
            bytes.copy_from_slice(&storage.get(offset).to_le_bytes());
        }
        let mut table = Box::new([0; 128]);
        for (bytes, offset) in table.chunks_exact_mut(4).zip((RETA..).step_by(4)) {
            bytes.copy_from_slice(&storage.get(offset).to_le_bytes());
        }
        let fields =
            if matches!(mode(storage), 1 | 4 | 5 | 10 | 11) { storage.get(MRQC) } else { 0 };
        let on = TYPES.iter().filter(|(_, field, _)| fields & field != 0);
        Self { rss: pando_engine::Rss::new(on.map(|(kind, ..)| *kind).collect(), &key), table }
    }

    /// Whether nothing is hashed.
    pub(super) fn is_off(&self) -> bool {
        self.rss.is_off()
    }

    /// The table's entry for `hash`.
    pub(super) fn entry(&self, hash: u32) -> u32 {
        u32::from(self.table[(hash & 0x7f) as usize])
    }

    /// The hash and what it was taken over, if this packet is hashed.
    #[inline]
    pub(crate) fn hash(&self, packet: &Packet, head: &[u8]) -> Option<(u32, u32)> {
        let (hash, kind) = self.rss.hash(packet, head)?;
        let (.., number) = TYPES.iter().find(|(known, ..)| *known == kind)?;
        Some((hash, *number))
    }
}

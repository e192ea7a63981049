//! Hashes of received frames: the commands that say what is hashed, which queue a hash goes to, and what a frame's header reports
//! (virtio 1.3, 5.1.6.4.3, 5.1.6.5.6, 5.1.6.5.7). Leaves out hash types for IPv6 extension headers and for what is inside tunnels.

use std::sync::Arc;

use pando_engine::packet::Packet;
use pando_engine::{Frame, HashTypes, RSS_KEY, Rss, Steer};

/// Entries of an indirection table at most.
pub(crate) const MAX_TABLE: usize = 128;

/// What can be hashed.
pub(crate) const TYPES: HashTypes = HashTypes::all();

/// How a function's received frames are hashed, and spread by that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hashing {
    /// The hash; `None`: nothing is hashed.
    pub(crate) rss: Option<Arc<Rss>>,
    /// Where hashes go; `None`: the engine spreads flows over the pairs in use.
    pub(crate) spread: Option<Spread>,
}

/// Receive queues by hash.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    /// By the hash's low bits; as many entries as a power of two.
    table: Arc<[u16]>,
    /// The queue of what has no hash.
    unclassified: u16,
}

impl Hashing {
    /// What chooses queues in the switch.
    pub(crate) fn steering(self) -> Option<Arc<dyn Steer>> {
        Some(Arc::new(Steering { rss: self.rss?, spread: self.spread? }))
    }
}

struct Steering {
    rss: Arc<Rss>,
    spread: Spread,
}

impl Steer for Steering {
    fn queue(&self, frame: &Frame) -> Option<u16> {
        let Spread { table, unclassified } = &self.spread;
        match self.rss.hash(&Packet::of(frame.head()), frame.head()) {
            Some((hash, _)) => table.get(hash as usize & (table.len() - 1)).copied(),
            None => Some(*unclassified),
        }
    }
}

/// `hash_value`, `hash_report` and padding of a frame's header (5.1.6.4.4).
pub(crate) fn report(rss: Option<&Rss>, frame: &Frame) -> [u8; 8] {
    let hash = rss.and_then(|rss| rss.hash(&Packet::of(frame.head()), frame.head()));
    // Types are numbered from 1 in the order of their bits; 0 is none.
    let (value, kind) = hash.map_or((0, 0), |(value, kind)| (value, kind.bits().ilog2() + 1));
    (u64::from(value) | u64::from(kind) << 32).to_le_bytes()
}

/// `struct virtio_net_rss_config` for a function with `pairs` pairs; `None` if it is malformed or asks for what there isn't.
pub(crate) fn rss_config(data: &[u8], pairs: u16) -> Option<Hashing> {
    let (types, data) = types(data)?;
    let (mask, data) = word(data)?;
    let (unclassified, data) = word(data)?;
    let entries = usize::from(mask) + 1;
    let (table, data) = data.split_at_checked(2 * entries)?;
    let table: Arc<[u16]> = table.as_chunks().0.iter().map(|id| u16::from_le_bytes(*id)).collect();
    let (transmit, data) = word(data)?;
    let known = table.iter().chain([&unclassified]).all(|queue| *queue < pairs);
    let valid = entries.is_power_of_two() && entries <= MAX_TABLE && known;
    if !valid || !(1..=pairs).contains(&transmit) {
        return None;
    }
    let rss = Some(Arc::new(Rss::new(types, &key(data)?)));
    Some(Hashing { rss, spread: Some(Spread { table, unclassified }) })
}

/// `struct virtio_net_hash_config`, likewise: what is hashed says nothing about queues.
pub(crate) fn hash_config(data: &[u8]) -> Option<Hashing> {
    const RESERVED: usize = 8;
    let (types, data) = types(data)?;
    let rss = Rss::new(types, &key(data.get(RESERVED..)?)?);
    Some(Hashing { rss: Some(Arc::new(rss)), spread: None })
}

fn types(data: &[u8]) -> Option<(HashTypes, &[u8])> {
    let (types, data) = data.split_first_chunk()?;
    Some((HashTypes::from_bits(u32::from_le_bytes(*types))?, data))
}

fn word(data: &[u8]) -> Option<(u16, &[u8])> {
    let (word, data) = data.split_first_chunk()?;
    Some((u16::from_le_bytes(*word), data))
}

/// A key's length and the key; a short one goes on with zeros. What follows is padding: Linux sends some since 6.15.
fn key(data: &[u8]) -> Option<[u8; RSS_KEY]> {
    let (len, bytes) = data.split_first()?;
    let bytes = bytes.get(..usize::from(*len))?;
    let mut key = [0; RSS_KEY];
    key.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(key)
}

#[cfg(test)]
mod tests;

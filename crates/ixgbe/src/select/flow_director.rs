//! The flow director's perfect filters (82599 datasheet, 7.1.2.7): commands that fill a table, and the table as packets are looked up in
//! it, by what the masks leave of them.
//!
//! The masks are the card's, not a filter's, so one lookup does. Leaves out signature filters, which only repeat what RSS does, and IPv6.

use std::collections::{BTreeMap, HashMap};

use crate::layout::Pool;
use crate::queue::QueueIndex;
use crate::spec::filter::fdir::*;
use crate::spec::general::{FDIRCMD, FDIRCTRL};
use crate::storage::Storage;
use pando_engine::packet::{Network, Packet, Transport};

/// Filters at most: all that fit into half of the packet buffer.
const FILTERS: usize = 8192 - 2;

/// The table as commands leave it, by hash and software id.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<u32, Entry>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    tuple: Tuple,
    action: Action,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Queue(QueueIndex),
    Drop,
}

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Tuple {
    source: u32,
    destination: u32,
    source_port: u16,
    destination_port: u16,
    vlan: u16,
    flex: u16,
    pool: u8,
    protocol: u8,
}

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The filter asked for is there.
    pub(crate) found: bool,
    /// The table is another.
    pub(crate) changed: bool,
}

impl Table {
    /// FDIRCMD was written: does what it says, with the inputs in the registers before it.
    pub(crate) fn command(&mut self, storage: &Storage, command: u32) -> Answer {
        let before = self.0.len();
        if command & CLEAR_TABLE != 0 {
            self.0.clear();
        }
        let key = storage.get(FDIRHASH) & KEY_MASK;
        let found = self.0.contains_key(&key);
        let perfect = storage.get(FDIRCTRL) & PERFECT != 0;
        let mut changed = self.0.len() != before;
        match command & 3 {
            ADD if perfect && (found || self.0.len() < FILTERS) => {
                self.0.insert(key, Entry::read(storage, command));
                changed = true;
            }
            REMOVE => changed |= self.0.remove(&key).is_some(),
            _ => {}
        }
        Answer { found, changed }
    }

    /// FDIRCTRL was written: the table is empty.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Entry {
    fn read(storage: &Storage, command: u32) -> Self {
        let (ports, vlan) = (storage.get(FDIRPORT), storage.get(FDIRVLAN));
        let queue = QueueIndex::new(command >> 16 & 0x7f);
        let action = match queue {
            Some(queue) if command & DROP == 0 => Action::Queue(queue),
            _ => Action::Drop,
        };
        let tuple = Tuple {
            source: storage.get(FDIRIPSA),
            destination: storage.get(FDIRIPDA),
            source_port: ports as u16,
            destination_port: (ports >> 16) as u16,
            vlan: vlan as u16,
            flex: ((vlan >> 16) as u16).swap_bytes(),
            pool: (command >> 24 & 0x3f) as u8,
            protocol: (command >> 5 & 3) as u8,
        };
        Self { tuple, action }
    }
}

/// The table as packets see it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Director {
    filters: HashMap<Tuple, Action>,
    masks: Masks,
    /// Where the two flexible bytes are.
    flex_at: usize,
}

/// A one is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Masks {
    source: u32,
    destination: u32,
    /// Source and destination port of TCP, UDP and SCTP.
    ports: [(u16, u16); 3],
    vlan: u16,
    flex: u16,
    pool: u8,
    protocol: u8,
}

impl Masks {
    fn read(storage: &Storage) -> Self {
        let ignored = storage.get(FDIRM);
        let compared = |bit: u32, mask: u16| if ignored & bit == 0 { mask } else { 0 };
        // The bits of port masks are in the opposite order.
        let ports = |register: u32| {
            let mask = !storage.get(register);
            ((mask as u16).reverse_bits(), ((mask >> 16) as u16).reverse_bits())
        };
        Self {
            source: !storage.get(FDIRSIP4M),
            destination: !storage.get(FDIRDIP4M),
            ports: [ports(FDIRTCPM), ports(FDIRUDPM), ports(FDIRSCTPM)],
            vlan: compared(1, 0x0fff) | compared(2, 0xe000),
            flex: compared(1 << 4, 0xffff),
            pool: compared(1 << 2, 0x3f) as u8,
            protocol: compared(1 << 3, 3) as u8,
        }
    }

    fn apply(&self, tuple: Tuple) -> Tuple {
        let ports = match tuple.protocol {
            UDP => self.ports[1],
            TCP => self.ports[0],
            SCTP => self.ports[2],
            _ => (0, 0),
        };
        Tuple {
            source: tuple.source & self.source,
            destination: tuple.destination & self.destination,
            source_port: tuple.source_port & ports.0,
            destination_port: tuple.destination_port & ports.1,
            vlan: tuple.vlan & self.vlan,
            flex: tuple.flex & self.flex,
            pool: tuple.pool & self.pool,
            protocol: tuple.protocol & self.protocol,
        }
    }
}

impl Director {
    /// The filters of `table`, by the masks in the registers.
    pub(crate) fn new(table: &Table, storage: &Storage) -> Self {
        let control = storage.get(FDIRCTRL);
        let masks = Masks::read(storage);
        let filters = table.0.values().map(|entry| (masks.apply(entry.tuple), entry.action));
        let filters = if control & PERFECT != 0 { filters.collect() } else { HashMap::new() };
        Self { filters, masks, flex_at: (control >> 16 & 0x1f) as usize * 2 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// What becomes of `packet` in `pool`; `None`: no filter matches.
    pub(crate) fn action(
        &self,
        packet: &Packet,
        head: &[u8],
        pool: Option<Pool>,
    ) -> Option<Action> {
        if self.is_empty() {
            return None;
        }
        let Network::V4 { .. } = packet.network? else { return None };
        let (source, destination) = packet.addresses(head)?;
        let address = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        let (source_port, destination_port) = packet.ports(head).unwrap_or_default();
        let flex = head.get(self.flex_at..self.flex_at + 2);
        let tuple = Tuple {
            source: address(source)?,
            destination: address(destination)?,
            source_port,
            destination_port,
            vlan: packet.tag.unwrap_or(0),
            flex: flex.map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]])),
            pool: pool.map_or(0, |pool| pool.0),
            protocol: match packet.transport {
                Some(Transport::Udp) => UDP,
                Some(Transport::Tcp) => TCP,
                Some(Transport::Sctp) => SCTP,
                None => 0,
            },
        };
        self.filters.get(&self.masks.apply(tuple)).copied()
    }
}

/// Whether a write of `offset` can change what packets see.
pub(crate) fn is_mask(offset: u32) -> bool {
    [FDIRM, FDIRSIP4M, FDIRDIP4M, FDIRTCPM, FDIRUDPM, FDIRSCTPM].contains(&offset)
}

/// Whether `offset` is one of the flow director's registers without an effect of its own.
pub(crate) fn is_input(offset: u32) -> bool {
    (FDIRCTRL..FDIR_END).contains(&offset)
        && ![FDIRCTRL, FDIRCMD].contains(&offset)
        && !is_mask(offset)
}

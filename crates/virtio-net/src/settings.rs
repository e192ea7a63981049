//! What a driver has set about one function: addresses, receive modes, VLANs, pairs; and the `virtio_net_config` it reads
//! (virtio 1.3, 5.1.4 and 5.1.6.5). Host policy (address lock, port VLAN, trust) will be asked here before a command takes effect.
//!
//! Link state: the PF's is the cable's, if the host says so ([`VirtioNic::set_link`](crate::VirtioNic::set_link)). VFs are always up:
//! they reach each other through the card's switch, whatever becomes of the cable.

use pando_engine::{Accepts, Filter, MacAddress, RSS_KEY, VlanSet};

use crate::coalescing::Coalescing;
use crate::config::FunctionConfig;
use crate::hashing::{Hashing, MAX_TABLE, TYPES};
use crate::spec::{Features, config as reg};

/// Addresses of a list that are told apart; with more of them every address of the kind passes.
pub(crate) const MAX_ADDRESSES: usize = 128;

/// A function's settings. Reset brings back the defaults.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The function's own address.
    pub(crate) mac: MacAddress,
    /// Every frame passes.
    pub(crate) promiscuous: bool,
    /// Every group address passes: also what a driver gets that never says anything.
    pub(crate) all_multicast: bool,
    /// Further unicast addresses.
    pub(crate) unicast: Addresses,
    /// Group addresses.
    pub(crate) multicast: Addresses,
    /// Tagged frames that pass; `None`: all.
    pub(crate) vlans: Option<VlanSet>,
    /// Queue pairs in use.
    pub(crate) pairs: u16,
    /// How frames are hashed, and spread by that.
    pub(crate) hashing: Hashing,
    /// How long interrupts are held back.
    pub(crate) coalescing: Coalescing,
    /// GUEST_* offloads switched on.
    pub(crate) offloads: Features,
    /// The driver is asked to announce itself.
    pub(crate) announce: bool,
    /// Frames pass at all. The host's to say, so a reset doesn't change it.
    pub(crate) link_up: bool,
}

/// An address list of MAC_TABLE_SET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Addresses {
    /// These.
    These(Vec<MacAddress>),
    /// Too many to tell apart: all of the kind.
    All,
}

/// The offloads that the control queue can switch.
pub(crate) const GUEST_OFFLOADS: Features = Features::GUEST_CSUM
    .union(Features::GUEST_TSO4)
    .union(Features::GUEST_TSO6)
    .union(Features::GUEST_ECN)
    .union(Features::GUEST_USO4)
    .union(Features::GUEST_USO6);

impl Settings {
    /// What holds after negotiation, before any command.
    pub(crate) fn new(config: &FunctionConfig, features: Features) -> Self {
        Self {
            mac: config.mac,
            promiscuous: false,
            all_multicast: true,
            unicast: Addresses::These(Vec::new()),
            multicast: Addresses::These(Vec::new()),
            vlans: features.contains(Features::CTRL_VLAN).then(Default::default),
            pairs: 1,
            hashing: Hashing::default(),
            coalescing: Coalescing::new(config.queue_pairs),
            offloads: features & GUEST_OFFLOADS,
            announce: false,
            link_up: true,
        }
    }

    /// What the switch is to let through to the function. In promiscuous mode that is all of it: groups and tags too, as a bridge
    /// on the function needs (5.1.6.5.1: all incoming packets).
    pub(crate) fn filter(&self) -> Filter {
        Filter {
            link_up: self.link_up,
            unicast: [&[self.mac], self.unicast.list()].concat(),
            multicast: self.multicast.list().to_vec(),
            broadcast: true,
            all_multicast: self.promiscuous
                || self.all_multicast
                || self.multicast == Addresses::All,
            promiscuous: self.promiscuous || self.unicast == Addresses::All,
            vlans: if self.promiscuous { None } else { self.vlans.clone() },
            ..Filter::default()
        }
    }

    /// Which unfinished frames receive queues take: an offload without the one it rests on has no effect.
    pub(crate) fn accepts(&self) -> Accepts {
        let on = |feature, accepts| {
            if self.offloads.contains(feature) { accepts } else { Accepts::empty() }
        };
        let segmentation = on(Features::GUEST_TSO4, Accepts::TCP4)
            | on(Features::GUEST_TSO6, Accepts::TCP6)
            | on(Features::GUEST_ECN, Accepts::ECN)
            | on(Features::GUEST_USO4, Accepts::UDP4)
            | on(Features::GUEST_USO6, Accepts::UDP6);
        if self.offloads.contains(Features::GUEST_CSUM) {
            Accepts::CHECKSUM | segmentation
        } else {
            Accepts::empty()
        }
    }

    /// Reads the device configuration: any offset, any width.
    pub(crate) fn read(&self, config: &FunctionConfig, offset: usize, data: &mut [u8]) {
        let mut image = [0; reg::LENGTH];
        let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
        let announce = if self.announce { reg::ANNOUNCE } else { 0 };
        put(reg::MAC, &self.mac.0);
        let link = if self.link_up { reg::LINK_UP } else { 0 };
        put(reg::STATUS, &(link | announce).to_le_bytes());
        put(reg::MAX_VIRTQUEUE_PAIRS, &config.queue_pairs.to_le_bytes());
        put(reg::MTU, &config.mtu.to_le_bytes());
        put(reg::SPEED, &config.speed.to_le_bytes());
        put(reg::DUPLEX, &[reg::FULL_DUPLEX]);
        put(reg::RSS_MAX_KEY_SIZE, &[RSS_KEY as u8]);
        put(reg::RSS_MAX_INDIRECTION_TABLE_LENGTH, &(MAX_TABLE as u16).to_le_bytes());
        put(reg::SUPPORTED_HASH_TYPES, &TYPES.bits().to_le_bytes());
        crate::bytes::read(&image, offset, data);
    }
}

impl Addresses {
    /// What a filter can hold of `list`.
    pub(crate) fn bounded(list: Vec<MacAddress>) -> Self {
        if list.len() > MAX_ADDRESSES { Self::All } else { Self::These(list) }
    }

    /// The addresses one by one.
    pub(crate) fn list(&self) -> &[MacAddress] {
        match self {
            Self::These(list) => list,
            Self::All => &[],
        }
    }
}

#[cfg(test)]
mod tests;

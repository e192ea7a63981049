//! The filters of pools (82599 datasheet, 7.1.1, 7.10.3.3): what pools, given as a mask, receive, and what is theirs.

use std::sync::Arc;

use pando_engine::{Filter, HashFilter, MacAddress, Vlan, VlanSet};

use crate::identity::Model;
use crate::layout::Pool;
use crate::spec::filter::*;
use crate::storage::Storage;

/// A receive address and its pools.
struct Address {
    mac: MacAddress,
    pools: u64,
}

/// The registers, as far as each pool's filter is made of them.
pub(super) struct Pools<'s> {
    storage: &'s Storage,
    addresses: Vec<Address>,
    /// Valid VLANs with their pools.
    vlans: Vec<(Vlan, u64)>,
    /// The card's VLANs; `None`: all.
    table: Option<VlanSet>,
    multicast_hash: Option<Arc<HashFilter>>,
    unicast_hash: Arc<HashFilter>,
}

impl<'s> Pools<'s> {
    pub(super) fn read(storage: &'s Storage) -> Self {
        let pair =
            |offset: u32| u64::from(storage.get(offset + 4)) << 32 | u64::from(storage.get(offset));
        let control = storage.get(MCSTCTRL);
        // 12 of 16 bits: those from bit 4, 3, 2 or 0 on.
        let shift = [4, 3, 2, 0][(control & 3) as usize];
        let hash = |table: u32| {
            let bits = std::array::from_fn(|index| storage.get(table + 4 * index as u32));
            Arc::new(HashFilter::new(bits, shift))
        };
        let addresses = (0..ADDRESSES).filter_map(|index| {
            let address = pair(RAL + 8 * index);
            let [a, b, c, d, e, f, ..] = address.to_le_bytes();
            let valid = (address >> 32) as u32 & RAH_VALID != 0;
            valid.then(|| Address {
                mac: MacAddress([a, b, c, d, e, f]),
                pools: pair(MPSAR + 8 * index),
            })
        });
        let vlans = (0..64).filter_map(|index| {
            let vlvf = storage.get(VLVF + 4 * index);
            let valid = vlvf & VLVF_VALID != 0;
            valid.then(|| (Vlan(vlvf as u16 & 0xfff), pair(VLVFB + 8 * index)))
        });
        Self {
            storage,
            addresses: addresses.collect(),
            vlans: vlans.collect(),
            table: (storage.get(VLNCTRL) & VLNCTRL_VFE != 0).then(|| table(storage)),
            multicast_hash: (control & MCSTCTRL_MFE != 0).then(|| hash(MTA)),
            unicast_hash: hash(UTA),
        }
    }

    /// The pool of frames that belong to none.
    pub(super) fn default_pool(&self) -> Option<Pool> {
        let control = self.storage.get(VT_CTL);
        let pool = Pool((control >> VT_CTL_DEFAULT_SHIFT & 0x3f) as u8);
        (control & VT_CTL_NO_DEFAULT == 0).then_some(pool)
    }

    /// What the card receives without pools.
    pub(super) fn without_pools(&self) -> Filter {
        let control = self.storage.get(FCTRL);
        let (unicast, multicast) = split(self.addresses.iter().map(|address| address.mac));
        let hashes = self.multicast_hash.is_some();
        Filter {
            unicast,
            multicast,
            broadcast: control & FCTRL_BAM != 0,
            all_multicast: control & FCTRL_MPE != 0,
            promiscuous: control & FCTRL_UPE != 0,
            vlans: self.table.clone(),
            multicast_hash: self.multicast_hash.clone(),
            unicast_hash: hashes.then(|| self.unicast_hash.clone()),
            ..Filter::default()
        }
    }

    /// What `pools` receive.
    pub(super) fn filter(&self, pools: u64) -> Filter {
        let enabled =
            u64::from(self.storage.get(VFRE[1])) << 32 | u64::from(self.storage.get(VFRE[0]));
        let pools = pools & enabled;
        let modes = self.modes(pools);
        let default = self.default_pool().is_some_and(|pool| pools & pool.bit() != 0);
        let copies = default || self.storage.get(VT_CTL) & VT_CTL_REPLICATION != 0;
        let on = |mode: u32| modes & mode != 0;
        let control = self.storage.get(FCTRL);
        let own = self.addresses.iter().filter(|address| address.pools & pools != 0);
        let (unicast, multicast) = split(own.map(|address| address.mac));
        Filter {
            unicast,
            multicast: if copies { multicast } else { Vec::new() },
            broadcast: on(VMOLR_BAM) && control & FCTRL_BAM != 0 && copies,
            all_multicast: on(VMOLR_MPE) && copies,
            promiscuous: on(VMOLR_UPE) && self.storage.model() == Model::BaseT,
            vlans: if on(VMOLR_VPE) { self.table.clone() } else { Some(self.passing(pools)) },
            tagged_only: !on(VMOLR_AUPE),
            multicast_hash: self.multicast_hash.clone().filter(|_| on(VMOLR_ROMPE) && copies),
            unicast_hash: on(VMOLR_ROPE).then(|| self.unicast_hash.clone()),
            unmatched: default && control & FCTRL_UPE != 0,
            ..Filter::default()
        }
    }

    /// Addresses of `pools`.
    pub(super) fn addresses(&self, pools: u64) -> Vec<MacAddress> {
        let own = self.addresses.iter().filter(|address| address.pools & pools != 0);
        own.map(|address| address.mac).collect()
    }

    /// Addresses of `pools`, each with the first of them that has it.
    pub(super) fn with_pools(&self, pools: u64) -> impl Iterator<Item = (MacAddress, Pool)> {
        self.addresses.iter().filter_map(move |address| {
            let own = address.pools & pools;
            (own != 0).then(|| (address.mac, Pool(own.trailing_zeros() as u8)))
        })
    }

    /// VLANs of `pools`; 0 among them stands for no tag.
    pub(super) fn vlans(&self, pools: u64) -> VlanSet {
        let mut set = VlanSet::new();
        let own = self.vlans.iter().filter(|(_, members)| members & pools != 0);
        own.for_each(|(vlan, _)| set.insert(*vlan));
        set
    }

    /// VLANs of `pools` that pass the card's table.
    fn passing(&self, pools: u64) -> VlanSet {
        let mut set = self.vlans(pools);
        if let Some(table) = &self.table {
            for (vlan, _) in self.vlans.iter().filter(|(vlan, _)| !table.contains(*vlan)) {
                set.remove(*vlan);
            }
        }
        set
    }

    /// Modes that any of `pools` is in.
    fn modes(&self, pools: u64) -> u32 {
        let pools = (0..64).filter(|pool| pools >> pool & 1 != 0);
        pools.fold(0, |modes, pool| modes | self.storage.get(VMOLR + 4 * pool))
    }
}

/// Unicast addresses and groups.
fn split(addresses: impl Iterator<Item = MacAddress>) -> (Vec<MacAddress>, Vec<MacAddress>) {
    let (multicast, unicast) = addresses.partition(|address| address.is_multicast());
    (unicast, multicast)
}

/// VFTA.
fn table(storage: &Storage) -> VlanSet {
    let mut set = VlanSet::new();
    for (dword, first) in (VFTA..).step_by(4).zip((0..4096).step_by(32)) {
        let bits = storage.get(dword);
        (0..32).filter(|bit| bits >> bit & 1 != 0).for_each(|bit| set.insert(Vlan(first + bit)));
    }
    set
}

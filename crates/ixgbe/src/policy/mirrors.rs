//! Mirror rules (82599 datasheet, 7.10.3.8): 4, each with a pool that watches.

use std::collections::BTreeSet;

use pando_engine::{Mirror, Vlan, VlanSet};

use super::port_of;
use crate::chip::Chip;
use crate::layout::{Layout, POOLS, Pool};
use crate::spec::filter::*;
use crate::work::Work;

/// MRCTL: what is shown.
mod shows {
    pub(super) const POOLS: u32 = 1 << 0;
    pub(super) const UPLINK: u32 = 1 << 1;
    pub(super) const DOWNLINK: u32 = 1 << 2;
    pub(super) const VLANS: u32 = 1 << 3;
}

/// The rules in the registers.
pub(super) fn read(chip: &Chip, work: &Work) -> Vec<Mirror> {
    let layout = chip.layout();
    if layout == Layout::Whole {
        return Vec::new();
    }
    (0..4).filter_map(|rule| mirror(chip, work, rule)).collect()
}

fn mirror(chip: &Chip, work: &Work, rule: u32) -> Option<Mirror> {
    let control = chip.storage.get(MRCTL + 4 * rule);
    let pair = |table: u32| {
        let dword = |half: u32| u64::from(chip.storage.get(table + 4 * (rule + 4 * half)));
        dword(1) << 32 | dword(0)
    };
    let port = |pool: Pool| port_of(work, chip.owner(pool));
    let to = port(Pool((control >> 8 & 0x3f) as u8))?;
    if control & 0xf == 0 {
        return None;
    }
    let pools = (0..POOLS as u8).map(Pool).filter(|pool| pair(VMRVM) & pool.bit() != 0);
    let received_by: BTreeSet<u16> = pools.filter_map(port).collect();
    let shows = |what: u32| control & what != 0;
    Some(Mirror {
        group: chip.policies.group(),
        to,
        received_by: if shows(shows::POOLS) { received_by.into_iter().collect() } else { vec![] },
        from_outside: shows(shows::UPLINK),
        to_uplink: shows(shows::DOWNLINK),
        vlans: shows(shows::VLANS).then(|| vlans(chip, pair(VMRVLAN))),
    })
}

/// The VLANs of the entries of VLVF whose bits are set.
fn vlans(chip: &Chip, entries: u64) -> VlanSet {
    let mut vlans = VlanSet::new();
    for entry in (0..64).filter(|entry| entries >> entry & 1 != 0) {
        let vlvf = chip.storage.get(VLVF + 4 * entry);
        if vlvf & VLVF_VALID != 0 {
            vlans.insert(Vlan(vlvf as u16 & 0xfff));
        }
    }
    vlans
}

//! What the registers come to, for each function: comparable, so that a write that changes nothing publishes nothing.

use pando_engine::{Filter, MacAddress, Policy, Tagging, VlanSet};
use pando_pci::FunctionId;

use super::pools::Pools;
use super::{mirrors, port_of};
use crate::chip::Chip;
use crate::layout::{Layout, POOLS, Pool};
use crate::select::{Of, Selection};
use crate::spec::filter::*;
use crate::spec::general::*;
use crate::work::Work;

/// All of it but what chooses queues.
#[derive(PartialEq)]
pub(super) struct Plan {
    pub(super) ports: Vec<PortPlan>,
    mirrors: String,
}

/// One function's.
#[derive(PartialEq)]
pub(super) struct PortPlan {
    /// Its port.
    pub(super) number: u16,
    pub(super) filter: Filter,
    pub(super) rules: Rules,
    pub(super) of: Of,
    /// Its first pool.
    pub(super) pool: Option<Pool>,
}

/// What is imposed on what it sends.
#[derive(Default, PartialEq)]
pub(super) struct Rules {
    source_addresses: Option<Vec<MacAddress>>,
    source_vlans: Option<VlanSet>,
    refused_types: Vec<u16>,
    tagging: Tagging,
    isolated: bool,
    loopback: bool,
}

impl Rules {
    pub(super) fn policy(&self, group: u32) -> Policy {
        Policy {
            source_addresses: self.source_addresses.clone(),
            source_vlans: self.source_vlans.clone(),
            refused_types: self.refused_types.clone(),
            tagging: self.tagging,
            isolated: self.isolated,
            loopback: self.loopback,
            group,
            ..Policy::default()
        }
    }
}

impl Plan {
    pub(super) fn new(chip: &Chip, work: &Work, selection: &Selection) -> Self {
        let pools = Pools::read(&chip.storage);
        let vfs = (0..chip.vfs().len() as u16).map(FunctionId::Vf);
        let functions = std::iter::once(FunctionId::Pf).chain(vfs);
        let port = |function| {
            let number = port_of(work, function)?;
            Some(Planner { chip, pools: &pools, selection }.port(number, function))
        };
        Self {
            ports: functions.filter_map(port).collect(),
            mirrors: format!("{:?}", mirrors::read(chip, work)),
        }
    }
}

struct Planner<'p> {
    chip: &'p Chip,
    pools: &'p Pools<'p>,
    selection: &'p Selection,
}

impl Planner<'_> {
    fn port(&self, number: u16, function: FunctionId) -> PortPlan {
        let layout = self.chip.layout();
        let own = match layout {
            Layout::Whole => 0,
            _ => self.chip.pools_of(function),
        };
        let pool = (own != 0).then(|| Pool(own.trailing_zeros() as u8));
        let mut filter = match function {
            FunctionId::Pf if layout == Layout::Whole => self.pools.without_pools(),
            _ => self.pools.filter(own),
        };
        if self.chip.storage.get(RXCTRL) & RXCTRL_ENABLE == 0 {
            filter = Filter::default();
        }
        filter.link_up = self.chip.link.is_up();
        PortPlan {
            number,
            filter,
            rules: self.rules(function, own),
            of: self.of(function, own),
            pool,
        }
    }

    fn rules(&self, function: FunctionId, own: u64) -> Rules {
        let storage = &self.chip.storage;
        let loopback = storage.get(HLREG0) & HLREG0_LOOPBACK != 0;
        let isolated = storage.get(PFDTXGSWC) & 1 == 0;
        if own == 0 {
            return Rules { isolated: true, loopback, ..Rules::default() };
        }
        let pool = self.first(own);
        let spoof = storage.get(PFVFSPOOF + 4 * (u32::from(pool.0) / 8)) >> (pool.0 % 8);
        let vmvir = storage.get(VMVIR + 4 * u32::from(pool.0));
        let is_vf = function != FunctionId::Pf;
        Rules {
            source_addresses: (spoof & 1 != 0).then(|| self.pools.addresses(own)),
            source_vlans: (spoof >> 8 & 1 != 0).then(|| self.pools.vlans(own)),
            refused_types: if is_vf { self.selection.ether_types.refused() } else { Vec::new() },
            tagging: match vmvir >> 30 {
                1 => Tagging::Always(vmvir as u16),
                2 => Tagging::Never,
                _ => Tagging::AsSent,
            },
            isolated,
            loopback: loopback && !is_vf,
        }
    }

    fn of(&self, function: FunctionId, own: u64) -> Of {
        match function {
            FunctionId::Vf(vf) => Of::Vf(Pool(vf.min(POOLS as u16 - 1) as u8)),
            FunctionId::Pf if own == 0 => Of::Pf { addresses: Vec::new(), other: None },
            FunctionId::Pf => {
                let addresses = self.pools.with_pools(own).collect();
                Of::Pf { addresses, other: Some(self.first(own)) }
            }
        }
    }

    /// The pool of `own` that stands for all: the default pool, or the first.
    fn first(&self, own: u64) -> Pool {
        let default = self.pools.default_pool().filter(|pool| own & pool.bit() != 0);
        default.unwrap_or(Pool(own.trailing_zeros().min(63) as u8))
    }
}

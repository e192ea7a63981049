//! What a port's registers mean for forwarding (PCI Express base 6.0, 7.5.1.3, 7.5.3, 7.7.11), as one value.

use pando_tlp::Gpa;

use super::Places;
use crate::Effects;
use crate::config_space::ConfigSpace;
use crate::spec::acs::AcsServices;
use crate::spec::header::*;
use crate::spec::{acs, pcie, pm};

/// An address window of a port, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First address forwarded.
    pub first: Gpa,
    /// Last address forwarded; not below `first`.
    pub last: Gpa,
}

impl Window {
    /// Whether `address` is forwarded.
    pub fn contains(&self, address: Gpa) -> bool {
        (self.first..=self.last).contains(&address)
    }
}

/// What a port forwards, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Routing {
    /// Primary Bus Number.
    pub primary: u8,
    /// Secondary Bus Number.
    pub secondary: u8,
    /// Subordinate Bus Number.
    pub subordinate: u8,
    /// The memory window, while requests from above are forwarded.
    pub memory: Option<Window>,
    /// The prefetchable memory window, while requests from above are forwarded.
    pub prefetch: Option<Window>,
    /// Whether memory requests from below are forwarded.
    pub bus_master: bool,
    /// Whether memory requests from above are forwarded.
    pub memory_space: bool,
    /// In D0. In D3hot only the port's own configuration space answers.
    pub powered: bool,
    /// ARI Forwarding Enable.
    pub ari_forwarding: bool,
    /// ACS services that are switched on.
    pub acs: AcsServices,
    /// Egress Control Vector; bit n of the whole is port n.
    pub egress: [u32; 8],
    /// Secondary Bus Reset is held.
    pub secondary_bus_reset: bool,
    /// Link Disable is set.
    pub link_disabled: bool,
    /// The link below is up, neither disabled nor in reset. Of an upstream port: its internal bus is not in reset.
    pub link_active: bool,
}

impl Routing {
    /// Whether the Egress Control Vector blocks `port` as egress.
    pub fn egress_blocked(&self, port: u8) -> bool {
        self.egress[usize::from(port / 32)] >> (port % 32) & 1 != 0
    }

    pub(super) fn of(
        space: &ConfigSpace,
        places: &Places,
        downstream: bool,
        link_up: bool,
    ) -> Self {
        let command = space.read(COMMAND);
        let powered = space.read(places.pm + pm::CONTROL) & pm::POWER_STATE == 0;
        let memory_space = command & COMMAND_MEMORY != 0 && powered;
        let [primary, secondary, subordinate, _] = space.read(BUS_NUMBERS).to_le_bytes();
        let secondary_bus_reset = space.read(INTERRUPT) & BRIDGE_SECONDARY_RESET != 0;
        let link_disabled = space.read(places.pcie + pcie::LINK_CONTROL) & pcie::LINK_DISABLE != 0;
        let control2 = space.read(places.pcie + pcie::DEVICE_CONTROL_2);
        let (acs, egress) = access_control(space, places);
        Self {
            primary,
            secondary,
            subordinate,
            memory: memory(space).filter(|_| memory_space),
            prefetch: prefetch(space).filter(|_| memory_space),
            bus_master: command & COMMAND_BUS_MASTER != 0 && powered,
            memory_space,
            powered,
            ari_forwarding: control2 & pcie::ARI_FORWARDING != 0,
            acs,
            egress,
            secondary_bus_reset,
            link_disabled,
            link_active: (link_up || !downstream) && !link_disabled && !secondary_bus_reset,
        }
    }

    /// What changing from `self` to `new` asks of the tree.
    pub(super) fn effects(&self, new: &Self) -> Effects {
        let decodes = |of: &Self| (of.memory, of.prefetch, of.memory_space);
        let buses = |of: &Self| (of.primary, of.secondary, of.subordinate);
        let routes = |of: &Self| {
            (of.bus_master, of.powered, of.ari_forwarding, of.acs, of.egress, of.link_active)
        };
        let resets = |of: &Self| of.secondary_bus_reset || of.link_disabled;
        let mut effects = Effects::empty();
        effects.set(Effects::DECODE, decodes(self) != decodes(new));
        effects.set(Effects::BUS_NUMBERS, buses(self) != buses(new));
        effects.set(Effects::ROUTING, routes(self) != routes(new));
        effects.set(Effects::SECONDARY_BUS_RESET, resets(new) && !resets(self));
        effects
    }
}

fn window(first: u64, last: u64) -> Option<Window> {
    (first <= last).then_some(Window { first: Gpa(first), last: Gpa(last) })
}

/// Bits 15:4 of base and limit are address bits 31:20 (7.5.1.3.8).
fn ends(register: u32) -> (u64, u64) {
    let base = u64::from(register & 0xfff0) << 16;
    let last = u64::from(register & 0xfff0_0000) | 0xf_ffff;
    (base, last)
}

fn memory(space: &ConfigSpace) -> Option<Window> {
    let (first, last) = ends(space.read(MEMORY_WINDOW));
    window(first, last)
}

fn prefetch(space: &ConfigSpace) -> Option<Window> {
    let (first, last) = ends(space.read(PREFETCH_WINDOW));
    let upper = |register| u64::from(space.read(register)) << 32;
    window(first | upper(PREFETCH_BASE_UPPER), last | upper(PREFETCH_LIMIT_UPPER))
}

fn access_control(space: &ConfigSpace, places: &Places) -> (AcsServices, [u32; 8]) {
    let mut egress = [0; 8];
    let Some(offered) = places.acs else { return (AcsServices::empty(), egress) };
    let control = space.read(places.acs_offset + acs::CONTROL) >> 16;
    if offered.services.contains(AcsServices::EGRESS_CONTROL) {
        let dwords = usize::from(offered.egress_ports).div_ceil(32);
        for (register, dword) in
            (places.acs_offset + acs::EGRESS_VECTOR..).step_by(4).zip(&mut egress[..dwords])
        {
            *dword = space.read(register);
        }
    }
    (AcsServices::from_bits_truncate(control as u16), egress)
}

//! What a platform is made of once its file is understood: the machine, the tree of ports and switches, the cards in it.

use serde::Serialize;

use super::acs::AcsServices;
use super::exerciser::Exerciser;
use super::nic::Nic;
use super::value::{Cpus, DeviceFunction, Id, MemorySize, PollTime};

/// CPUs and memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Its CPUs.
    pub cpus: Cpus,
    /// Its memory.
    pub memory: MemorySize,
    /// Threads that move frames; `None` leaves it to the host's size.
    pub workers: Option<u8>,
    /// How long they poll for nothing before they sleep; `None` leaves it to the host.
    pub poll: Option<PollTime>,
}

/// The IOMMU in front of guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IommuModel {
    /// Requests reach guest memory untranslated.
    None,
    /// Intel VT-d with interrupt remapping.
    Vtd,
}

impl IommuModel {
    /// What a platform has when its file doesn't say.
    pub const DEFAULT: Self = Self::Vtd;

    pub(super) const NAMES: [(&str, Self); 2] = [("none", Self::None), ("vtd", Self::Vtd)];

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::None => "no IOMMU",
            Self::Vtd => "IOMMU VT-d",
        }
    }
}

/// The root complex and everything below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RootComplex {
    /// Whether requests cross from one root port to another.
    pub peer_to_peer: bool,
    /// Whether there is a Root Complex Event Collector, at a device number that nothing else has.
    pub event_collector: bool,
    /// The root ports, by device and function number on bus 0.
    pub ports: Vec<Port>,
    /// The endpoints on bus 0, by device and function number.
    pub endpoints: Vec<Below>,
}

/// A root port or a downstream port of a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Its name.
    pub id: Id,
    /// Where it is on its bus: bus 0, or the one inside the switch.
    pub position: DeviceFunction,
    /// Its ACS capability; `None` means that it has no such capability.
    pub acs: Option<AcsServices>,
    /// The functions of the device at its link, by function number; empty when nothing is plugged in.
    pub below: Vec<Below>,
}

/// A function of the device at a port's link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Below {
    /// A switch's upstream port.
    Switch(Switch),
    /// A network card's physical function.
    Nic(Nic),
    /// An exerciser's physical function.
    Exerciser(Exerciser),
    /// A bridge to conventional PCI.
    #[serde(rename = "pci-bridge")]
    PciBridge(PciBridge),
}

/// A bridge to conventional PCI, alone at its link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PciBridge {
    /// Its name.
    pub id: Id,
    /// Its place at the link: always 0.
    pub position: DeviceFunction,
    /// What is on its bus, by device and function number.
    pub behind: Vec<Exerciser>,
}

/// A switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// Its name, and that of its upstream port.
    pub id: Id,
    /// Where its upstream port is on the bus of the port above; the device number is 0.
    pub position: DeviceFunction,
    /// Its upstream port's ACS capability, which only a function of a multi-function device has.
    pub acs: Option<AcsServices>,
    /// Its downstream ports, by device and function number; one or more.
    pub downstream: Vec<Port>,
}

impl Below {
    fn nic(&self) -> Option<&Nic> {
        match self {
            Self::Nic(nic) => Some(nic),
            Self::Switch(_) | Self::Exerciser(_) | Self::PciBridge(_) => None,
        }
    }

    fn exercisers(&self) -> &[Exerciser] {
        match self {
            Self::Exerciser(exerciser) => std::slice::from_ref(exerciser),
            Self::PciBridge(bridge) => &bridge.behind,
            Self::Nic(_) | Self::Switch(_) => &[],
        }
    }

    /// The function number at the link.
    pub fn position(&self) -> DeviceFunction {
        match self {
            Self::Switch(switch) => switch.position,
            Self::Nic(nic) => nic.position,
            Self::Exerciser(exerciser) => exerciser.position,
            Self::PciBridge(bridge) => bridge.position,
        }
    }
}

impl Port {
    /// Whether the device at the link has several functions.
    pub fn holds_multi_function(&self) -> bool {
        self.below.len() > 1
    }
}

impl RootComplex {
    /// Every card of the tree, from the lowest numbers on bus 0 downwards.
    pub fn nics(&self) -> Vec<&Nic> {
        self.all_below().filter_map(Below::nic).collect()
    }

    /// Every exerciser of the tree.
    pub fn exercisers(&self) -> Vec<&Exerciser> {
        self.all_below().flat_map(Below::exercisers).collect()
    }

    /// Everything on the root bus and at every link, but ports.
    pub(super) fn all_below(&self) -> impl Iterator<Item = &Below> {
        let at_links = self.all_ports().into_iter().flat_map(|port| &port.below);
        self.endpoints.iter().chain(at_links)
    }

    /// Every root port and downstream port, each before what is below it.
    pub fn all_ports(&self) -> Vec<&Port> {
        let mut found = Vec::new();
        let mut next: Vec<&Port> = self.ports.iter().rev().collect();
        while let Some(port) = next.pop() {
            found.push(port);
            for below in port.below.iter().rev() {
                if let Below::Switch(switch) = below {
                    next.extend(switch.downstream.iter().rev());
                }
            }
        }
        found
    }
}

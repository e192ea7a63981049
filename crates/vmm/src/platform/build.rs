//! From entries that fit together to the tree.

use super::exerciser::{Exerciser, ExerciserEntry};
use super::file::{BridgeEntry, File, PortEntry, SwitchEntry};
use super::link::{Links, Plug};
use super::mac::CardAddresses;
use super::machine::{Below, PciBridge, Port, RootComplex, Switch};
use super::nic::{Capture, Nic, Vf};
use super::nic_entry::NicEntry;
use super::value::DeviceFunction;

/// The parts of a file, each taken once.
struct Parts {
    links: Links,
    switches: Vec<Option<SwitchEntry>>,
    nics: Vec<Option<(NicEntry, CardAddresses)>>,
    exercisers: Vec<Option<ExerciserEntry>>,
    bridges: Vec<Option<BridgeEntry>>,
}

/// The tree and the recordings; `cards` has the addresses of each card. Only for a file without problems.
pub(super) fn build(
    file: File,
    mut links: Links,
    cards: Vec<Option<CardAddresses>>,
) -> (RootComplex, Vec<Capture>) {
    let captures = captures(&file);
    let endpoints = std::mem::take(&mut links.endpoints);
    let numbers = std::mem::take(&mut links.root_ports);
    let nics = file.nics.into_iter().zip(cards);
    let mut parts = Parts {
        links,
        switches: file.switches.into_iter().map(Some).collect(),
        exercisers: file.exercisers.into_iter().map(Some).collect(),
        bridges: file.bridges.into_iter().map(Some).collect(),
        nics: nics.map(|(nic, card)| card.map(|card| (nic, card))).collect(),
    };
    let endpoint = |(plug, number)| match plug {
        Plug::Nic(index) => parts.nic(index, number).map(Below::Nic),
        Plug::Exerciser(index) => parts.exerciser(index, number, false).map(Below::Exerciser),
        Plug::Switch(_) | Plug::Bridge(_) => None,
    };
    let mut endpoints: Vec<Below> = endpoints.into_iter().filter_map(endpoint).collect();
    endpoints.sort_by_key(Below::position);
    let ports = parts.ports(file.root_ports, numbers);
    let (peer_to_peer, event_collector) = (file.peer_to_peer, file.event_collector);
    (RootComplex { peer_to_peer, event_collector, ports, endpoints }, captures)
}

fn captures(file: &File) -> Vec<Capture> {
    let id =
        |name: &String| file.nics.iter().map(|nic| nic.id.get_ref()).find(|id| id.as_str() == name);
    let capture = |entry: &super::nic_entry::CaptureEntry| {
        let nic = id(entry.nic.get_ref())?.clone();
        Some(Capture { nic, port: entry.port, file: entry.file.get_ref().clone() })
    };
    file.captures.iter().filter_map(capture).collect()
}

impl Parts {
    fn ports(&mut self, ports: Vec<PortEntry>, numbers: Vec<DeviceFunction>) -> Vec<Port> {
        let mut built: Vec<Port> =
            ports.into_iter().zip(numbers).map(|(port, number)| self.port(port, number)).collect();
        built.sort_by_key(|port| port.position);
        built
    }

    fn port(&mut self, port: PortEntry, position: DeviceFunction) -> Port {
        let id = port.id.into_inner();
        let plugs = self.links.plugs.remove(&id).unwrap_or_default();
        let mut below: Vec<Below> = plugs.into_iter().filter_map(|plug| self.below(plug)).collect();
        below.sort_by_key(Below::position);
        Port { id, position, acs: port.acs, below }
    }

    fn below(&mut self, plug: Plug) -> Option<Below> {
        match plug {
            Plug::Switch(index) => self.switch(index).map(Below::Switch),
            Plug::Bridge(index) => self.bridge(index).map(Below::PciBridge),
            Plug::Exerciser(index) => {
                let entry = self.exercisers.get(index)?.as_ref()?;
                let function =
                    entry.position.function.as_ref().map_or(0, |function| *function.get_ref());
                let position = DeviceFunction { device: 0, function };
                self.exerciser(index, position, false).map(Below::Exerciser)
            }
            Plug::Nic(index) => {
                let entry = &self.nics.get(index)?.as_ref()?.0;
                let function =
                    entry.position.function.as_ref().map_or(0, |function| *function.get_ref());
                self.nic(index, DeviceFunction { device: 0, function }).map(Below::Nic)
            }
        }
    }

    fn switch(&mut self, index: usize) -> Option<Switch> {
        let switch = self.switches.get_mut(index)?.take()?;
        let numbers = std::mem::take(self.links.downstream.get_mut(index)?);
        let function = switch.position.function.as_ref().map_or(0, |function| *function.get_ref());
        Some(Switch {
            id: switch.id.into_inner(),
            position: DeviceFunction { device: 0, function },
            acs: switch.acs,
            downstream: self.ports(switch.downstream, numbers),
        })
    }

    fn exerciser(
        &mut self,
        index: usize,
        position: DeviceFunction,
        conventional: bool,
    ) -> Option<Exerciser> {
        let entry = self.exercisers.get_mut(index)?.take()?;
        Some(entry.build(position, conventional))
    }

    fn bridge(&mut self, index: usize) -> Option<PciBridge> {
        let bridge = self.bridges.get_mut(index)?.take()?;
        let plugs = std::mem::take(self.links.behind.get_mut(index)?);
        let exerciser = |(plug, number)| match plug {
            Plug::Exerciser(index) => self.exerciser(index, number, true),
            Plug::Switch(_) | Plug::Nic(_) | Plug::Bridge(_) => None,
        };
        let mut behind: Vec<_> = plugs.into_iter().filter_map(exerciser).collect();
        behind.sort_by_key(|exerciser| exerciser.position);
        let position = DeviceFunction { device: 0, function: 0 };
        Some(PciBridge { id: bridge.id.into_inner(), position, behind })
    }

    fn nic(&mut self, index: usize, position: DeviceFunction) -> Option<Nic> {
        let (nic, addresses) = self.nics.get_mut(index)?.take()?;
        Some(Nic {
            id: nic.id.into_inner(),
            position,
            model: nic.model,
            acs: nic.acs,
            mac: addresses.pf,
            vfs: addresses.vfs.into_iter().map(|mac| Vf { mac }).collect(),
            queues: nic.queues,
            vf_queues: nic.vf_queues,
            queue_budget: nic.queue_budget,
            packed_rings: nic.packed_rings,
            mtu: nic.mtu,
            speed: nic.speed,
            uplink: nic.uplink,
        })
    }
}

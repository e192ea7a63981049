//! How many bus numbers and how much memory space a tree takes, for the sizes of ECAM and windows.
//!
//! A link and the inside of a switch are a bus each (PCI Express base 6.0, 7.3). Virtual functions that don't fit their card's bus
//! go on to the next one (9.2.1.2); each card with virtual functions is counted with one such bus, which is the most it can need.

use std::ops::Range;

use serde::Serialize;

use super::file::{File, PortEntry};
use super::link::{Links, Plug};
use super::machine::{Below, RootComplex};
use super::problem::Problems;

/// Buses of a segment.
const SEGMENT: u32 = 256;
/// Buses to spare: an operating system may number with gaps.
const SPARE: u32 = 8;
/// The unit of an ECAM's size, in buses.
const UNIT: u32 = 16;
/// A bridge's memory window has this granularity, in bytes; Linux asks for two of it at a port that can take hot-plugged devices.
const WINDOW: u64 = 1 << 20;

/// What a tree takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Buses that get numbers, bus 0 included, 1 to 256.
    pub buses: u16,
    /// Buses that the ECAM should have, 1 to 256: some to spare.
    pub ecam_buses: u16,
    /// Bytes of 32-bit memory for the windows of ports.
    pub memory_32: u64,
    /// Bytes of 64-bit prefetchable memory for BARs, VF BARs and windows.
    pub memory_64: u64,
}

impl RootComplex {
    /// What the tree takes.
    pub fn needs(&self) -> Needs {
        let ports = self.all_ports();
        let (nics, exercisers) = (self.nics(), self.exercisers());
        let has_bus = |below: &&Below| matches!(below, Below::Switch(_) | Below::PciBridge(_));
        let switches = self.all_below().filter(has_bus).count();
        let spilling = nics.iter().filter(|nic| !nic.vfs.is_empty()).count()
            + exercisers.iter().filter(|exerciser| exerciser.vfs > 0).count();
        let buses = (1 + ports.len() + switches + spilling).min(SEGMENT as usize) as u32;
        let bridges = (ports.len() + switches) as u64;
        let bars = |nic: &&super::nic::Nic| {
            nic.model.pf_bar_bytes(nic.queues)
                + nic.vfs.len() as u64 * nic.model.vf_bar_bytes(nic.vf_queues)
        };
        Needs {
            buses: buses as u16,
            ecam_buses: (buses + SPARE).next_multiple_of(UNIT).min(SEGMENT) as u16,
            memory_32: bridges * 2 * WINDOW
                + exercisers
                    .iter()
                    .map(|exerciser| exerciser.bar_bytes().next_multiple_of(WINDOW))
                    .sum::<u64>(),
            memory_64: nics
                .iter()
                .map(bars)
                .map(|bytes| bytes.next_multiple_of(WINDOW))
                .sum::<u64>()
                + bridges * 2 * WINDOW,
        }
    }
}

/// Reports the first port, switch or card that no bus number is left for.
pub(super) fn check(file: &File, links: &Links, problems: &Problems<'_>) {
    let mut count = Count { file, links, buses: 1, first: None };
    links.endpoints.iter().for_each(|(plug, _)| count.plug(*plug));
    file.root_ports.iter().for_each(|port| count.port(port));
    if let Some((name, span)) = count.first {
        let wrong = format!(
            "the tree needs {} bus numbers, and `{name}` is the first that none is left for",
            count.buses
        );
        let right = "a segment has 256: a port takes one, a switch one more, a card with virtual functions one more; remove some";
        problems.report(span, wrong, right);
    }
}

struct Count<'f> {
    file: &'f File,
    links: &'f Links,
    buses: u32,
    first: Option<(String, Range<usize>)>,
}

impl Count<'_> {
    fn take(&mut self, name: &str, span: Range<usize>) {
        self.buses += 1;
        if self.buses > SEGMENT && self.first.is_none() {
            self.first = Some((name.to_owned(), span));
        }
    }

    fn port(&mut self, port: &PortEntry) {
        self.take(port.id.get_ref().as_str(), port.id.span());
        let links = self.links;
        links.plugs.get(port.id.get_ref()).into_iter().flatten().for_each(|plug| self.plug(*plug));
    }

    fn plug(&mut self, plug: Plug) {
        let file = self.file;
        match plug {
            Plug::Switch(index) => {
                let switch = &file.switches[index];
                self.take(switch.id.get_ref().as_str(), switch.id.span());
                switch.downstream.iter().for_each(|port| self.port(port));
            }
            Plug::Exerciser(index) => {
                let exerciser = &file.exercisers[index];
                if exerciser.has_vfs() {
                    self.take(exerciser.id.get_ref().as_str(), exerciser.id.span());
                }
            }
            Plug::Bridge(index) => {
                let bridge = &file.bridges[index];
                self.take(bridge.id.get_ref().as_str(), bridge.id.span());
            }
            Plug::Nic(index) => {
                let nic = &file.nics[index];
                if nic.vfs > 0 {
                    self.take(nic.id.get_ref().as_str(), nic.id.span());
                }
            }
        }
    }
}

//! A platform file's tables as they stand in it: each value checked by itself, nothing connected yet.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::acs::AcsServices;
use super::exerciser::ExerciserEntry;
use super::keys;
use super::machine::{IommuModel, Machine};
use super::nic_entry::{CaptureEntry, NicEntry};
use super::problem::{Problems, quote};
use super::read::{Reader, SwitchOrList};
use super::value::{Cpus, Id};

/// Entries of one kind at most. A segment has 256 buses, and each port takes one.
const ENTRIES: usize = 256;
/// Recordings at most.
const CAPTURES: usize = 1024;

/// All that a file says.
pub(super) struct File {
    pub(super) machine: Machine,
    pub(super) iommu: IommuModel,
    pub(super) peer_to_peer: bool,
    pub(super) event_collector: bool,
    pub(super) root_ports: Vec<PortEntry>,
    pub(super) switches: Vec<SwitchEntry>,
    pub(super) nics: Vec<NicEntry>,
    pub(super) bridges: Vec<BridgeEntry>,
    pub(super) exercisers: Vec<ExerciserEntry>,
    pub(super) captures: Vec<CaptureEntry>,
}

/// A root port or a downstream port.
pub(super) struct PortEntry {
    pub(super) id: Spanned<Id>,
    pub(super) position: Position,
    pub(super) acs: Option<AcsServices>,
}

/// A switch.
pub(super) struct SwitchEntry {
    pub(super) id: Spanned<Id>,
    pub(super) upstream: Spanned<String>,
    pub(super) position: Position,
    pub(super) acs: Option<AcsServices>,
    /// Where the file says `acs`.
    pub(super) acs_span: Range<usize>,
    pub(super) downstream: Vec<PortEntry>,
}

/// A bridge to conventional PCI.
pub(super) struct BridgeEntry {
    pub(super) id: Spanned<Id>,
    pub(super) at: Spanned<String>,
    pub(super) position: Position,
}

impl BridgeEntry {
    fn read(table: &Reader<'_, '_, '_>) -> Option<Self> {
        ["id", "at"].iter().for_each(|key| table.require(key));
        let id = table.parsed("id")?;
        Some(Self { position: Position::of(&id), at: table.text("at")?, id })
    }
}

/// Device and function number as far as the file gives them.
#[derive(Clone)]
pub(super) struct Position {
    pub(super) device: Option<Spanned<u8>>,
    pub(super) function: Option<Spanned<u8>>,
    /// What has them.
    pub(super) owner: Spanned<String>,
}

impl Position {
    /// Of what has no keys for them.
    fn of(id: &Spanned<Id>) -> Self {
        let owner = Spanned::new(id.span(), id.get_ref().to_string());
        Self { device: None, function: None, owner }
    }

    pub(super) fn read(reader: &Reader<'_, '_, '_>, id: &Spanned<Id>, first_device: u8) -> Self {
        let device =
            reader.section_has("device").then(|| reader.integer("device", first_device..=31));
        let function = reader.integer("function", 0..=7);
        Self { device: device.flatten(), function, ..Self::of(id) }
    }

    /// The most telling place of the file for what is wrong with it.
    pub(super) fn span(&self) -> Range<usize> {
        let function = self.function.as_ref().map(Spanned::span);
        function
            .or_else(|| self.device.as_ref().map(Spanned::span))
            .unwrap_or_else(|| self.owner.span())
    }
}

impl File {
    pub(super) fn read(table: &DeTable<'_>, span: Range<usize>, problems: &Problems<'_>) -> Self {
        let file = Reader::new(table, span, &keys::FILE, problems);
        let iommu = file
            .table("iommu", &keys::IOMMU)
            .and_then(|table| table.choice("model", &IommuModel::NAMES, |_| true));
        let root = file.table("root-complex", &keys::ROOT_COMPLEX);
        let of_root = |key| root.as_ref().and_then(|table| table.boolean(key)).unwrap_or(false);
        let root_ports = file.tables("root-port", &keys::ROOT_PORT, ENTRIES);
        Self {
            machine: file
                .table("machine", &keys::MACHINE)
                .map(|table| machine(&table))
                .unwrap_or_default(),
            iommu: iommu.map_or(IommuModel::DEFAULT, Spanned::into_inner),
            peer_to_peer: of_root("peer-to-peer"),
            event_collector: of_root("event-collector"),
            root_ports: root_ports.iter().filter_map(|table| port(table, 1)).collect(),
            switches: file
                .tables("switch", &keys::SWITCH, ENTRIES)
                .iter()
                .filter_map(switch)
                .collect(),
            nics: file
                .tables("nic", &keys::NIC, ENTRIES)
                .iter()
                .filter_map(NicEntry::read)
                .collect(),
            bridges: file
                .tables("pci-bridge", &keys::PCI_BRIDGE, ENTRIES)
                .iter()
                .filter_map(BridgeEntry::read)
                .collect(),
            exercisers: file
                .tables("exerciser", &keys::EXERCISER, ENTRIES)
                .iter()
                .filter_map(ExerciserEntry::read)
                .collect(),
            captures: file
                .tables("capture", &keys::CAPTURE, CAPTURES)
                .iter()
                .filter_map(CaptureEntry::read)
                .collect(),
        }
    }
}

fn machine(table: &Reader<'_, '_, '_>) -> Machine {
    let cpus =
        table.integer("cpus", 1..=Cpus::MAX).and_then(|cpus| Cpus::new(*cpus.get_ref()).ok());
    Machine {
        cpus: cpus.unwrap_or_default(),
        memory: table.parsed("memory").map(Spanned::into_inner).unwrap_or_default(),
        workers: table.integer("workers", 1..=64).map(Spanned::into_inner),
        poll: table.parsed("poll").map(Spanned::into_inner),
    }
}

fn port(table: &Reader<'_, '_, '_>, first_device: u8) -> Option<PortEntry> {
    table.require("id");
    let acs = acs(table, AcsServices::PORT, true);
    let id = table.parsed("id")?;
    Some(PortEntry { position: Position::read(table, &id, first_device), id, acs })
}

fn switch(table: &Reader<'_, '_, '_>) -> Option<SwitchEntry> {
    ["id", "upstream", "downstream"].iter().for_each(|key| table.require(key));
    let ports = table.tables("downstream", &keys::DOWNSTREAM, ENTRIES);
    let empty = table.has("downstream") && ports.is_empty();
    if empty {
        let right = "give it one or more, as `downstream = [{ id = \"dp0\" }]`";
        table.problems.report(
            table.span_of("downstream"),
            "a switch without downstream ports",
            right,
        );
    }
    let downstream = ports.iter().filter_map(|ports| port(ports, 0)).collect();
    let acs = acs(table, AcsServices::FUNCTION, false);
    let id = table.parsed("id")?;
    Some(SwitchEntry {
        position: Position::read(table, &id, 0),
        upstream: table.text("upstream")?,
        acs,
        acs_span: table.span_of("acs"),
        downstream,
        id,
    })
}

/// The services of `acs`, of which `possible` can be had, all of them by default if `default`.
pub(super) fn acs(
    table: &Reader<'_, '_, '_>,
    possible: AcsServices,
    default: bool,
) -> Option<AcsServices> {
    let names = possible.names().map(|name| format!("`\"{name}\"`")).collect::<Vec<_>>().join(", ");
    let wanted = format!("`true`, `false`, or a list of {names}");
    match table.switch_or_list("acs", &wanted).unwrap_or(SwitchOrList::Switch(default)) {
        SwitchOrList::Switch(on) => on.then_some(possible),
        SwitchOrList::List(words) => {
            let mut services = AcsServices::NONE;
            for word in words {
                match AcsServices::named(word.get_ref()) {
                    Some(service) if possible.contains(service) => {
                        services = services.with(service);
                    }
                    Some(_) => {
                        let wrong = format!(
                            "{} is no service between functions of one device",
                            quote(word.get_ref())
                        );
                        table.problems.report(word.span(), wrong, format!("write {wanted}"));
                    }
                    None => {
                        let wrong = format!("unknown ACS service {}", quote(word.get_ref()));
                        table.problems.report(word.span(), wrong, format!("write {wanted}"));
                    }
                }
            }
            Some(services)
        }
    }
}

//! A platform as text for people: the machine in one line, then its tree.

use std::fmt::{self, Write};

use super::Platform;
use super::acs::AcsServices;
use super::exerciser::Exerciser;
use super::machine::{Below, Port};
use super::nic::{CapturePort, Faults, Nic, SocketKind, Uplink, UplinkKind, Vf};

/// One line of the tree with the lines below it.
struct Line {
    text: String,
    below: Vec<Line>,
}

impl Platform {
    /// The tree, one line per port, switch, card, and run of virtual functions.
    pub fn tree(&self) -> String {
        let needs = self.root_complex.needs();
        let cpus = self.machine.cpus.get();
        let mut text = format!(
            "{cpus} CPU{}, {} memory, {}; {} bus{}\n\n",
            plural(cpus.into()),
            self.machine.memory,
            self.iommu.title(),
            needs.buses,
            if needs.buses == 1 { "" } else { "es" },
        );
        let root = &self.root_complex;
        let across = if root.peer_to_peer { ", peer-to-peer between root ports" } else { "" };
        let mut below: Vec<(_, Line)> =
            root.ports.iter().map(|port| (port.position, self.port(port, "root port"))).collect();
        below.extend(root.endpoints.iter().map(|each| (each.position(), self.below(each))));
        below.sort_by_key(|(position, _)| *position);
        let below = below.into_iter().map(|(_, line)| line).collect();
        let collector = if root.event_collector { ", event collector" } else { "" };
        let line = Line { text: format!("root complex{across}{collector}"), below };
        // Writing to a string cannot fail.
        let _ = line.write(&mut text, "");
        text
    }

    fn port(&self, port: &Port, kind: &str) -> Line {
        let text = format!("{} {} {kind}, {}", port.position, port.id, acs(port.acs));
        let below = port.below.iter().map(|below| self.below(below)).collect();
        Line { text, below }
    }

    fn below(&self, below: &Below) -> Line {
        match below {
            Below::Nic(nic) => self.nic(nic),
            Below::Exerciser(exerciser) => self::exerciser(exerciser),
            Below::PciBridge(bridge) => Line {
                text: format!("{} {} bridge to conventional PCI", bridge.position, bridge.id),
                below: bridge.behind.iter().map(exerciser).collect(),
            },
            Below::Switch(switch) => {
                let services = switch.acs.map(|services| format!(", {}", acs(Some(services))));
                let text = format!(
                    "{} {} switch{}",
                    switch.position,
                    switch.id,
                    services.unwrap_or_default()
                );
                let below = switch.downstream.iter().map(|port| self.port(port, "downstream port"));
                Line { text, below: below.collect() }
            }
        }
    }

    fn nic(&self, nic: &Nic) -> Line {
        let text = format!(
            "{} {} {}, MAC {}, {} queue pair{}, MTU {}, {}, {}",
            nic.position,
            nic.id,
            nic.model.limits().title,
            nic.mac,
            nic.queues,
            plural(nic.queues),
            nic.mtu,
            nic.speed,
            acs(nic.acs),
        );
        let mut below = runs(&nic.vfs, nic.vf_queues);
        below.push(nic.uplink.as_ref().map_or_else(|| "no uplink".to_owned(), uplink));
        for capture in self.captures.iter().filter(|capture| capture.nic == nic.id) {
            let port = match capture.port {
                CapturePort::Pf => "PF".to_owned(),
                CapturePort::Vf(number) => format!("VF {number}"),
                CapturePort::Uplink => "uplink".to_owned(),
            };
            below.push(format!("{port} recorded to {}", capture.file.display()));
        }
        Line {
            text,
            below: below.into_iter().map(|text| Line { text, below: Vec::new() }).collect(),
        }
    }
}

fn exerciser(exerciser: &Exerciser) -> Line {
    let Exerciser { id, position, acs: services, vfs, conventional } = exerciser;
    let vfs = format!("{vfs} VF{}, {}", plural(*vfs), acs(*services));
    let kind = if *conventional { "conventional PCI" } else { &vfs };
    let text = format!("{position} {id} exerciser, {kind}");
    Line { text, below: Vec::new() }
}

fn plural(count: u16) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn acs(services: Option<AcsServices>) -> String {
    let Some(services) = services else { return "no ACS".to_owned() };
    let names: Vec<&str> = services.names().collect();
    if names.is_empty() {
        "ACS without services".to_owned()
    } else {
        format!("ACS {}", names.join(" "))
    }
}

/// Virtual functions with consecutive addresses in one line.
fn runs(vfs: &[Vf], queues: u16) -> Vec<String> {
    let mut lines = Vec::new();
    let mut first = 0;
    while first < vfs.len() {
        let follows = |index: &usize| vfs[*index].mac.follows(vfs[*index - 1].mac);
        let last = (first + 1..vfs.len()).take_while(follows).last().unwrap_or(first);
        let pairs = format!("{queues} queue pair{}", plural(queues));
        lines.push(if first == last {
            format!("VF {first}, MAC {}, {pairs}", vfs[first].mac)
        } else {
            format!(
                "VF {first} to {last}, MAC {} to {}, {pairs} each",
                vfs[first].mac, vfs[last].mac
            )
        });
        first = last + 1;
    }
    lines
}

fn uplink(uplink: &Uplink) -> String {
    let kind = match &uplink.kind {
        UplinkKind::Loopback => "loopback".to_owned(),
        UplinkKind::Tap { name, queues } => {
            format!("tap {name}, {queues} queue{}", plural(*queues))
        }
        UplinkKind::Socket { path, kind, listen } => {
            let kind = match kind {
                SocketKind::Stream => "stream",
                SocketKind::Datagram => "datagram",
            };
            let side = if *listen { "listens at" } else { "connects to" };
            format!("{kind} socket that {side} {}", path.display())
        }
        UplinkKind::Pcap { file } => format!("file {}", file.display()),
        UplinkKind::Segment { name } => format!("segment {name}"),
    };
    format!("uplink: {kind}{}", uplink.faults.as_ref().map(faults).unwrap_or_default())
}

fn faults(faults: &Faults) -> String {
    let shares = [
        ("drops", faults.drop),
        ("duplicates", faults.duplicate),
        ("corrupts", faults.corrupt),
        ("delays", faults.delay),
    ];
    let share = |&(name, share): &(&str, u32)| format!(", {name} {} %", f64::from(share) / 1e4);
    let told: String = shares.iter().filter(|(_, share)| *share > 0).map(share).collect();
    let late = if faults.delay > 0 { format!(" by {}", faults.delay_by) } else { String::new() };
    format!("{told}{late}, seed {}", faults.seed)
}

impl Line {
    fn write(&self, text: &mut String, indent: &str) -> fmt::Result {
        // Paths and interface names come from the file: they must not steer the terminal.
        let shown: String =
            self.text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        writeln!(text, "{shown}")?;
        for (index, line) in self.below.iter().enumerate() {
            let last = index + 1 == self.below.len();
            let (branch, further) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            write!(text, "{indent}{branch}")?;
            line.write(text, &format!("{indent}{further}"))?;
        }
        Ok(())
    }
}

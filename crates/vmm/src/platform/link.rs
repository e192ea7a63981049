//! What belongs where: ids, what is plugged into which port, and that the whole is a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::conventional::{self, Bus};
use super::file::{File, Position};
use super::number;
use super::problem::{Problems, one_of, quote};
use super::suggest::nearest;
use super::value::{DeviceFunction, Id, ROOT_BUS};

/// Ids in the list of a message.
const LISTED: usize = 8;

/// A function at a port's link, by its place in the file's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plug {
    Switch(usize),
    Nic(usize),
    Exerciser(usize),
    Bridge(usize),
}

/// How a file's entries connect.
#[derive(Default)]
pub(super) struct Links {
    /// What is plugged into each port.
    pub(super) plugs: BTreeMap<Id, Vec<Plug>>,
    /// Endpoints on the root bus, with their numbers.
    pub(super) endpoints: Vec<(Plug, DeviceFunction)>,
    /// Exercisers on the bus of each bridge, with their numbers.
    pub(super) behind: Vec<Vec<(Plug, DeviceFunction)>>,
    /// Numbers of the root ports.
    pub(super) root_ports: Vec<DeviceFunction>,
    /// Numbers of each switch's downstream ports.
    pub(super) downstream: Vec<Vec<DeviceFunction>>,
}

/// What an id names.
#[derive(Clone, PartialEq, Eq)]
enum Named {
    Port,
    /// With its place in the list of switches.
    Switch(usize),
    Nic,
    Exerciser,
    /// With its place in the list of bridges.
    Bridge(usize),
}

type Names<'f> = BTreeMap<&'f str, (Named, Range<usize>)>;

/// Connects the entries of `file`. What comes back is whole only if no problem was reported.
pub(super) fn link(file: &File, problems: &Problems<'_>) -> Links {
    let names = names(file, problems);
    let mut links = Links::default();
    for (index, switch) in file.switches.iter().enumerate() {
        if let Some(port) = port(&switch.upstream, "upstream", file, &names, problems) {
            links.plugs.entry(port).or_default().push(Plug::Switch(index));
        }
    }
    let mut endpoints = Vec::new();
    for (index, nic) in file.nics.iter().enumerate() {
        if nic.at.get_ref() == ROOT_BUS {
            endpoints.push(Plug::Nic(index));
        } else if let Some(port) = port(&nic.at, "at", file, &names, problems) {
            links.plugs.entry(port).or_default().push(Plug::Nic(index));
        }
    }
    for (index, bridge) in file.bridges.iter().enumerate() {
        if let Some(port) = port(&bridge.at, "at", file, &names, problems) {
            links.plugs.entry(port).or_default().push(Plug::Bridge(index));
        }
    }
    let mut behind = vec![Vec::new(); file.bridges.len()];
    for (index, exerciser) in file.exercisers.iter().enumerate() {
        let at = exerciser.at.get_ref().as_str();
        if at == ROOT_BUS {
            conventional::check(exerciser, Bus::Root, problems);
            endpoints.push(Plug::Exerciser(index));
            continue;
        }
        if let Some((Named::Bridge(bridge), _)) = names.get(at) {
            conventional::check(exerciser, Bus::Conventional, problems);
            behind[*bridge].push(Plug::Exerciser(index));
            continue;
        }
        conventional::check(exerciser, Bus::Link, problems);
        if let Some(port) = port(&exerciser.at, "at", file, &names, problems) {
            links.plugs.entry(port).or_default().push(Plug::Exerciser(index));
        }
    }
    for (port, plugs) in &links.plugs {
        let positions: Vec<&Position> = plugs.iter().map(|plug| position(file, *plug)).collect();
        number::assign_link(&positions, port.as_str(), problems);
        check_upstream_acs(file, plugs, problems);
        conventional::check_alone(file, plugs, problems);
    }
    number_buses(file, endpoints, behind, &mut links, problems);
    cycles(file, &links, problems);
    links
}

fn position(file: &File, plug: Plug) -> &Position {
    match plug {
        Plug::Switch(index) => &file.switches[index].position,
        Plug::Nic(index) => &file.nics[index].position,
        Plug::Exerciser(index) => &file.exercisers[index].position,
        Plug::Bridge(index) => &file.bridges[index].position,
    }
}

/// Every id, and those that are given twice.
fn names<'f>(file: &'f File, problems: &Problems<'_>) -> Names<'f> {
    let ports = file.root_ports.iter().map(|port| (&port.id, Named::Port));
    let switches = file.switches.iter().enumerate().flat_map(|(index, switch)| {
        let downstream = switch.downstream.iter().map(|port| (&port.id, Named::Port));
        std::iter::once((&switch.id, Named::Switch(index))).chain(downstream)
    });
    let nics = file.nics.iter().map(|nic| (&nic.id, Named::Nic));
    let exercisers = file.exercisers.iter().map(|each| (&each.id, Named::Exerciser));
    let bridges = file.bridges.iter().enumerate();
    let bridges = bridges.map(|(index, bridge)| (&bridge.id, Named::Bridge(index)));
    let mut all: Vec<_> =
        ports.chain(switches).chain(nics).chain(exercisers).chain(bridges).collect();
    all.sort_by_key(|(id, _)| id.span().start);
    let mut names = Names::new();
    for (id, named) in all {
        if let Some((_, first)) = names.get(id.get_ref().as_str()) {
            let wrong = format!(
                "the id {} is taken (line {})",
                quote(id.get_ref().as_str()),
                problems.line(first)
            );
            problems.report(id.span(), wrong, "give each port, switch and card an id of its own");
            continue;
        }
        names.insert(id.get_ref().as_str(), (named, id.span()));
    }
    names
}

/// The port that `key` names.
fn port(
    word: &Spanned<String>,
    key: &str,
    file: &File,
    names: &Names<'_>,
    problems: &Problems<'_>,
) -> Option<Id> {
    let text = word.get_ref();
    let named = names.get(text.as_str()).map(|(named, _)| named.clone());
    let ports =
        || names.iter().filter(|(_, (named, _))| *named == Named::Port).map(|(name, _)| *name);
    let (wrong, right) = match named {
        Some(Named::Port) => return text.parse().ok(),
        Some(Named::Switch(index)) => {
            let own = file.switches[index].downstream.iter().map(|port| port.id.get_ref().as_str());
            let right = format!("name one of its downstream ports: {}", one_of(own.take(LISTED)));
            (format!("`{key}` names the switch {}", quote(text)), right)
        }
        Some(Named::Nic) => {
            let right = format!("name a port: {}", one_of(ports().take(LISTED)));
            (
                format!(
                    "`{key}` names the network card {}, which has no port for devices",
                    quote(text)
                ),
                right,
            )
        }
        Some(Named::Exerciser) => {
            let right = format!("name a port: {}", one_of(ports().take(LISTED)));
            let named = quote(text);
            (format!("`{key}` names the exerciser {named}, which has no port for devices"), right)
        }
        Some(Named::Bridge(_)) => {
            let right = format!("name a port: {}", one_of(ports().take(LISTED)));
            let named = quote(text);
            let wrong =
                format!("`{key}` names the bridge {named}, behind which only exercisers can be");
            (wrong, right)
        }
        None if text == ROOT_BUS => (
            match key {
                "at" => "a bridge to conventional PCI on the root bus".to_owned(),
                _ => "a switch on the root bus".to_owned(),
            },
            format!("name a port: {}", one_of(ports().take(LISTED))),
        ),
        None => {
            let right = match nearest(text, ports().chain((key == "at").then_some(ROOT_BUS))) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if ports().next().is_none() => "add a `[[root-port]]` with this id".to_owned(),
                None => format!("name a port: {}", one_of(ports().take(LISTED))),
            };
            (format!("`{key}` names {}, and no port has this id", quote(text)), right)
        }
    };
    problems.report(word.span(), wrong, right);
    None
}

/// An upstream port has an ACS capability only as a function of a multi-function device (PCI Express base 6.0, 6.12.1.2).
fn check_upstream_acs(file: &File, plugs: &[Plug], problems: &Problems<'_>) {
    let &[Plug::Switch(index)] = plugs else { return };
    let switch = &file.switches[index];
    if switch.acs.is_some() {
        let wrong = format!(
            "`acs` of the switch `{}`, whose upstream port is alone at its link",
            switch.id.get_ref()
        );
        let right = "remove it, or plug a further function into the same port";
        problems.report(switch.acs_span.clone(), wrong, right);
    }
}

fn number_buses(
    file: &File,
    endpoints: Vec<Plug>,
    behind: Vec<Vec<Plug>>,
    links: &mut Links,
    problems: &Problems<'_>,
) {
    let others = endpoints.iter().map(|&plug| position(file, plug));
    let root: Vec<&Position> =
        file.root_ports.iter().map(|port| &port.position).chain(others).collect();
    let mut numbers = number::assign(&root, 1, "on the root bus", problems);
    let others = numbers.split_off(file.root_ports.len());
    links.endpoints = endpoints.into_iter().zip(others).collect();
    links.root_ports = numbers;
    for (bridge, plugs) in file.bridges.iter().zip(behind) {
        let positions: Vec<&Position> = plugs.iter().map(|plug| position(file, *plug)).collect();
        let bus = format!("behind the bridge `{}`", bridge.id.get_ref());
        let numbers = number::assign(&positions, 1, &bus, problems);
        links.behind.push(plugs.into_iter().zip(numbers).collect());
    }
    for switch in &file.switches {
        let ports: Vec<&Position> = switch.downstream.iter().map(|port| &port.position).collect();
        let inside = format!("in the switch `{}`", switch.id.get_ref());
        links.downstream.push(number::assign(&ports, 0, &inside, problems));
    }
}

/// Reports each ring of switches once, at its first switch in the file.
fn cycles(file: &File, links: &Links, problems: &Problems<'_>) {
    let mut owner = BTreeMap::new();
    for (index, switch) in file.switches.iter().enumerate() {
        owner.extend(switch.downstream.iter().map(|port| (port.id.get_ref(), index)));
    }
    let mut above = vec![None; file.switches.len()];
    for (port, plugs) in &links.plugs {
        for plug in plugs {
            if let Plug::Switch(index) = plug {
                above[*index] = owner.get(port).copied();
            }
        }
    }
    let mut done = BTreeSet::new();
    for start in 0..above.len() {
        let mut path = Vec::new();
        let mut next = Some(start);
        while let Some(index) = next.filter(|index| !done.contains(index)) {
            done.insert(index);
            path.push(index);
            next = above[index];
        }
        let ring = next.and_then(|index| path.iter().position(|step| *step == index));
        if let Some(ring) = ring.map(|from| &path[from..]) {
            report_ring(file, ring, problems);
        }
    }
}

fn report_ring(file: &File, ring: &[usize], problems: &Problems<'_>) {
    let Some(first) = ring.iter().min().and_then(|index| file.switches.get(*index)) else { return };
    let from = ring
        .iter()
        .position(|index| file.switches[*index].id.get_ref() == first.id.get_ref())
        .unwrap_or(0);
    let steps = ring.iter().cycle().skip(from).take(ring.len() + 1).take(LISTED);
    let steps: Vec<&str> = steps.map(|index| file.switches[*index].id.get_ref().as_str()).collect();
    let wrong = format!(
        "the switch `{}` hangs below itself: {}",
        first.id.get_ref(),
        steps.join(" below ")
    );
    problems.report(first.upstream.span(), wrong, "name a port that leads to a root port");
}

//! Topologies whose isolation differs: each can be written down, and the tree tells what an operating system will see.

use super::super::*;
use super::parsed;

/// What decides about isolation, in one line per port and function.
fn shape(text: &str) -> Vec<String> {
    let platform = parsed(text);
    let mut lines = Vec::new();
    let acs = |acs: Option<AcsServices>| {
        acs.map_or_else(|| "-".to_owned(), |acs| format!("{:02x}", acs.word()))
    };
    let member = |below: &Below| match below {
        Below::Switch(switch) => (switch.id.to_string(), acs(switch.acs)),
        Below::Exerciser(each) if each.conventional => (each.id.to_string(), "pci".to_owned()),
        Below::Exerciser(each) => (each.id.to_string(), acs(each.acs)),
        Below::Nic(nic) => (nic.id.to_string(), acs(nic.acs)),
        Below::PciBridge(bridge) => {
            let behind = bridge.behind.iter();
            let behind: Vec<_> =
                behind.map(|each| format!("{}={}", each.position, each.id)).collect();
            (bridge.id.to_string(), behind.join(","))
        }
    };
    for port in platform.root_complex.all_ports() {
        let below = port.below.iter().map(|below| {
            let (id, services) = member(below);
            format!(" .{}={id}:{services}", below.position().function)
        });
        let below: String = below.collect();
        lines.push(format!("{} {} {}{below}", port.position, port.id, acs(port.acs)));
    }
    lines.extend(platform.root_complex.endpoints.iter().map(|endpoint| {
        let (id, services) = member(endpoint);
        format!("{} {id} {services}", endpoint.position())
    }));
    lines
}

#[test]
fn every_topology_of_ports_and_cards_can_be_written() {
    let table: [(&str, &str, &[&str]); 11] = [
        (
            "a card in a root port with ACS",
            "[[root-port]]\nid='r'\n[[nic]]\nid='n'\nat='r'",
            &["01.0 r 7f .0=n:6c"],
        ),
        (
            "without ACS",
            "[[root-port]]\nid='r'\nacs=false\n[[nic]]\nid='n'\nat='r'",
            &["01.0 r - .0=n:6c"],
        ),
        (
            "downstream ports without ACS, separate devices",
            "[[root-port]]\nid='r'\n[[switch]]\nid='s'\nupstream='r'\ndownstream=[{id='a',acs=false},{id='b',acs=false}]",
            &["01.0 r 7f .0=s:-", "00.0 a -", "01.0 b -"],
        ),
        (
            "downstream ports as functions of one device",
            "[[root-port]]\nid='r'\n[[switch]]\nid='s'\nupstream='r'\n\
             downstream=[{id='a',device=0,acs=false},{id='b',device=0,function=1,acs=false}]",
            &["01.0 r 7f .0=s:-", "00.0 a -", "00.1 b -"],
        ),
        (
            "an upstream port and a card in one device",
            "[[root-port]]\nid='r'\n[[switch]]\nid='s'\nupstream='r'\ndownstream=[{id='a'}]\n\
             [[nic]]\nid='n'\nat='r'\nfunction=1\nacs=false",
            &["01.0 r 7f .0=s:- .1=n:-", "00.0 a 7f"],
        ),
        (
            "the same with ACS in both",
            "[[root-port]]\nid='r'\n[[switch]]\nid='s'\nupstream='r'\nacs=true\ndownstream=[{id='a'}]\n\
             [[nic]]\nid='n'\nat='r'\nfunction=1",
            &["01.0 r 7f .0=s:6c .1=n:6c", "00.0 a 7f"],
        ),
        (
            "root ports as functions of one device",
            "[[root-port]]\nid='r'\ndevice=1\nacs=false\n[[root-port]]\nid='q'\ndevice=1\nfunction=1\nacs=['sv','rr','cr','uf']",
            &["01.0 r -", "01.1 q 1d"],
        ),
        (
            "cards as functions of one device, without ACS and with an empty capability",
            "[[root-port]]\nid='r'\n[[nic]]\nid='n'\nat='r'\nacs=false\n[[nic]]\nid='m'\nat='r'\nfunction=1\nacs=[]",
            &["01.0 r 7f .0=n:- .1=m:00"],
        ),
        (
            "cards on the root bus, alone and as functions of one device",
            "[[nic]]\nid='n'\nat='root-bus'\n[[nic]]\nid='m'\nat='root-bus'\ndevice=4\n[[nic]]\nid='o'\nat='root-bus'\ndevice=4\nfunction=1",
            &["01.0 n 6c", "04.0 m 6c", "04.1 o 6c"],
        ),
        (
            "conventional functions of one device on the root bus",
            "[[exerciser]]\nid='e'\nat='root-bus'\ndevice=4\nconventional=true\n\
             [[exerciser]]\nid='f'\nat='root-bus'\ndevice=4\nfunction=1\nconventional=true",
            &["04.0 e pci", "04.1 f pci"],
        ),
        (
            "a bridge to conventional PCI",
            "[[root-port]]\nid='r'\n[[pci-bridge]]\nid='b'\nat='r'\n[[exerciser]]\nid='e'\nat='b'\n\
             [[exerciser]]\nid='f'\nat='b'\ndevice=5",
            &["01.0 r 7f .0=b:01.0=e,05.0=f"],
        ),
    ];
    for (name, text, expected) in table {
        assert_eq!(shape(text), expected, "{name}");
    }
}

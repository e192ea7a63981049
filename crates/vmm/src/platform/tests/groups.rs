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
    for port in platform.root_complex.all_ports() {
        let below = port.below.iter().map(|below| match below {
            Below::Switch(switch) => {
                format!(" .{}={}:{}", switch.position.function, switch.id, acs(switch.acs))
            }
            Below::Exerciser(each) => {
                format!(" .{}={}:{}", each.position.function, each.id, acs(each.acs))
            }
            Below::Nic(nic) => format!(" .{}={}:{}", nic.position.function, nic.id, acs(nic.acs)),
        });
        let below: String = below.collect();
        lines.push(format!("{} {} {}{below}", port.position, port.id, acs(port.acs)));
    }
    lines.extend(
        platform
            .root_complex
            .endpoints
            .iter()
            .map(|nic| format!("{} {} {}", nic.position, nic.id, acs(nic.acs))),
    );
    lines
}

#[test]
fn every_topology_of_ports_and_cards_can_be_written() {
    let table: [(&str, &str, &[&str]); 9] = [
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
    ];
    for (name, text, expected) in table {
        assert_eq!(shape(text), expected, "{name}");
    }
}

//! Platforms that are right: defaults, examples, the tree, the reference. `errors` has those that are wrong, `hostile` those made to harm.

use std::path::Path;

use super::*;

mod errors;
mod groups;
mod hostile;

fn parsed(text: &str) -> Platform {
    Platform::parse("test.toml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_platform_without_a_file_has_a_switch_and_a_card() {
    let platform = Platform::parse("default", DEFAULT).expect("the built-in text is a platform");
    assert_eq!(platform, Platform::default());
    let [port] = platform.root_complex.ports.as_slice() else { panic!("one root port") };
    let [Below::Switch(switch)] = port.below.as_slice() else { panic!("a switch below it") };
    assert_eq!(switch.downstream.len(), 2);
    let nics = platform.root_complex.nics();
    assert_eq!(nics.len(), 1);
    assert_eq!(nics[0].vfs.len(), 7);
}

#[test]
fn an_empty_file_is_a_machine_without_devices() {
    let platform = parsed("");
    assert_eq!(platform.machine.cpus.get(), 1);
    assert_eq!(platform.machine.memory.bytes(), 512 << 20);
    assert_eq!(platform.iommu, IommuModel::DEFAULT);
    assert_eq!(platform.root_complex, RootComplex::default());
    assert_eq!(platform.root_complex.needs().buses, 1);
}

#[test]
fn every_example_is_a_platform() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            Platform::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
            names.push(path.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    names.sort();
    let known = [
        "acs",
        "default",
        "demo",
        "exercisers",
        "joined",
        "minimal",
        "multi-function",
        "nested",
        "two-cards",
    ];
    assert_eq!(names, known);
}

#[test]
fn a_tree_shows_everything() {
    let platform = parsed(include_str!("../../../../examples/two-cards.toml"));
    let expected = "\
4 CPUs, 2 GiB memory, IOMMU VT-d; 8 buses

root complex, peer-to-peer between root ports
├─ 01.0 rp0 root port, ACS sv tb rr cr uf ec dt
│  └─ 00.0 sw0 switch
│     ├─ 00.0 dp0 downstream port, ACS sv tb rr cr uf ec dt
│     │  └─ 00.0 left virtio network card, MAC 02:00:00:00:01:00, 2 queue pairs, MTU 1500, 10 Gbit/s, ACS rr cr ec dt
│     │     ├─ VF 0 to 14, MAC 02:00:00:00:01:01 to 02:00:00:00:01:0f, 2 queue pairs each
│     │     ├─ uplink: loopback, drops 1 %, duplicates 0.1 %, seed 7
│     │     └─ VF 0 recorded to left-vf0.pcapng
│     └─ 01.0 dp1 downstream port, ACS sv tb rr cr uf ec dt
│        └─ 00.0 right virtio network card, MAC 02:00:00:00:77:00, 4 queue pairs, MTU 9000, 25 Gbit/s, ACS rr cr ec dt
│           ├─ VF 0 to 2, MAC 02:00:00:00:77:01 to 02:00:00:00:77:03, 1 queue pair each
│           ├─ VF 3, MAC 02:00:00:00:99:03, 1 queue pair
│           ├─ VF 4 to 30, MAC 02:00:00:00:77:05 to 02:00:00:00:77:1f, 1 queue pair each
│           ├─ uplink: tap tap0, 2 queues
│           └─ uplink recorded to right-uplink.pcapng
└─ 02.0 rp1 root port, ACS sv tb rr cr uf ec dt
";
    assert_eq!(platform.tree(), expected);
}

#[test]
fn exercisers_are_functions_like_any() {
    let platform = parsed(include_str!("../../../../examples/exercisers.toml"));
    let all = platform.root_complex.exercisers();
    let numbers: Vec<_> = all.iter().map(|each| (each.id.as_str(), each.vfs)).collect();
    assert_eq!(numbers, [("first", 3), ("second", 0), ("third", 7)]);
    assert_eq!((all[2].position.function, all[2].acs), (1, None));
    // Bus 0, two links, the inside of the switch, its two links, and one for the VFs of each that has some.
    assert_eq!(platform.root_complex.needs().buses, 1 + 2 + 1 + 2 + 3);
    let tree = platform.tree();
    assert!(tree.contains("00.0 first exerciser, 3 VFs, ACS rr cr ec dt\n"), "{tree}");
    assert!(tree.contains("00.1 third exerciser, 7 VFs, no ACS\n"), "{tree}");
}

#[test]
fn json_has_the_tree_and_each_address() {
    let platform = parsed(include_str!("../../../../examples/acs.toml"));
    let json = serde_json::to_value(&platform).expect("it serialises");
    let ports = &json["root_complex"]["ports"];
    assert_eq!(ports[0]["acs"], serde_json::Value::Null);
    assert_eq!(ports[1]["position"], serde_json::json!({ "device": 1, "function": 1 }));
    let isolated = &ports[2]["below"][0]["switch"]["downstream"][0];
    assert_eq!(isolated["acs"], serde_json::json!(["sv", "rr", "cr", "uf"]));
    assert_eq!(isolated["below"][0]["nic"]["vfs"][6]["mac"], "02:00:00:00:03:07");
    assert_eq!(json["machine"]["memory"], 512 << 20);
}

#[test]
fn each_kind_of_uplink_is_read() {
    let uplink = |text: &str| {
        let text = format!("[[nic]]\nid = \"n\"\nat = \"root-bus\"\nuplink = {text}");
        parsed(&text).root_complex.nics()[0].uplink.clone().expect("an uplink")
    };
    let socket = |kind, listen| UplinkKind::Socket { path: "/run/s".into(), kind, listen };
    for (text, kind) in [
        ("{ loopback = true }", UplinkKind::Loopback),
        ("{ tap = \"tap0\" }", UplinkKind::Tap { name: "tap0".to_owned(), queues: 1 }),
        (
            "{ tap = \"tap0\", queues = 16 }",
            UplinkKind::Tap { name: "tap0".to_owned(), queues: 16 },
        ),
        ("{ socket = \"/run/s\" }", socket(SocketKind::Stream, false)),
        (
            "{ socket = \"/run/s\", type = \"datagram\", listen = true }",
            socket(SocketKind::Datagram, true),
        ),
        ("{ pcap = \"o.pcapng\" }", UplinkKind::Pcap { file: "o.pcapng".into() }),
    ] {
        assert_eq!(uplink(text), Uplink { kind, faults: None }, "{text}");
    }
    let faults = uplink(
        "{ loopback = true, faults = { drop = 1, corrupt = 0.5, delay = 1e-6, delay-by = \"20ms\", seed = 0xff } }",
    )
    .faults;
    let delay = "20ms".parse().expect("a delay");
    let expected = Faults {
        drop: 1_000_000,
        duplicate: 0,
        corrupt: 500_000,
        delay: 1,
        delay_by: delay,
        seed: 255,
    };
    assert_eq!(faults, Some(expected));
}

#[test]
fn queue_pairs_come_out_of_one_budget() {
    let queues = |keys: &str| {
        let platform = parsed(&format!("[[nic]]\nid = \"n\"\nat = \"root-bus\"\n{keys}"));
        let nic = platform.root_complex.nics()[0];
        (nic.queues, nic.vf_queues, nic.queue_budget)
    };
    assert_eq!(queues(""), (4, 1, 1024));
    assert_eq!(queues("vfs = 255\nvf-queues = 4"), (4, 4, 1024));
    assert_eq!(queues("vfs = 63\nvf-queues = 2\nqueue-budget = 128"), (2, 2, 128));
    assert_eq!(queues("vfs = 0\nqueues = 64\nqueue-budget = 64"), (64, 1, 64));
}

#[test]
fn packed_rings_are_offered_if_the_file_says_so() {
    for (keys, packed) in [("", false), ("packed-rings = true", true)] {
        let platform = parsed(&format!("[[nic]]\nid = \"n\"\nat = \"root-bus\"\n{keys}"));
        assert_eq!(platform.root_complex.nics()[0].packed_rings, packed);
    }
}

#[test]
fn numbers_that_the_file_gives_come_first() {
    let platform = parsed(
        "[[root-port]]\nid = \"a\"\n[[root-port]]\nid = \"b\"\ndevice = 1\n[[root-port]]\nid = \"c\"\ndevice = 3\n\
         [[root-port]]\nid = \"d\"\ndevice = 3\nfunction = 1\n[[root-port]]\nid = \"e\"\n",
    );
    let ports = platform.root_complex.ports.iter();
    let numbers: Vec<String> = ports.map(|port| format!("{} {}", port.position, port.id)).collect();
    assert_eq!(numbers, ["01.0 b", "02.0 a", "03.0 c", "03.1 d", "04.0 e"]);
    assert_eq!(platform.root_complex.ports[3].position.bits(), 0x19);
}

#[test]
fn buses_are_counted_with_those_that_vfs_spill_to() {
    let needs = |text: &str| parsed(text).root_complex.needs();
    let plain = needs(include_str!("../../../../examples/minimal.toml"));
    assert_eq!((plain.buses, plain.ecam_buses), (3, 16)); // bus 0, the link, its VFs
    let nested = needs(include_str!("../../../../examples/nested.toml"));
    assert_eq!((nested.buses, nested.ecam_buses), (16, 32)); // bus 0, 9 links, 4 switches, 2 cards' VFs
    let ports: String = (0..254).map(|n| port_of(n / 8 + 1, n % 8)).collect();
    let full = needs(&ports.replace("device = 32", "device = 31"));
    assert_eq!((full.buses, full.ecam_buses), (249, 256));
}

/// A root port; those that bus 0 has no place for are left out.
fn port_of(device: u16, function: u16) -> String {
    if device > 31 {
        return String::new();
    }
    format!(
        "[[root-port]]\nid = \"p{device}-{function}\"\ndevice = {device}\nfunction = {function}\n"
    )
}

#[test]
fn the_reference_has_every_key_and_its_examples_are_platforms() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/platform-file.md");
    let text = std::fs::read_to_string(path).expect("the reference");
    let start = "<!-- keys -->\n\n";
    let (before, _) = text.split_once(start).expect("the mark before the keys");
    let whole = format!("{before}{start}{}", reference());
    if std::env::var_os("PANDO_WRITE_DOCS").is_some() {
        std::fs::write(path, &whole).expect("the reference can be written");
    }
    let told = std::fs::read_to_string(path).expect("the reference");
    assert!(
        told == whole,
        "docs/platform-file.md is out of date: run the tests of `platform` with PANDO_WRITE_DOCS=1"
    );
    let examples: Vec<&str> =
        before.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    examples.into_iter().for_each(|example| drop(parsed(example)));
    let report = before
        .split("```text\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .find(|text| text.contains(" | "));
    let shown = Platform::parse(
        "demo.toml",
        "[[nic]]\nid = \"nic0\"\nat = \"dp7\"\nvsf = 7\n[[root-port]]\nid = \"dp0\"\n",
    );
    assert_eq!(report.map(str::trim_end), shown.err().map(|errors| errors.to_string()).as_deref());
}

#[test]
fn an_iommu_is_there_unless_the_file_says_otherwise() {
    assert_eq!(parsed("").iommu, IommuModel::Vtd);
    assert_eq!(parsed("[iommu]\n").iommu, IommuModel::Vtd);
    assert_eq!(parsed("[iommu]\nmodel = \"none\"\n").iommu, IommuModel::None);
}

/// Where a key of a section can be tried, with the rest that such a file needs.
const PLACES: [(&str, &str, &str); 8] = [
    ("[machine]", "[machine]\n", "\n"),
    ("[iommu]", "[iommu]\n", "\n"),
    ("[root-complex]", "[root-complex]\n", "\n"),
    ("[[root-port]]", "[[root-port]]\nid = \"rp0\"\n", "\n"),
    (
        "[[switch]]",
        "[[root-port]]\nid = \"rp0\"\n[[switch]]\nid = \"sw0\"\nupstream = \"rp0\"\n",
        "\ndownstream = [{ id = \"dp0\" }]\n",
    ),
    ("[[nic]]", "[[root-port]]\nid = \"rp0\"\n[[nic]]\nid = \"nic0\"\nat = \"rp0\"\n", "\n"),
    ("an uplink", "[[nic]]\nid = \"nic0\"\nat = \"root-bus\"\nuplink = { tap = \"tap0\", ", " }\n"),
    (
        "`faults`",
        "[[nic]]\nid = \"nic0\"\nat = \"root-bus\"\nuplink = { loopback = true, faults = { ",
        " } }\n",
    ),
];

#[test]
fn ranges_and_defaults_are_what_the_reference_says() {
    let mut tried = (0, 0);
    for (name, before, after) in PLACES {
        let section =
            keys::SECTIONS.iter().find(|section| section.name == name).expect("a section");
        let parse = |line: &str| Platform::parse("f.toml", &format!("{before}{line}{after}"));
        let reports =
            |line: &str| parse(line).err().map(|errors| errors.to_string()).unwrap_or_default();
        for key in section.keys {
            let bounds = key
                .takes
                .split_once(" to ")
                .and_then(|(low, high)| low.parse::<i64>().ok().zip(high.parse::<i64>().ok()));
            if let Some((low, high)) = bounds {
                let told = format!("give {}", key.takes);
                for (value, refused) in
                    [(low - 1, true), (low, false), (high, false), (high + 1, true)]
                {
                    let report = reports(&format!("{} = {value}", key.name));
                    assert_eq!(
                        report.contains(&told),
                        refused,
                        "{name} {} = {value}: {report}",
                        key.name
                    );
                }
                tried.0 += 1;
            }
            let literal = key.default.trim_matches('`');
            let is_literal = key.default.starts_with('`') || literal.parse::<f64>().is_ok();
            if is_literal
                && !["type", "listen", "function"].contains(&key.name)
                && !literal.contains(':')
            {
                let explicit = parse(&format!("{} = {literal}", key.name))
                    .unwrap_or_else(|errors| panic!("{errors}"));
                assert_eq!(Ok(explicit), parse(""), "{name} {}", key.name);
                tried.1 += 1;
            }
        }
    }
    assert!(tried.0 >= 12 && tried.1 >= 12, "{tried:?}");
}

#[test]
fn functions_of_one_device_have_routing_ids_of_their_own_with_their_vfs() {
    let card = |function: u8| {
        format!("[[nic]]\nid = \"n{function}\"\nat = \"rp0\"\nfunction = {function}\nvfs = 255\n")
    };
    let cards: String = (0..8).map(card).collect();
    let root = parsed(&format!("[[root-port]]\nid = \"rp0\"\n{cards}")).root_complex;
    let nics = root.nics();
    let mut ids = std::collections::BTreeSet::new();
    for (nth, nic) in (0..).zip(&nics) {
        let pf = 0x100 + u16::from(nic.position.bits()); // bus 1
        let first = pf + nic.position.vf_offset_behind(nth);
        ids.extend((first..first + 255).chain([pf]));
    }
    assert_eq!(ids.len(), 8 * 256);
    assert_eq!(root.needs().buses, 10);
    assert!(ids.iter().all(|id| (0x100..0xa00).contains(id)));
}

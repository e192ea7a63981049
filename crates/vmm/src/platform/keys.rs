//! Every key that a platform file can have: what the reader accepts and what the reference prints come from this one table.

/// A table of a platform file.
pub(super) struct Section {
    /// As a message names it.
    pub(super) name: &'static str,
    /// What it describes.
    pub(super) about: &'static str,
    pub(super) keys: &'static [Key],
}

/// A key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) takes: &'static str,
    /// What holds without it; `required` where it can't be left out.
    pub(super) default: &'static str,
    pub(super) meaning: &'static str,
}

impl Section {
    /// Its name as a title.
    pub(super) fn heading(&self) -> String {
        match self.name.split_at_checked(1) {
            Some((first @ "a", rest)) => format!("{}{rest}", first.to_uppercase()),
            _ if self.name.starts_with('[') => format!("`{}`", self.name),
            _ => self.name.to_owned(),
        }
    }

    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// Short enough for a table's row.
const fn key(
    name: &'static str,
    takes: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, takes, default, meaning }
}

const REQUIRED: &str = "required";
const ID: Key = key(
    "id",
    "a name",
    REQUIRED,
    "Its name, unique in the file: a letter, then letters, digits, `-`, `_`, `.`.",
);
const PORT_ACS: Key = key(
    "acs",
    "`true`, `false`, or a list of `sv` `tb` `rr` `cr` `uf` `ec` `dt`",
    "`true`: all",
    "Its Access Control Services. `[]` is a capability that offers nothing, `false` is no capability.",
);

/// The file itself.
pub(super) const FILE: Section = Section {
    name: "a platform file",
    about: "TOML, at most 1 MiB. Every table and every key may be left out unless it is required; a key that is not listed here is refused. An empty file is a machine without devices.",
    keys: &[
        key("machine", "table", "its defaults", "CPUs and memory."),
        key("iommu", "table", "its defaults", "The IOMMU."),
        key("root-complex", "table", "its defaults", "What the root complex routes."),
        key("root-port", "tables", "none", "The root ports."),
        key("switch", "tables", "none", "The switches with their downstream ports."),
        key("nic", "tables", "none", "The network cards."),
        key("pci-bridge", "tables", "none", "The bridges to conventional PCI."),
        key("exerciser", "tables", "none", "The functions that do DMA on command."),
        key("capture", "tables", "none", "The ports whose frames are recorded."),
    ],
};

pub(super) const MACHINE: Section = Section {
    name: "[machine]",
    about: "The machine around the tree.",
    keys: &[
        key("cpus", "1 to 16", "1", "CPUs; `--cpus` overrides it."),
        key(
            "memory",
            "a size, `\"128MiB\"` to `\"1TiB\"`",
            "`\"512MiB\"`",
            "Memory; `--memory` overrides it.",
        ),
        key(
            "workers",
            "1 to 64",
            "the host's choice",
            "Threads that move frames; `--workers` overrides it. The host's choice is one per CPU that it has beside the guest's, one at least and at most one per function.",
        ),
        key(
            "poll",
            "a time, `\"0us\"` to `\"1s\"`",
            "the host's choice",
            "How long they poll for more, at most, before they sleep; `--poll` overrides it. The host's choice is ten times what waking a thread takes there (50 us to 2 ms), and nothing with one CPU. Longer is quicker for rare frames, and takes a CPU.",
        ),
    ],
};

pub(super) const IOMMU: Section = Section {
    name: "[iommu]",
    about: "What translates the requests of functions and remaps their interrupts. With `vtd` a guest's kernel sees IOMMU groups and can assign functions.",
    keys: &[key(
        "model",
        "`\"none\"` or `\"vtd\"`",
        "`\"vtd\"`",
        "The IOMMU in front of guest memory.",
    )],
};

pub(super) const ROOT_COMPLEX: Section = Section {
    name: "[root-complex]",
    about: "Bus 0, on which the root ports are.",
    keys: &[
        key(
            "peer-to-peer",
            "`true` or `false`",
            "`false`",
            "Whether requests cross from one root port to another; without it they end as Unsupported Request.",
        ),
        key(
            "event-collector",
            "`true` or `false`",
            "`false`",
            "Whether there is a Root Complex Event Collector, which reports the errors of endpoints on bus 0.",
        ),
    ],
};

pub(super) const ROOT_PORT: Section = Section {
    name: "[[root-port]]",
    about: "A root port: a link that leads from bus 0 to one device.",
    keys: &[
        ID,
        PORT_ACS,
        key(
            "device",
            "1 to 31",
            "the lowest free",
            "Device number on bus 0. Ports with one device number are functions of one device.",
        ),
        key("function", "0 to 7", "0", "Function number; needs `device`."),
    ],
};

pub(super) const SWITCH: Section = Section {
    name: "[[switch]]",
    about: "A switch: an upstream port, a bus inside, and downstream ports on it. Switches nest as deep as bus numbers last.",
    keys: &[
        ID,
        key("upstream", "a port's id", REQUIRED, "The root port or downstream port above."),
        key("downstream", "a list of tables", REQUIRED, "Its downstream ports, one or more."),
        key(
            "function",
            "0 to 7",
            "0",
            "Function number of its upstream port, when it shares the port above with other devices.",
        ),
        key(
            "acs",
            "`true`, `false`, or a list of `rr` `cr` `ec` `dt`",
            "`false`",
            "Access Control Services of its upstream port, which only a function of a multi-function device has.",
        ),
    ],
};

pub(super) const DOWNSTREAM: Section = Section {
    name: "a downstream port",
    about: "An element of the `downstream` list of a switch.",
    keys: &[
        ID,
        PORT_ACS,
        key(
            "device",
            "0 to 31",
            "the lowest free",
            "Device number inside the switch. Ports with one device number are functions of one device.",
        ),
        key("function", "0 to 7", "0", "Function number; needs `device`."),
    ],
};

pub(super) const NIC: Section = Section {
    name: "[[nic]]",
    about: "A network card: one physical function (PF) and the virtual functions (VFs) that it can have. Several cards in one port, each with its own `function`, are the functions of one device.",
    keys: &[
        ID,
        key(
            "at",
            "a port's id or `\"root-bus\"`",
            REQUIRED,
            "The port it is plugged into; on the root bus it is an endpoint of the root complex.",
        ),
        key(
            "function",
            "0 to 7",
            "0",
            "Function number, when it shares its port with other devices; on the root bus it needs `device`.",
        ),
        key("device", "1 to 31", "the lowest free", "Device number, only on the root bus."),
        key(
            "acs",
            "`true`, `false`, or a list of `rr` `cr` `ec` `dt`",
            "`true`: all four",
            "Access Control Services between the functions of one device. `false` is no capability.",
        ),
        key(
            "model",
            "`\"virtio\"`, `\"82599\"`, `\"82599-sfp\"` or `\"x540\"`",
            "`\"virtio\"`",
            "What it is: a virtio card, or one of Intel's, `82599-sfp` with a copper cable in its SFP+ cage.",
        ),
        key(
            "vfs",
            "0 to 255",
            "7",
            "Virtual functions it can have (TotalVFs); with 0 it has no SR-IOV capability.",
        ),
        key(
            "queues",
            "1 to 64",
            "4, or what the VFs leave",
            "Queue pairs of the physical function.",
        ),
        key("vf-queues", "1 to 64", "1", "Queue pairs of each virtual function."),
        key(
            "queue-budget",
            "1 to 16384",
            "1024",
            "Queue pairs of the whole card, from which all its functions take theirs.",
        ),
        key(
            "packed-rings",
            "`true` or `false`",
            "`false`",
            "Whether drivers of a virtio card may have packed rings; those that know them take them.",
        ),
        key(
            "mac",
            "an address",
            "02:00:00:NN:NN:00, a range of its own",
            "Address of the PF. VF n has this address + 1 + n.",
        ),
        key(
            "mtu",
            "68 to 9216",
            "1500",
            "The largest packet in bytes, without the Ethernet header.",
        ),
        key("speed", "`\"10M\"` to `\"1000G\"`", "`\"10G\"`", "Link speed that the card reports."),
        key("uplink", "table", "no cable", "Where its network port leads."),
        key("vf", "tables", "none", "What single virtual functions have of their own."),
    ],
};

pub(super) const VF: Section = Section {
    name: "[[nic.vf]]",
    about: "Written below the `[[nic]]` it belongs to.",
    keys: &[
        key("number", "0 to `vfs` - 1", REQUIRED, "Which one."),
        key("mac", "an address", REQUIRED, "Its address."),
    ],
};

pub(super) const UPLINK: Section = Section {
    name: "an uplink",
    about: "The value of `uplink`: exactly one of `loopback`, `tap`, `socket`, `pcap` and `segment`, and what belongs to it. The link state follows the far end (a tap that is up, a peer at a stream socket): the PF's of a virtio card, whose VFs stay connected to each other; that of all functions of the others. A card without `uplink` has no cable in its network port; its link is up all the same.",
    keys: &[
        key(
            "loopback",
            "`true`",
            "",
            "A mirror: what is sent to a peer comes back as if from that peer; it answers pings and echoes UDP and TCP.",
        ),
        key("tap", "an interface's name", "", "A tap interface of the host."),
        key("socket", "a path", "", "A UNIX socket, for joining two machines."),
        key("pcap", "a file", "", "What is sent out is recorded there (pcapng); nothing comes in."),
        key(
            "segment",
            "a name",
            "",
            "A wire inside the machine: all functions of the cards that name it reach each other.",
        ),
        key("queues", "1 to 16", "1", "With `tap`: its queues."),
        key(
            "type",
            "`\"stream\"` or `\"datagram\"`",
            "`\"stream\"`",
            "With `socket`: the kind of socket.",
        ),
        key(
            "listen",
            "`true` or `false`",
            "`false`",
            "With `socket`: make it there and wait for the other side; otherwise connect to it.",
        ),
        key(
            "faults",
            "table",
            "none",
            "What goes wrong on the way, in both directions; not with `segment`.",
        ),
    ],
};

pub(super) const FAULTS: Section = Section {
    name: "`faults`",
    about: "The value of `faults` in an uplink. Each share is decided for each frame by itself.",
    keys: &[
        key("drop", "0.0 to 1.0", "0.0", "Share of frames that are lost."),
        key("duplicate", "0.0 to 1.0", "0.0", "Share of frames that arrive twice."),
        key("corrupt", "0.0 to 1.0", "0.0", "Share of frames in which one bit is flipped."),
        key(
            "delay",
            "0.0 to 1.0",
            "0.0",
            "Share of frames that arrive late, behind those that follow.",
        ),
        key("delay-by", "`\"1us\"` to `\"10s\"`", "`\"1ms\"`", "How late they arrive."),
        key("seed", "0 to 2^63 - 1", "0", "The same seed makes the same faults."),
    ],
};

pub(super) const EXERCISER: Section = Section {
    name: "[[exerciser]]",
    about: "A function that reads, writes and copies at any address on command, to try out isolation: its registers are those of Linux' driver `pci_endpoint_test`, which takes it as it is. It may share its port with cards, as one of several functions of a device.",
    keys: &[
        ID,
        key(
            "at",
            "a port's id, a bridge's id or `\"root-bus\"`",
            REQUIRED,
            "The port it is plugged into, or the bus of conventional PCI, or bus 0.",
        ),
        key(
            "function",
            "0 to 7",
            "0",
            "Function number, when it shares its port with other devices; on a bus it needs `device`.",
        ),
        key(
            "device",
            "1 to 31",
            "the lowest free",
            "Device number, only on the root bus and behind a bridge.",
        ),
        key(
            "conventional",
            "`true` or `false`",
            "`true` behind a bridge, `false` elsewhere",
            "A conventional PCI function: no PCI Express capability, no ACS, no virtual functions. Only on a bus.",
        ),
        key(
            "acs",
            "`true`, `false`, or a list of `rr` `cr` `ec` `dt`",
            "`true`: all four",
            "Access Control Services between the functions of one device. `false` is no capability.",
        ),
        key(
            "vfs",
            "0 to 255",
            "7, of a conventional function 0",
            "Virtual functions it can have (TotalVFs); with 0 it has no SR-IOV capability.",
        ),
    ],
};

pub(super) const PCI_BRIDGE: Section = Section {
    name: "[[pci-bridge]]",
    about: "A bridge from PCI Express to a bus of conventional PCI. To the tree all requests from behind it are the bridge's own, so nothing there can be told apart.",
    keys: &[ID, key("at", "a port's id", REQUIRED, "The port it is plugged into, alone.")],
};

pub(super) const CAPTURE: Section = Section {
    name: "[[capture]]",
    about: "A recording of all frames at one port, in both directions.",
    keys: &[
        key(
            "port",
            "`\"NIC\"`, `\"NIC/vfN\"` or `\"NIC/uplink\"`",
            REQUIRED,
            "The port: a card's PF, one of its VFs, or its uplink.",
        ),
        key("file", "a file", REQUIRED, "Where every frame of that port is recorded (pcapng)."),
    ],
};

/// Every section, in the order of the reference.
pub(super) const SECTIONS: [&Section; 14] = [
    &FILE,
    &MACHINE,
    &IOMMU,
    &ROOT_COMPLEX,
    &ROOT_PORT,
    &SWITCH,
    &DOWNSTREAM,
    &NIC,
    &VF,
    &UPLINK,
    &FAULTS,
    &PCI_BRIDGE,
    &EXERCISER,
    &CAPTURE,
];

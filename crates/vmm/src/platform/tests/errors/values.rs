//! Mistakes within one table: keys, types, ranges, and what a card can have.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "unknown key in each kind of table",
        text: r#"
[machin]
[machine]
cpu = 1
[iommu]
modle = "none"
[root-complex]
xyzzy = 1
"#,
        reports: &[
            "2:2: unknown key `machin` in a platform file; did you mean `machine`?",
            "4:1: unknown key `cpu` in [machine]; did you mean `cpus`?",
            "6:1: unknown key `modle` in [iommu]; did you mean `model`?",
            "8:1: unknown key `xyzzy` in [root-complex]; its keys are `peer-to-peer` and `event-collector`",
        ],
    },
    Case {
        name: "unknown keys of devices",
        text: r#"
[[root-port]]
id = "rp0"
asc = true
[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" , devise = 1 }, { id = "dp1" }]
[[nic]]
id = "nic0"
at = "dp0"
vf_queues = 2
uplink = { taps = "tap0", loopback = true, faults = { dorp = 0.5 } }
[[nic.vf]]
number = 0
mac = "02:00:00:00:00:09"
vlan = 3
[[capture]]
port = "nic0"
file = "f"
format = "pcap"
"#,
        reports: &[
            "4:1: unknown key `asc` in [[root-port]]; did you mean `acs`?",
            "8:30: unknown key `devise` in a downstream port; did you mean `device`?",
            "12:1: unknown key `vf_queues` in [[nic]]; did you mean `vf-queues`?",
            "13:12: unknown key `taps` in an uplink; did you mean `tap`?",
            "13:55: unknown key `dorp` in `faults`; did you mean `drop`?",
            "17:1: unknown key `vlan` in [[nic.vf]]; its keys are `number` and `mac`",
            "21:1: unknown key `format` in [[capture]]; its keys are `port` and `file`",
        ],
    },
    Case {
        name: "wrong types",
        text: r#"
[machine]
cpus = "2"
memory = 512
[[root-port]]
id = "rp0"
acs = "sv"
device = 1.0
[[nic]]
id = "nic0"
at = "rp0"
vfs = "many"
uplink = "tap0"
mac = 2
"#,
        reports: &[
            "3:8: `cpus` is a string; write a whole number from 1 to 16, without quotes",
            "4:10: `memory` is a whole number; write a string in double quotes",
            r#"7:7: `acs` is a string; write `true`, `false`, or a list of `"sv"`, `"tb"`, `"rr"`, `"cr"`, `"uf"`, `"ec"`, `"dt"`"#,
            "8:10: `device` is a number with a fraction; write a whole number from 1 to 31, without quotes",
            "12:7: `vfs` is a string; write a whole number from 0 to 255, without quotes",
            "13:10: `uplink` is a string; write a table with `loopback`, `tap`, `socket`, `pcap`, `segment`, `queues`, `type`, `listen` or `faults`",
            "14:7: `mac` is a whole number; write a string in double quotes",
        ],
    },
    Case {
        name: "tables of the wrong kind",
        text: r#"
[root-port]
id = "rp0"
"#,
        reports: &[
            "2:1: `root-port` is a table; write `[[root-port]]` with double brackets before each one",
        ],
    },
    Case {
        name: "a list where a table belongs",
        text: r#"
[[machine]]
cpus = 1
"#,
        reports: &[
            "2:1: `machine` is a list; write a table with `cpus`, `memory`, `workers` or `poll`",
        ],
    },
    Case {
        name: "required keys",
        text: r#"
[[root-port]]
[[switch]]
[[nic]]
[[capture]]
"#,
        reports: &[
            "2:1: [[root-port]] without `id`; add `id`: a name",
            "3:1: [[switch]] without `id`; add `id`: a name",
            "3:1: [[switch]] without `upstream`; add `upstream`: a port's id",
            "3:1: [[switch]] without `downstream`; add `downstream`: a list of tables",
            "4:1: [[nic]] without `id`; add `id`: a name",
            r#"4:1: [[nic]] without `at`; add `at`: a port's id or `"root-bus"`"#,
            r#"5:1: [[capture]] without `port`; add `port`: `"NIC"`, `"NIC/vfN"` or `"NIC/uplink"`"#,
            "5:1: [[capture]] without `file`; add `file`: a file",
        ],
    },
    Case {
        name: "values out of range",
        text: r#"
[machine]
cpus = 0
memory = "64MiB"
workers = 65
poll = "2s"
[[root-port]]
id = "rp0"
device = 0
function = 8
[[nic]]
id = "nic0"
at = "rp0"
vfs = -1
queues = 0
vf-queues = 65
queue-budget = 99999999999999999999
mtu = 67
speed = "1k"
"#,
        reports: &[
            "3:8: `cpus` is 0; give 1 to 16",
            "4:10: `64MiB` of memory; give 128MiB to 1TiB",
            "5:11: `workers` is 65; give 1 to 64",
            r#"6:8: `2s` is not a time to poll; write `"0us"` to `"1s"`, as `"20us"` or `"5ms"`"#,
            "9:10: `device` is 0; give 1 to 31",
            "10:12: `function` is 8; give 0 to 7",
            "14:7: `vfs` is -1; give 0 to 255",
            "15:10: `queues` is 0; give 1 to 64",
            "16:13: `vf-queues` is 65; give 1 to 64",
            "17:16: `queue-budget` is 99999999999999999999; give 1 to 16384",
            "18:7: `mtu` is 67; give 68 to 9216",
            r#"19:9: `1k` is not a link speed; write `"10M"` to `"1000G"`, in Mbit/s or Gbit/s, as `"25G"` or `"2500M"`"#,
        ],
    },
    Case {
        name: "memory without a unit",
        text: r#"
[machine]
memory = "512"
"#,
        reports: &[
            r#"3:10: `512` is not a memory size; write a number and a unit, as `"512MiB"` or `"2GiB"`"#,
        ],
    },
    Case {
        name: "more VFs than the model has",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
vfs = 256
"#,
        reports: &[
            "7:7: 256 virtual functions, and the model `virtio` has at most 255; give 0 to 255",
        ],
    },
    Case {
        name: "more virtual functions than an 82599 has",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
model = "82599"
vfs = 65
"#,
        reports: &[
            "8:7: 65 virtual functions, and the model `82599` has at most 64; give 0 to 64",
            "8:7: PF 1 + 64 VFs x 2 = 129 queue pairs, and the card's budget is 128; lower `vfs`, `vf-queues` or `queues`, or raise `queue-budget`",
        ],
    },
    Case {
        name: "rings of a kind that the model hasn't got",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
model = "82599"
packed-rings = true
"#,
        reports: &["8:16: `packed-rings` of a card that isn't a virtio card; remove it"],
    },
    Case {
        name: "an unknown model",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
model = "e1000"
"#,
        reports: &["7:9: unknown `model` `e1000`; write `virtio`, `82599`, `82599-sfp` or `x540`"],
    },
    Case {
        name: "an unknown IOMMU",
        text: r#"
[iommu]
model = "smmu"
"#,
        reports: &["3:9: unknown `model` `smmu`; write `none` or `vtd`"],
    },
    Case {
        name: "a budget exceeded by VFs",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
vfs = 255
vf-queues = 5
"#,
        reports: &[
            "8:13: PF 1 + 255 VFs x 5 = 1276 queue pairs, and the card's budget is 1024; lower `vfs`, `vf-queues` or `queues`, or raise `queue-budget`",
        ],
    },
    Case {
        name: "a budget exceeded by the PF",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
vfs = 7
queues = 2
queue-budget = 8
"#,
        reports: &[
            "9:16: PF 2 + 7 VFs x 1 = 9 queue pairs, and the card's budget is 8; lower `vfs`, `vf-queues` or `queues`, or raise `queue-budget`",
        ],
    },
    Case {
        name: "bad ids",
        text: r#"
[[root-port]]
id = "0rp"
[[nic]]
id = "a/b"
at = "0rp"
[[nic]]
id = "root-bus"
at = "rp0"
"#,
        reports: &[
            "3:6: `0rp` is not an id; write up to 32 letters, digits, `-`, `_` and `.`, a letter first",
            "5:6: `a/b` is not an id; write up to 32 letters, digits, `-`, `_` and `.`, a letter first",
            "8:6: `root-bus` names the bus of the root complex; choose another id",
        ],
    },
    Case {
        name: "bad addresses",
        text: r#"
[[root-port]]
id = "rp0"
[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }, { id = "dp1" }]
[[nic]]
id = "nic0"
at = "dp0"
mac = "02:00:00"
[[nic]]
id = "nic1"
at = "dp1"
mac = "01:00:00:00:00:00"
"#,
        reports: &[
            r#"11:7: `02:00:00` is not a MAC address; write six pairs of hexadecimal digits, as `"02:00:00:00:00:01"`"#,
            "15:7: `01:00:00:00:00:00` is a group's address or none; give an address of one function: not zero, and its first octet even",
        ],
    },
    Case {
        name: "uplinks",
        text: r#"
[[root-port]]
id = "rp0"
[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }, { id = "dp1" }]
[[nic]]
id = "nic0"
at = "dp0"
uplink = {}
[[nic]]
id = "nic1"
at = "dp1"
uplink = { tap = "tap0", loopback = true }
[[nic]]
id = "nic2"
at = "root-bus"
uplink = { loopback = false, listen = true }
[[nic]]
id = "nic3"
at = "root-bus"
uplink = { tap = "a tap", queues = 17 }
[[nic]]
id = "nic4"
at = "root-bus"
uplink = { socket = "", type = "seqpacket" }
[[nic]]
id = "nic5"
at = "root-bus"
uplink = { loopback = true, faults = { drop = 1.5, delay = "1ms", seed = -1 } }
"#,
        reports: &[
            "11:10: an uplink that leads nowhere; give exactly one of `loopback`, `tap`, `socket`, `pcap` or `segment`",
            "15:18: an uplink with `loopback` and `tap`; give exactly one of `loopback`, `tap`, `socket`, `pcap` or `segment`",
            "19:23: `loopback = false`; write `loopback = true`, or no `uplink` for a port without a cable",
            "19:39: `listen` with `loopback`; `listen` goes with `socket`",
            "23:18: `a tap` is not an interface's name; write 1 to 15 characters without space, `/`, `:` and `%`",
            "23:36: `queues` is 17; give 1 to 16",
            "27:21: `socket` `` is no path; give a path of 1 to 107 bytes",
            "27:32: unknown `type` `seqpacket`; write `stream` or `datagram`",
            "31:47: `drop` is 1.5; give a share from 0.0 to 1.0",
            "31:60: `delay` is a string; write a share from 0.0 to 1.0",
            "31:74: `seed` is -1; give 0 to 9223372036854775807",
        ],
    },
    Case {
        name: "ACS services",
        text: r#"
[[root-port]]
id = "rp0"
acs = ["sv", "xv", 3]
[[nic]]
id = "nic0"
at = "rp0"
acs = ["rr", "sv"]
"#,
        reports: &[
            r#"4:14: unknown ACS service `xv`; write `true`, `false`, or a list of `"sv"`, `"tb"`, `"rr"`, `"cr"`, `"uf"`, `"ec"`, `"dt"`"#,
            r#"4:20: `acs` lists a whole number; write `true`, `false`, or a list of `"sv"`, `"tb"`, `"rr"`, `"cr"`, `"uf"`, `"ec"`, `"dt"`"#,
            r#"8:14: `sv` is no service between functions of one device; write `true`, `false`, or a list of `"rr"`, `"cr"`, `"ec"`, `"dt"`"#,
        ],
    },
    Case {
        name: "not TOML",
        text: r#"
[machine]
cpus 2
[[nic]
"#,
        reports: &[
            "3:6: key with no value, expected `=`; write lines of `key = value`, text in double quotes, below `[table]` or `[[list]]`",
            "4:7: unclosed array table, expected `]`; write lines of `key = value`, text in double quotes, below `[table]` or `[[list]]`",
        ],
    },
    Case {
        name: "a key twice",
        text: r#"
[machine]
cpus = 1
cpus = 2
"#,
        reports: &["4:1: duplicate key; keep one of them"],
    },
];

//! Mistakes between tables: ids, parents, numbers, and what only one can have.

use super::Case;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "exercisers where none can be",
        text: r#"
[[root-port]]
id = "rp0"
[[exerciser]]
id = "first"
at = "root-bus"
[[exerciser]]
id = "second"
at = "first"
[[exerciser]]
id = "second"
at = "rp0"
vfs = 256
"#,
        reports: &[
            "9:6: `at` names the exerciser `first`, which has no port for devices; name a port: `rp0`",
            "11:6: the id `second` is taken (line 8); give each port, switch and card an id of its own",
            "13:7: `vfs` is 256; give 0 to 255",
        ],
    },
    Case {
        name: "conventional PCI",
        text: r#"
[[root-port]]
id = "rp0"
[[pci-bridge]]
id = "br0"
at = "rp0"
[[pci-bridge]]
id = "br1"
at = "root-bus"
[[exerciser]]
id = "first"
at = "br0"
vfs = 1
[[exerciser]]
id = "second"
at = "br0"
conventional = false
[[exerciser]]
id = "third"
at = "rp0"
function = 1
conventional = true
[[exerciser]]
id = "fourth"
at = "root-bus"
conventional = true
acs = false
[[nic]]
id = "nic0"
at = "br0"
"#,
        reports: &[
            "6:6: the bridge `br0` is not alone at its port; give it a port of its own",
            "9:6: a bridge to conventional PCI on the root bus; name a port: `rp0`",
            "13:7: `vfs` of the conventional function `first`; remove it: only PCI Express has that",
            "17:16: the PCI Express function `second` on a bus of conventional PCI; remove `conventional`",
            "22:16: the conventional function `third` at a link of PCI Express; put it on the root bus or behind a `[[pci-bridge]]`",
            "27:7: `acs` of the conventional function `fourth`; remove it: only PCI Express has that",
            "30:6: `at` names the bridge `br0`, behind which only exercisers can be; name a port: `rp0`",
        ],
    },
    Case {
        name: "segments",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
uplink = { segment = "2nd", faults = { drop = 0.5 } }
[[nic]]
id = "nic1"
at = "rp0"
function = 1
uplink = { segment = "lan" }
[[capture]]
port = "nic1/uplink"
file = "lan.pcapng"
"#,
        reports: &[
            "7:22: `2nd` is not an id; write up to 32 letters, digits, `-`, `_` and `.`, a letter first",
            "7:38: `faults` with `segment`; a segment has no faults; leave them out",
            "14:8: `nic1` is on a segment, which has no port of its own; name the card, or one of its virtual functions",
        ],
    },
    Case {
        name: "two devices at one port",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
[[nic]]
id = "nic1"
at = "rp0"
"#,
        reports: &[
            "8:6: two devices at the port `rp0`: `nic1` and `nic0` (line 5) are both its function 0; put one of them at another port, or make it a further function with `function = 1`",
        ],
    },
    Case {
        name: "a switch and a card at one port",
        text: r#"
[[root-port]]
id = "rp0"
[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }, { id = "dp1" }]
[[nic]]
id = "nic0"
at = "rp0"
"#,
        reports: &[
            "9:6: two devices at the port `rp0`: `nic0` and `sw0` (line 5) are both its function 0; put one of them at another port, or make it a further function with `function = 1`",
        ],
    },
    Case {
        name: "a device without function 0",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
function = 1
"#,
        reports: &[
            "7:12: the device at the port `rp0` has function 1 and no function 0; number its functions from 0",
        ],
    },
    Case {
        name: "device numbers below a port",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
device = 1
"#,
        reports: &[
            "7:10: `device` of `nic0` below the port `rp0`; remove it: a link has one device, number 0",
        ],
    },
    Case {
        name: "an unknown parent",
        text: r#"
[[root-port]]
id = "rp0"
[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }, { id = "dp1" }]
[[nic]]
id = "nic0"
at = "dp2"
[[nic]]
id = "nic1"
at = "nowhere"
"#,
        reports: &[
            "10:6: `at` names `dp2`, and no port has this id; did you mean `dp0`?",
            "13:6: `at` names `nowhere`, and no port has this id; name a port: `dp0`, `dp1` or `rp0`",
        ],
    },
    Case {
        name: "parents that are no ports",
        text: r#"
[[root-port]]
id = "rp0"
[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }, { id = "dp1" }]
[[nic]]
id = "nic0"
at = "sw0"
[[nic]]
id = "nic1"
at = "nic0"
[[switch]]
id = "sw1"
upstream = "root-bus"
downstream = [{ id = "dp2" }]
"#,
        reports: &[
            "10:6: `at` names the switch `sw0`; name one of its downstream ports: `dp0` or `dp1`",
            "13:6: `at` names the network card `nic0`, which has no port for devices; name a port: `dp0`, `dp1`, `dp2` or `rp0`",
            "16:12: a switch on the root bus; name a port: `dp0`, `dp1`, `dp2` or `rp0`",
        ],
    },
    Case {
        name: "no port at all",
        text: r#"
[[nic]]
id = "nic0"
at = "rp0"
"#,
        reports: &[
            "4:6: `at` names `rp0`, and no port has this id; add a `[[root-port]]` with this id",
        ],
    },
    Case {
        name: "a switch below itself",
        text: r#"
[[switch]]
id = "a"
upstream = "b0"
downstream = [{ id = "a0" }]
[[switch]]
id = "b"
upstream = "a0"
downstream = [{ id = "b0" }]
[[switch]]
id = "c"
upstream = "c0"
downstream = [{ id = "c0" }]
"#,
        reports: &[
            "4:12: the switch `a` hangs below itself: a below b below a; name a port that leads to a root port",
            "12:12: the switch `c` hangs below itself: c below c; name a port that leads to a root port",
        ],
    },
    Case {
        name: "ids given twice",
        text: r#"
[[root-port]]
id = "rp0"
[[root-port]]
id = "rp0"
[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }, { id = "dp0" }]
[[nic]]
id = "sw0"
at = "rp0"
"#,
        reports: &[
            "5:6: the id `rp0` is taken (line 3); give each port, switch and card an id of its own",
            "9:38: the id `dp0` is taken (line 9); give each port, switch and card an id of its own",
            "11:6: the id `sw0` is taken (line 7); give each port, switch and card an id of its own",
            "11:6: two devices at the port `rp0`: `sw0` and `sw0` (line 7) are both its function 0; put one of them at another port, or make it a further function with `function = 1`",
        ],
    },
    Case {
        name: "addresses given twice",
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
mac = "02:00:00:00:00:01"
[[nic]]
id = "nic1"
at = "dp1"
mac = "02:00:00:00:00:05"
"#,
        reports: &[
            "15:7: `nic1` gets 02:00:00:00:00:05, which `nic0/vf3` (line 11) has already; give each function its own: VF n has the card's `mac` + 1 + n unless its `[[nic.vf]]` says otherwise",
        ],
    },
    Case {
        name: "an address of one VF given twice",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
mac = "02:00:00:00:00:01"
[[nic.vf]]
number = 1
mac = "02:00:00:00:00:02"
[[nic.vf]]
number = 1
mac = "02:00:00:00:00:99"
"#,
        reports: &[
            "7:7: `nic0/vf0` gets 02:00:00:00:00:02, which `nic0/vf1` (line 10) has already; give each function its own: VF n has the card's `mac` + 1 + n unless its `[[nic.vf]]` says otherwise",
            "12:10: VF 1 twice, first in line 9; keep one of them",
        ],
    },
    Case {
        name: "an address without room for its VFs",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
mac = "02:ff:ff:ff:ff:fe"
"#,
        reports: &[
            "7:7: VF 1 of `nic0` would get the card's address + 2, which no function can have; give a lower `mac`",
        ],
    },
    Case {
        name: "VFs that are not there",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
vfs = 2
[[nic.vf]]
number = 2
mac = "02:00:00:00:00:99"
[[nic]]
id = "nic1"
at = "root-bus"
vfs = 0
[[nic.vf]]
number = 0
mac = "02:00:00:00:00:98"
"#,
        reports: &[
            "9:10: `number` is 2; give 0 to 1",
            "15:1: a virtual function of a card that has none; give `vfs`, or remove this",
        ],
    },
    Case {
        name: "taps, sockets and files shared",
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
uplink = { tap = "tap0" }
[[nic]]
id = "nic1"
at = "dp1"
uplink = { tap = "tap0" }
[[capture]]
port = "nic0"
file = "f"
[[capture]]
port = "nic1"
file = "f"
"#,
        reports: &[
            "15:10: the tap `tap0` is in use already (line 11); give each card a tap of its own",
            "21:8: the file `f` is in use already (line 18); give each recording a file of its own",
        ],
    },
    Case {
        name: "recordings of ports that are not there",
        text: r#"
[[root-port]]
id = "rp0"
[[nic]]
id = "nic0"
at = "rp0"
[[capture]]
port = "nic1"
file = "a"
[[capture]]
port = "nic0/vf7"
file = "b"
[[capture]]
port = "nic0/uplink"
file = "c"
[[capture]]
port = "nic0/vf"
file = "d"
"#,
        reports: &[
            "8:8: no network card has the id `nic1`; did you mean `nic0`?",
            "11:8: `nic0` has 7 virtual functions and no number 7; name `nic0/vf0` to `nic0/vf6`",
            "14:8: `nic0` has no uplink; give `nic0` an `uplink`, or name another port",
            r#"17:8: `nic0/vf` is not a port of a card; write `"nic0"`, `"nic0/vf3"` or `"nic0/uplink"`"#,
        ],
    },
    Case {
        name: "ACS in a lone upstream port",
        text: r#"
[[root-port]]
id = "rp0"
[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }, { id = "dp1" }]
acs = true
"#,
        reports: &[
            "8:7: `acs` of the switch `sw0`, whose upstream port is alone at its link; remove it, or plug a further function into the same port",
        ],
    },
    Case {
        name: "device numbers that clash",
        text: r#"
[[root-port]]
id = "rp0"
device = 2
[[root-port]]
id = "rp1"
device = 2
[[root-port]]
id = "rp2"
function = 1
[[root-port]]
id = "rp3"
device = 3
function = 1
[[nic]]
id = "nic0"
at = "root-bus"
device = 2
"#,
        reports: &[
            "7:10: `rp1` and `rp0` (line 4) are both device 2 function 0 on the root bus; give one of them another `device` or `function`",
            "10:12: `function` of `rp2` without `device`; add the `device` number that its functions share",
            "14:12: device 3 on the root bus has function 1 and no function 0; number its functions from 0",
            "18:10: `nic0` and `rp0` (line 4) are both device 2 function 0 on the root bus; give one of them another `device` or `function`",
        ],
    },
    Case {
        name: "a switch without ports",
        text: r#"
[[root-port]]
id = "rp0"
[[switch]]
id = "sw0"
upstream = "rp0"
downstream = []
"#,
        reports: &[
            r#"7:14: a switch without downstream ports; give it one or more, as `downstream = [{ id = "dp0" }]`"#,
        ],
    },
];

//! IOMMU groups of every kind of topology: memberships are compared, not numbers.
//!
//! A device's name here is its path: device and function of every bridge above it and its own, without bus numbers, which are
//! the guest's choice.

use super::without_iommu;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let script = |rows: &str| format!("{NAMES}{rows}");
    vec![
        guest("groups::with_an_iommu", script(ROWS)).platform(TREE).minutes(10),
        guest("groups::switched_off", script(OFF)).platform(TREE).cmdline("intel_iommu=off"),
        guest("groups::without_an_iommu", script(OFF)).platform(without_iommu(TREE)),
    ]
}

/// One root port, or two, for each row.
const TREE: &str = r#"
# 1, 11: a card with VFs below a port with ACS
[[root-port]]
id = "rp1"
device = 1
[[nic]]
id = "n1"
at = "rp1"
vfs = 2

# 2, 12: the same without ACS
[[root-port]]
id = "rp2"
device = 2
acs = false
[[nic]]
id = "n2"
at = "rp2"
vfs = 2

# 3: downstream ports without ACS, a device each
[[root-port]]
id = "rp3"
device = 3
[[switch]]
id = "sw3"
upstream = "rp3"
downstream = [{ id = "dp3a", acs = false }, { id = "dp3b", acs = false }]
[[nic]]
id = "n3a"
at = "dp3a"
vfs = 0
[[nic]]
id = "n3b"
at = "dp3b"
vfs = 0

# 4: downstream ports without ACS, functions of one device
[[root-port]]
id = "rp4"
device = 4
[[switch]]
id = "sw4"
upstream = "rp4"
downstream = [
    { id = "dp4a", device = 0, function = 0, acs = false },
    { id = "dp4b", device = 0, function = 1, acs = false },
]
[[nic]]
id = "n4a"
at = "dp4a"
vfs = 0
[[nic]]
id = "n4b"
at = "dp4b"
vfs = 0

# 5: an upstream port without ACS and a card as functions of one device
[[root-port]]
id = "rp5"
device = 5
[[switch]]
id = "sw5"
upstream = "rp5"
downstream = [{ id = "dp5" }]
[[nic]]
id = "n5a"
at = "rp5"
function = 1
acs = false
vfs = 1
[[nic]]
id = "n5b"
at = "dp5"
vfs = 1

# 6: root ports without ACS, functions of one device
[[root-port]]
id = "rp6a"
device = 6
function = 0
acs = false
[[root-port]]
id = "rp6b"
device = 6
function = 1
acs = false
[[nic]]
id = "n6a"
at = "rp6a"
vfs = 1
[[nic]]
id = "n6b"
at = "rp6b"
vfs = 0

# 7: the same with ACS
[[root-port]]
id = "rp7a"
device = 7
function = 0
[[root-port]]
id = "rp7b"
device = 7
function = 1
[[nic]]
id = "n7a"
at = "rp7a"
vfs = 1
[[nic]]
id = "n7b"
at = "rp7b"
vfs = 0

# 8: a switch with ACS at every downstream port
[[root-port]]
id = "rp8"
device = 8
[[switch]]
id = "sw8"
upstream = "rp8"
downstream = [{ id = "dp8a" }, { id = "dp8b" }]
[[nic]]
id = "n8a"
at = "dp8a"
vfs = 1
[[nic]]
id = "n8b"
at = "dp8b"
vfs = 0

# 9: two functions without ACS
[[root-port]]
id = "rp9"
device = 9
[[nic]]
id = "n9a"
at = "rp9"
acs = false
vfs = 0
[[nic]]
id = "n9b"
at = "rp9"
function = 1
acs = false
vfs = 0

# 10: two functions with an ACS capability that offers nothing
[[root-port]]
id = "rp10"
device = 10
[[nic]]
id = "n10a"
at = "rp10"
acs = []
vfs = 0
[[nic]]
id = "n10b"
at = "rp10"
function = 1
acs = []
vfs = 0

# 13, 17: two PFs without ACS, the VFs of each on a bus of their own
[[root-port]]
id = "rp13"
device = 13
[[nic]]
id = "n13a"
at = "rp13"
acs = false
vfs = 1
[[nic]]
id = "n13b"
at = "rp13"
function = 1
acs = false
vfs = 1

# 15: an endpoint of the root complex
[[nic]]
id = "n15"
at = "root-bus"
device = 15
vfs = 0

# 9 on the root bus: two functions of an endpoint of the root complex, without ACS
[[nic]]
id = "n16a"
at = "root-bus"
device = 16
function = 0
acs = false
vfs = 0
[[nic]]
id = "n16b"
at = "root-bus"
device = 16
function = 1
acs = false
vfs = 0

# 14: a bridge to conventional PCI with two devices
[[root-port]]
id = "rp14"
device = 14
[[pci-bridge]]
id = "br14"
at = "rp14"
[[exerciser]]
id = "e14a"
at = "br14"
device = 1
[[exerciser]]
id = "e14b"
at = "br14"
device = 2

# 16: two conventional functions of one device, and one of another
[[exerciser]]
id = "e16a"
at = "root-bus"
device = 17
function = 0
conventional = true
[[exerciser]]
id = "e16b"
at = "root-bus"
device = 17
function = 1
conventional = true
[[exerciser]]
id = "e16c"
at = "root-bus"
device = 18
conventional = true
"#;

/// Enables all VFs and lists every device with its group and its name.
const NAMES: &str = r#"
    for file in /sys/bus/pci/devices/*/sriov_totalvfs; do
        cat "$file" >"${file%totalvfs}numvfs"
    done
    for device in /sys/bus/pci/devices/*; do
        group=$(basename "$(readlink "$device/iommu_group" || echo none)")
        name=$(readlink -f "$device" | sed -E 's|.*/pci0000:00/||; s|0000:[0-9a-f]{2}:||g')
        # a VF's number on its bus depends on its PF
        if [ -e "$device/physfn" ]; then
            parent=$(readlink -f "$device/physfn")
            for link in "$parent"/virtfn*; do
                if [ "$(readlink -f "$link")" = "$(readlink -f "$device")" ]; then
                    name="$(sed -E 's|.*/pci0000:00/||; s|0000:[0-9a-f]{2}:||g' <<<"$parent")+vf${link##*virtfn}"
                fi
            done
        fi
        echo "$group $name"
    done >/tmp/groups
    # members NAME: all names in its group
    members() {
        local group
        group=$(awk -v name="$1" '$2 == name { print $1 }' /tmp/groups)
        awk -v group="$group" '$1 == group { print $2 }' /tmp/groups | sort | paste -s -d ' '
    }
    # together ROW NAME...: these are a group, and nothing else is in it
    together() { expect_eq "$1" "$(members "$2")" "$(printf '%s\n' "${@:2}" | sort | paste -s -d ' ')"; }
    # alone ROW NAME...: each of these is a group by itself
    alone() {
        local name
        for name in "${@:2}"; do together "$1 ($name)" "$name"; done
    }
"#;

const ROWS: &str = r#"
    expect_none "every device has a group" "$(cat /tmp/groups)" "^none"
    alone "row 1 - a card below a port with ACS" 01.0 01.0/00.0
    together "row 2, 12 - a card and its VFs below a port without ACS" 02.0 02.0/00.0 02.0/00.0+vf0 02.0/00.0+vf1
    alone "row 3 - a switch whose downstream ports have no ACS" 03.0 03.0/00.0
    together "row 3 - one of these ports and its card" 03.0/00.0/00.0 03.0/00.0/00.0/00.0
    together "row 3 - the other, though they reach each other" 03.0/00.0/01.0 03.0/00.0/01.0/00.0
    together "row 4 - downstream ports of one device without ACS" 04.0/00.0/00.0 04.0/00.0/00.1 04.0/00.0/00.0/00.0 04.0/00.0/00.1/00.0
    together "row 5 - an upstream port and a card in one device, and all below" 05.0/00.0 05.0/00.1 05.0/00.0/00.0 05.0/00.0/00.0/00.0 05.0/00.0/00.0/00.0+vf0
    alone "row 5 - the port above, and the card's VF" 05.0 05.0/00.1+vf0
    together "row 6 - root ports of one device without ACS" 06.0 06.1 06.0/00.0 06.0/00.0+vf0 06.1/00.0
    alone "row 7 - the same with ACS" 07.0 07.1 07.0/00.0 07.0/00.0+vf0 07.1/00.0
    alone "row 8 - ACS at every port" 08.0 08.0/00.0 08.0/00.0/00.0 08.0/00.0/01.0 08.0/00.0/00.0/00.0 08.0/00.0/00.0/00.0+vf0 08.0/00.0/01.0/00.0
    together "row 9 - two functions without ACS" 09.0/00.0 09.0/00.1
    alone "row 10 - two functions with an empty capability" 0a.0/00.0 0a.0/00.1
    alone "row 11 - a PF and its VFs" 01.0/00.0 01.0/00.0+vf0 01.0/00.0+vf1
    together "row 13 - two PFs without ACS" 0d.0/00.0 0d.0/00.1
    alone "row 13, 17 - their VFs, on further buses" 0d.0/00.0+vf0 0d.0/00.1+vf0
    alone "row 15 - an endpoint of the root complex" 0f.0
    alone "row 14 - the port above a bridge" 0e.0
    together "row 14 - a bridge to conventional PCI and all behind it" 0e.0/00.0 0e.0/00.0/01.0 0e.0/00.0/02.0
    together "row 16 - conventional functions of one device" 11.0 11.1
    alone "row 16 - a conventional function by itself" 12.0
    together "row 15 - two functions of one without ACS" 10.0 10.1
"#;

/// Row 18: no groups, and nobody has switched ACS on.
const OFF: &str = r#"
    expect_none "row 18 - no device has a group" "$(cat /tmp/groups)" "^[0-9]"
    lspci -vvv >/tmp/lspci
    expect_match "row 18 - ACS is there" "$(cat /tmp/lspci)" "ACSCap:.*SrcValid\+"
    expect_none "row 18 - and off everywhere" "$(grep ACSCtl /tmp/lspci)" "\+"
"#;

//! Who reaches whom, tried out with exercisers: functions that do DMA at any address on command. Their driver takes no addresses
//! from user space; scripts drive their registers through /dev/mem.

use super::without_iommu;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let script = |rows: &str| format!("{HELPERS}{rows}");
    vec![
        guest("isolation::peers", script(PEERS)).platform(TREE).minutes(10),
        guest("isolation::functions_beside_a_switch", script(BESIDE)).platform(BESIDE_TREE),
        guest("isolation::conventional", script(CONVENTIONAL)).platform(CONVENTIONAL_TREE),
        guest("isolation::through_a_bridge", script(THROUGH))
            .platform(CONVENTIONAL_TREE)
            .cmdline("iommu=pt memmap=1M$0x10000000"),
        guest("isolation::event_collector", script(COLLECTOR))
            .platform(without_iommu(COLLECTOR_TREE)),
        guest("isolation::errors", script(ERRORS)).platform(without_iommu(TREE)).minutes(10),
    ]
}

/// Two exercisers below one switch with access control.
const TREE: &str = r#"
[[root-port]]
id = "rp0"

[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "a" }, { id = "b" }]

[[exerciser]]
id = "first"
at = "a"
vfs = 3

[[exerciser]]
id = "second"
at = "b"
vfs = 0
"#;

/// Twice a switch whose upstream port shares its device with an exerciser, first without access control between the two.
const BESIDE_TREE: &str = r#"
[[root-port]]
id = "rp0"
[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }]
[[exerciser]]
id = "beside0"
at = "rp0"
function = 1
acs = false
vfs = 0
[[exerciser]]
id = "below0"
at = "dp0"
vfs = 0

[[root-port]]
id = "rp1"
[[switch]]
id = "sw1"
upstream = "rp1"
acs = true
downstream = [{ id = "dp1" }]
[[exerciser]]
id = "beside1"
at = "rp1"
function = 1
vfs = 0
[[exerciser]]
id = "below1"
at = "dp1"
vfs = 0
"#;

/// Conventional functions: two behind a bridge, two of one device on the root bus; and one of PCI Express.
const CONVENTIONAL_TREE: &str = r#"
[[root-port]]
id = "rp0"
[[pci-bridge]]
id = "br0"
at = "rp0"
[[exerciser]]
id = "one"
at = "br0"
device = 1
[[exerciser]]
id = "other"
at = "br0"
device = 2
[[exerciser]]
id = "function0"
at = "root-bus"
device = 16
conventional = true
[[exerciser]]
id = "function1"
at = "root-bus"
device = 16
function = 1
conventional = true
[[root-port]]
id = "rp1"
[[exerciser]]
id = "express"
at = "rp1"
vfs = 0
"#;

/// Two integrated endpoints and a collector of their errors.
const COLLECTOR_TREE: &str = r#"
[root-complex]
event-collector = true
[[exerciser]]
id = "first"
at = "root-bus"
device = 16
vfs = 0
[[exerciser]]
id = "second"
at = "root-bus"
device = 17
vfs = 0
"#;

const HELPERS: &str = r#"
    READ=8 WRITE=16 POISONED=$((1 << 31)) TRANSLATED=$((1 << 30))
    device() { echo "/sys/bus/pci/devices/$1"; }
    mapfile -t found < <(lspci -Dn -d 16c3:edda | cut -d' ' -f1)
    first=${found[0]} second=${found[1]}
    above() { basename "$(dirname "$(readlink -f "$(device "$1")")")"; }
    a=$(above "$first") b=$(above "$second")
    root=$(above "$(above "$a")")
    # bar FUNCTION N: its address
    bar() { sed -n "$(($2 + 1))s/ .*//p" "$(device "$1")/resource"; }
    get() { busybox devmem "$(printf '%#x' "$1")" 32; }
    put() { busybox devmem "$(printf '%#x' "$1")" 32 "$2"; }
    # open FUNCTION...: it answers, sends, and reports every error
    open() {
        local function
        for function; do
            if [ ! -e "$(device "$function")/physfn" ]; then echo 1 >"$(device "$function")/enable"; fi
            setpci -s "$function" COMMAND=6:6 CAP_EXP+8.w=f:f
        done
    }
    # exercise FUNCTION COMMAND SOURCE DESTINATION: 16 bytes; prints status and reason
    exercise() {
        local base
        base=$(bar "$1" 0)
        put $((base + 0x0c)) $(($3 & 0xffffffff))
        put $((base + 0x10)) $(($3 >> 32))
        put $((base + 0x14)) $(($4 & 0xffffffff))
        put $((base + 0x18)) $(($4 >> 32))
        put $((base + 0x1c)) 16
        put $((base + 0x24)) 3 # no interrupt
        put $((base + 0x04)) "$2"
        while [ "$(($(get $((base + 0x04)))))" != 0 ]; do :; done
        echo "$(get $((base + 0x08))) $(get $((base + 0x400)))"
    }
    # what Linux says, in its older and its newer words
    FROM='error (message )?received(:| from)'
    WENT_WELL='0x00000004 0x00000000'
    # reached FUNCTION: its memory is no longer what it was when forgotten
    forget() { put "$(bar "$1" 1)" 0x11111111; }
    reached() { [ "$(get "$(bar "$1" 1)")" != 0x11111111 ]; }
    # acs PORT WORD: Access Control Services of a port
    acs() { setpci -s "$1" ECAP_ACS+6.w="$2"; }
    faults() { sleep 0.2 && dmesg | grep -E 'DMAR: \[' || true; }
    # told REGEX: the log says so, from mark on
    mark() { seen=$(dmesg | wc -l); }
    since() { dmesg | tail -n "+$((seen + 1))"; }
    told() { eventually bash -c "dmesg | tail -n +$((seen + 1)) | grep -qE '$1'"; }
"#;

/// The guest's own settings, then others: what is translated, what goes across the switch, what is blocked.
const PEERS: &str = r#"
    expect_eq "there are two exercisers" "${#found[@]}" 2
    open "$first" "$second"
    target=$(bar "$second" 1)

    expect_eq "Linux redirects at the port" "$(setpci -s "$a" ECAP_ACS+6.w)" 001d
    forget "$second"
    expect_eq "a redirected write is blocked by the IOMMU" "$(exercise "$first" "$WRITE" 0 "$target")" '0x00000108 0x00000004'
    refuse "the peer's memory is as before" reached "$second"
    expect_match "the fault has the sender's id" "$(faults | tail -n 1)" "DMA Write.*${first#0000:}.*fault addr"

    before=$(faults | wc -l)
    acs "$a" 0
    expect_eq "without redirection it goes across" "$(exercise "$first" "$WRITE" 0 "$target")" "$WENT_WELL"
    check "the peer's memory has changed" eventually reached "$second"
    expect_eq "the IOMMU never saw it" "$(faults | wc -l)" "$before"

    mark
    setpci -s "$a" ECAP_ACS+8.l=4
    acs "$a" 20
    forget "$second"
    expect_eq "egress control forbids it" "$(exercise "$first" "$WRITE" 0 "$target")" '0x00000108 0x00000003'
    refuse "the peer's memory is as before the violation" reached "$second"
    check "the port reports the violation" told "$a: .*ACSViol"
    expect_match "with the write's header" "$(setpci -s "$a" ECAP_AER+1c.l ECAP_AER+20.l | xargs)" "^[46]0000004 ${first:5:2}0000ff"
    acs "$a" 02
    expect_eq "translated requests are forbidden" "$(exercise "$first" $((WRITE | TRANSLATED)) 0 "$target")" '0x00000108 0x00000003'

    acs "$a" 1d
    modprobe pci_pf_stub
    echo pci-pf-stub >"$(device "$first")/driver_override"
    echo "$first" >/sys/bus/pci/drivers_probe
    echo 3 >"$(device "$first")/sriov_numvfs"
    vf=$(vf "$first" 2)
    setpci -s "$vf" COMMAND=4:4
    acs "$a" 0
    forget "$second"
    expect_eq "a VF goes across too" "$(exercise "$vf" "$WRITE" 0 "$target")" "$WENT_WELL"
    check "the peer has it from the VF" eventually reached "$second"
    acs "$a" 1d
    expect_eq "a VF is redirected too" "$(exercise "$vf" "$WRITE" 0 "$target")" '0x00000108 0x00000004'
    expect_match "the fault has the VF's id" "$(faults | tail -n 1)" "DMA Write.*${vf#0000:}.*fault addr"
    expect_eq "each VF has a group of its own" "$(for n in 0 1 2; do readlink "$(device "$first")/virtfn$n/iommu_group"; done | sort -u | wc -l)" 3
"#;

/// What the groups say of functions beside a switch is what their requests do.
const BESIDE: &str = r#"
    expect_eq "there are four exercisers" "${#found[@]}" 4
    open "${found[@]}"
    for port in $(lspci -Dn -d 1234: | cut -d' ' -f1); do setpci -s "$port" COMMAND=6:6; done
    group() { basename "$(readlink "$(device "$1")/iommu_group")"; }
    beside=${found[0]} below=${found[1]}
    expect_match "the switch is function 0 beside it" "$(lspci -s "${beside%.1}.0")" "PCI bridge"
    expect_eq "without access control they are one group" "$(group "$beside")" "$(group "$below")"
    forget "$beside" && forget "$below"
    before=$(faults | wc -l)
    expect_eq "a write goes into the switch" "$(exercise "$beside" "$WRITE" 0 "$(bar "$below" 1)")" "$WENT_WELL"
    check "and arrives" eventually reached "$below"
    expect_eq "a write goes out of the switch to its sibling" "$(exercise "$below" "$WRITE" 0 "$(bar "$beside" 1)")" "$WENT_WELL"
    check "and arrives there" eventually reached "$beside"
    expect_eq "the IOMMU saw neither" "$(faults | wc -l)" "$before"

    beside=${found[2]} below=${found[3]}
    expect_eq "Linux redirects at the upstream port" "$(setpci -s "${beside%.1}.0" ECAP_ACS+6.w)" 000c
    check "with access control they are two groups" test "$(group "$beside")" != "$(group "$below")"
    forget "$beside" && forget "$below"
    expect_eq "a write into the switch is blocked" "$(exercise "$beside" "$WRITE" 0 "$(bar "$below" 1)")" '0x00000108 0x00000004'
    expect_match "the fault has the sibling's id" "$(faults | tail -n 1)" "DMA Write.*${beside#0000:}.*fault addr"
    expect_eq "a write out of the switch is blocked" "$(exercise "$below" "$WRITE" 0 "$(bar "$beside" 1)")" '0x00000108 0x00000004'
    expect_match "the fault has the id of the one below" "$(faults | tail -n 1)" "DMA Write.*${below#0000:}.*fault addr"
    refuse "nothing arrived inside" reached "$below"
    refuse "nothing arrived beside" reached "$beside"
"#;

/// Requests from behind a bridge are the bridge's; on a conventional bus, and inside a conventional device, nothing is redirected.
const CONVENTIONAL: &str = r#"
    expect_eq "there are five exercisers" "${#found[@]}" 5
    for function in "${found[@]}"; do
        echo 1 >"$(device "$function")/enable"
        setpci -s "$function" COMMAND=6:6
    done
    for bridge in $(lspci -Dn -d 1234: | cut -d' ' -f1); do setpci -s "$bridge" COMMAND=6:6; done
    function0=${found[0]} function1=${found[1]} one=${found[2]} other=${found[3]} express=${found[4]}
    bridge=$(above "$one")
    lspci -vvv >/tmp/lspci
    expect_match "the bridge says what it is" "$(lspci -vvv -s "$bridge")" "Express \(v2\) PCI-Express to PCI/PCI-X Bridge"
    expect_none "the functions behind it have no such capability" "$(lspci -vvv -s "$one")" "Express"
    alias=$(printf '%s:00.0' "${one:5:2}")
    nowhere=0x7ff0000000

    forget "$one" && forget "$other"
    before=$(faults | wc -l)
    expect_eq "a write to a device on the same bus" "$(exercise "$one" "$WRITE" 0 "$(bar "$other" 1)")" "$WENT_WELL"
    check "arrives" eventually reached "$other"
    expect_eq "and no IOMMU sees it" "$(faults | wc -l)" "$before"
    expect_eq "a write to memory nobody gave is blocked" "$(exercise "$one" "$WRITE" 0 0x1000)" '0x00000108 0x00000004'
    expect_match "the fault has the bridge's secondary bus and no device's number" "$(faults | tail -n 1)" "DMA Write.*\[?$alias\]?.*fault addr"
    forget "$express"
    expect_eq "so is one to a function of PCI Express" "$(exercise "$other" "$WRITE" 0 "$(bar "$express" 1)")" '0x00000108 0x00000004'
    refuse "which has what it had" reached "$express"

    forget "$function1"
    expect_eq "a write to another function of a conventional device" "$(exercise "$function0" "$WRITE" 0 "$(bar "$function1" 1)")" "$WENT_WELL"
    check "arrives too" eventually reached "$function1"
    expect_eq "the root complex blocks the rest" "$(exercise "$function0" "$WRITE" 0 0x1000)" '0x00000108 0x00000004'
    expect_match "with the function's own number" "$(faults | tail -n 1)" "DMA Write.*${function0#0000:}.*fault addr"
"#;

/// The kernel passes everything through, by the context entry of the bridge's id: of the devices' own there are no requests.
const THROUGH: &str = r#"
    one=${found[2]} memory=0x10000000
    echo 1 >"$(device "$one")/enable"
    setpci -s "$one" COMMAND=6:6
    put "$memory" 0x11111111
    expect_eq "a write to memory goes well" "$(exercise "$one" "$WRITE" 0 "$memory")" "$WENT_WELL"
    refuse "the memory has changed" test "$(get "$memory")" = 0x11111111
    expect_eq "a read too" "$(exercise "$one" "$READ" "$memory" 0 | cut -d' ' -f2)" 0x00000000
    expect_eq "nothing was blocked" "$(faults | wc -l)" 0
    expect_match "the group's domain is one that passes through" "$(cat "$(device "$one")/iommu_group/type")" "identity"
"#;

/// Errors of integrated endpoints reach the guest's driver through the collector.
const COLLECTOR: &str = r#"
    collector=$(lspci -Dn -d 1234:0f04 | cut -d' ' -f1)
    expect_match "the collector says whose errors it gathers" "$(lspci -vvv -s "$collector")" "Endpoint Association"
    expect_match "Linux handles its errors" "$(dmesg)" "pcieport $collector: AER: enabled"
    open "$first" "$second"

    mark
    setpci -s "$second" ECAP_AER+14.l=0
    expect_eq "a refused register reads all ones" "$(get $(($(bar "$second" 0) + 0x800)))" 0xFFFFFFFF
    check "the collector tells of the device" told "$collector: AER: Correct(ed|able) $FROM $second"

    mark
    forget "$second"
    expect_eq "a poisoned write is sent" "$(exercise "$first" $((WRITE | POISONED)) 0 "$(bar "$second" 1)")" "$WENT_WELL"
    check "the collector tells of its receiver" told "$collector: AER: Uncorrect(ed|able) \(Non-Fatal\) $FROM $second"
    check "which has its own error" told "$second: .*\[12\] TLP"
    refuse "and has thrown it away" reached "$second"
"#;

/// Errors as the guest's own driver tells of them: the right function, the right error.
const ERRORS: &str = r#"
    expect_match "Linux handles the root port's errors" "$(dmesg)" "pcieport $root: AER: enabled"
    open "$first" "$second"
    nowhere=0x7ff0000000

    mark
    expect_eq "a write to nowhere ends" "$(exercise "$first" "$WRITE" 0 "$nowhere")" '0x00000108 0x00000002'
    check "the root port tells of it" told "Uncorrect(ed|able) \(Non-Fatal\) $FROM $root"
    check "as an unsupported request" told "$root: .*UnsupReq +\(First\)"
    expect_match "with its header" "$(since)" "TLP Header: (0x)?60000004 (0x)?${first:5:2}0000ff (0x)?0000007f (0x)?f0000000"

    mark
    expect_eq "a read from nowhere ends" "$(exercise "$first" "$READ" "$nowhere" 0)" '0x00000082 0x00000002'
    expect_match "its sender knows" "$(lspci -vvv -s "$first" | grep Status: | head -n 1)" "<MAbort\+"
    sleep 1
    expect_none "and nobody else" "$(since)" "AER"

    mark
    exercise "$first" "$WRITE" 0 "$(($(bar "$second" 0) + 0x80000))" >/dev/null
    check "a peer tells of what it does not have" told "Uncorrect(ed|able) \(Non-Fatal\) $FROM $second"
    check "with its own error" told "$second: .*UnsupReq"

    mark
    forget "$second"
    expect_eq "a poisoned write is sent" "$(exercise "$first" $((WRITE | POISONED)) 0 "$(bar "$second" 1)")" "$WENT_WELL"
    check "its receiver tells of it" told "$second: .*\[12\] TLP"
    refuse "and has thrown it away" reached "$second"
    expect_match "the sender's port has seen it" "$(lspci -vvv -s "$a" | grep 'Secondary status')" "<PERR\+"

    mark
    setpci -s "$second" ECAP_AER+14.l=0
    expect_eq "a refused register reads all ones" "$(get $(($(bar "$second" 0) + 0x800)))" 0xFFFFFFFF
    check "the device tells of it" told "Correct(ed|able) $FROM $second"

    mark
    setpci -s "$root" BRIDGE_CONTROL=0:2
    exercise "$first" "$WRITE" 0 "$(($(bar "$second" 0) + 0x80000))" >/dev/null
    sleep 1
    expect_none "without SERR in the bridges nothing is told" "$(since)" "AER"
"#;

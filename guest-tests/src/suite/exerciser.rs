//! The exerciser by the driver whose registers it has: Linux' `pci_endpoint_test`, built for the kernel under test, and its own
//! script, `pcitest.sh`, with each line of its results as a check.

use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("exerciser::upstream", UPSTREAM)
            .platform(PLATFORM)
            .archive("endpoint-test")
            .minutes(10),
    ]
}

const PLATFORM: &str = r#"
[[root-port]]
id = "rp0"

[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }]

[[exerciser]]
id = "exerciser"
at = "dp0"
vfs = 1
"#;

/// The script asks for the 2048 vectors that MSI-X may have and waits a second for each that isn't there; there are 8. A VF has no pin.
const UPSTREAM: &str = r#"
    function=$(pf)
    device=/sys/bus/pci/devices/$function
    check "the stock kernel takes the module" insmod /pando/pci_endpoint_test.ko
    expect_eq "the driver binds by its own table" "$(basename "$(readlink "$device/driver")")" pci-endpoint-test
    check "it has a device file" eventually test -c /dev/pci-endpoint-test.0

    # parse LINE: what pcitest prints of a test, as name and result
    parse() {
        [[ $1 =~ ^([^:]+):[[:space:]]+([A-Z ]+)$ ]] || return 1
        result=${BASH_REMATCH[2]}
        name=$(tr -s ' ' <<<"${BASH_REMATCH[1]}")
    }
    # run_all WHOSE NUMBER SED: the script, but for what the sed command changes, has this many results, all of them good
    run_all() {
        local line name result tests=0
        sed "s/-lt 2049/-lt 9/; $3" /pando/pcitest.sh >/tmp/pcitest.sh
        while IFS= read -r line; do
            if ! parse "$line"; then continue; fi
            expect_eq "$1 $name" "$result" OKAY
            tests=$((tests + 1))
        done < <(sh /tmp/pcitest.sh 2>&1)
        expect_eq "$1 tests" "$tests" "$2"
    }
    # result OPTION...: of one test
    result() {
        local name result=
        parse "$(pcitest "$@" 2>&1)" || true
        echo "$result"
    }

    run_all "PF" 66 ''
    expect_eq "PF no ninth vector of MSI-X" "$(result -i 2; result -x 9)" $'OKAY\nNOT OKAY'

    # by its pin, which tells of the end, a function may still interrupt
    expect_eq "PF its pin again" "$(result -i 0)" OKAY
    setpci -s "$function" COMMAND=0:4
    for kind in r w c; do expect_eq "PF without Bus Master, -$kind" "$(result -$kind -s 1024)" "NOT OKAY"; done
    setpci -s "$function" COMMAND=4:4
    for kind in r w c; do expect_eq "PF with it again, -$kind" "$(result -$kind -s 1024)" OKAY; done

    # the driver gives a VF the kind of interrupt that was chosen last
    expect_eq "PF MSI again" "$(result -i 1)" OKAY
    check "the driver enables a VF" eval "echo 1 >$device/sriov_numvfs"
    check "and takes it" eventually test -c /dev/pci-endpoint-test.1
    mkdir /tmp/vf
    printf '#!/bin/sh\nexec /usr/bin/pcitest -D /dev/pci-endpoint-test.1 "$@"\n' >/tmp/vf/pcitest
    chmod +x /tmp/vf/pcitest
    PATH=/tmp/vf:$PATH
    run_all "VF" 64 '/-i 0$/d; /-l$/d'
    expect_eq "VF no pin" "$(result -i 0)" "NOT OKAY"

    check "the VF goes" eval "echo 0 >$device/sriov_numvfs"
    check "the driver goes" rmmod pci_endpoint_test
    expect_none "the IOMMU has blocked nothing" "$(dmesg)" "DMAR: \[|fault reason"
    expect_none "nobody was called in vain" "$(dmesg)" "nobody cared|spurious"
    expect_none "the kernel has no complaint" "$(dmesg)" "cut here|BUG:|Oops"
"#;

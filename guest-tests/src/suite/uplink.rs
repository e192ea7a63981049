//! What the guest sees of its card's cable: the link state follows the host's end, whatever becomes of that, and nothing else is
//! disturbed.

use anyhow::Result;

use super::nic;
use crate::guest::Guest;
use crate::host::shell;
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    let tap = nic("vfs = 7\nuplink = { tap = \"pando1\" }");
    vec![
        guest("uplink::virtio", VIRTIO).platform(tap.clone()).host(down_up_and_away),
        guest("uplink::82599", INTEL)
            .platform(tap.replace("virtio", "82599"))
            .host(down_up_and_away),
    ]
}

/// The PF is where the cable ends. VFs talk to each other through the card's switch all the time.
const VIRTIO: &str = r#"
    nic=$(pf)
    zero=$(netdev "$nic")
    ip link set "$zero" up
    set_vfs "$nic" 2
    one=$(netdev "$(vf "$nic" 0)")
    into a "$one" 10.0.0.1/24
    into b "$(netdev "$(vf "$nic" 1)")" 10.0.0.2/24
    check "the link is up" has_carrier "$zero"
    check "the VFs talk" reaches b 10.0.0.1
    begin_pings b 10.0.0.1
    await_host down
    check "the host takes the tap down: no carrier" has_carrier "$zero" 0
    await_host up
    check "the host takes it up: the carrier is back" has_carrier "$zero"
    await_host gone
    check "the tap is removed: no carrier" has_carrier "$zero" 0
    expect_eq "a VF is still connected" "$(within a cat "/sys/class/net/$one/carrier")" 1
    expect_match "the VFs lost nothing" "$(end_pings)" ", 0 lost"
    echo 0 >"/sys/bus/pci/devices/$nic/sriov_numvfs"
    for action in unbind bind; do echo "$nic" >/sys/bus/pci/drivers/virtio-pci/$action; done
    zero=$(netdev "$nic")
    ip link set "$zero" up
    check "a driver that begins afterwards sees the same" has_carrier "$zero" 0
"#;

/// The chip has one link for PF and VFs.
const INTEL: &str = r#"
    nic=$(pf)
    modprobe -a ixgbe ixgbevf
    zero=$(netdev "$nic")
    ip link set "$zero" up
    check "the link is up" has_carrier "$zero"
    set_vfs "$nic" 1
    one=$(netdev "$(vf "$nic" 0)")
    ip link set "$one" up
    check "the VF's too" has_carrier "$one"
    await_host down
    for port in $zero $one; do check "the host takes the tap down: no carrier at $port" has_carrier "$port" 0; done
    await_host up
    for port in $zero $one; do check "the host takes it up: $port has its carrier back" has_carrier "$port"; done
    await_host gone
    for port in $zero $one; do check "the tap is removed: no carrier at $port" has_carrier "$port" 0; done
"#;

fn down_up_and_away(guest: &mut Guest) -> Result<()> {
    for (word, command) in [
        ("down", "ip link set pando1 down"),
        ("up", "ip link set pando1 up"),
        ("gone", "ip link del pando1"),
    ] {
        guest.wait_for(word)?;
        shell(command)?;
        guest.proceed()?;
    }
    guest.finish().map(drop)
}

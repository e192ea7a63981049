//! Bare-metal payloads: what needs no kernel. They run on an interpreting /dev/kvm as well.

use super::nic;
use crate::test::{Test, payload};

/// The ELF that build.rs makes of a payload.
macro_rules! elf {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".elf"))
    };
}

pub(super) const POWER_ON: &[u8] = elf!("power_on");

/// No test but a bench: frames from one VF to another, with a card of two VFs or more.
pub const FLOOD: &[u8] = elf!("flood");

/// A switch with an exerciser below each of its two ports.
const EXERCISERS: &str = r#"
[[root-port]]
id = "rp0"

[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }, { id = "dp1" }]

[[exerciser]]
id = "ex0"
at = "dp0"
vfs = 20

[[exerciser]]
id = "ex1"
at = "dp1"
vfs = 0
"#;

/// A card and an exerciser as two functions of one device.
const CARD_AND_EXERCISER: &str = r#"
[[root-port]]
id = "rp0"

[[nic]]
id = "nic0"
at = "rp0"
model = "virtio"
vfs = 2
mac = "02:00:00:00:00:01"

[[exerciser]]
id = "ex0"
at = "rp0"
function = 1
vfs = 0
"#;

pub(super) fn tests() -> Vec<Test> {
    let exercisers = |name, elf| payload(name, elf).platform(EXERCISERS).memory("128MiB");
    vec![
        payload("payload::power_on", POWER_ON).platform(nic("vfs = 7")).memory("128MiB"),
        exercisers("payload::config_space", elf!("config_space")),
        exercisers("payload::bar_moves", elf!("bar_moves")),
        exercisers("payload::msix", elf!("msix")),
        exercisers("payload::sriov", elf!("sriov")),
        payload("payload::doorbells", elf!("doorbells"))
            .platform(CARD_AND_EXERCISER)
            .memory("128MiB"),
    ]
}

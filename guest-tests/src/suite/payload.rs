//! Bare-metal payloads: what needs no kernel. They run on an interpreting /dev/kvm as well.

use super::nic;
use crate::test::{Test, payload};

pub(super) const POWER_ON: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/power_on.elf"));

pub(super) fn tests() -> Vec<Test> {
    vec![payload("payload::power_on", POWER_ON).platform(nic("vfs = 7")).memory("128MiB")]
}

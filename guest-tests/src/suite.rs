//! The list of guest tests, by what they are about.

mod boot;
mod dpdk;
mod exerciser;
mod flr;
mod groups;
mod input;
mod intel;
mod interrupts;
mod isolation;
mod lifecycle;
mod payload;
mod pci;
mod sriov;
mod traffic;
mod uplink;
mod vfio;
mod virtio;
mod vtd;

use crate::test::Test;

pub use payload::FLOOD;

/// The platform that a test gets unless it brings its own: a NIC below a switch, without a cable.
pub const PLATFORM: &str = r#"
[[root-port]]
id = "rp0"

[[switch]]
id = "sw0"
upstream = "rp0"
downstream = [{ id = "dp0" }, { id = "dp1" }]

[[nic]]
id = "nic0"
at = "dp0"
model = "virtio"
vfs = 7
mac = "02:00:00:00:00:01"
"#;

/// Every test.
#[must_use]
pub fn tests() -> Vec<Test> {
    [
        payload::tests(),
        boot::tests(),
        pci::tests(),
        sriov::tests(),
        traffic::tests(),
        uplink::tests(),
        flr::tests(),
        groups::tests(),
        intel::tests(),
        interrupts::tests(),
        isolation::tests(),
        vfio::tests(),
        virtio::tests(),
        vtd::tests(),
        dpdk::tests(),
        exerciser::tests(),
        lifecycle::tests(),
        input::tests(),
    ]
    .concat()
}

/// The usual platform with these keys instead of the NIC's number of VFs.
fn nic(keys: &str) -> String {
    PLATFORM.replace("vfs = 7", keys)
}

/// The platform without the IOMMU that it would have.
fn without_iommu(platform: &str) -> String {
    format!("[iommu]\nmodel = \"none\"\n{platform}")
}

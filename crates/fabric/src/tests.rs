//! The tree as a guest and its functions see it, with fake devices and no hypervisor.

mod acs;
mod config;
mod conventional;
mod doorbells;
mod enumeration;
mod errors;
mod fuzz;
mod intx;
mod invariants;
mod mmio;
mod peer;
mod properties;
mod random;
mod reach;
mod reset;
mod shared;
mod sriov;
mod support;

/// The builder of an empty tree with a changed configuration.
pub(crate) fn machine(
    change: impl FnOnce(&mut crate::FabricConfig),
) -> Result<crate::FabricBuilder, crate::BuildError> {
    let mut config = support::config();
    change(&mut config);
    support::Machine::builder(config)
}

//! Where conventional PCI functions and the bridges to their buses can be (PCI Express to PCI/PCI-X bridge specification 1.0).

use super::exerciser::ExerciserEntry;
use super::file::File;
use super::link::Plug;
use super::problem::Problems;

/// What a function is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bus {
    /// Bus 0: functions of either kind.
    Root,
    /// The bus behind a bridge: conventional functions only.
    Conventional,
    /// The link of a port: functions of PCI Express only.
    Link,
}

/// Whether an exerciser can be what the file says, where it is.
pub(super) fn check(exerciser: &ExerciserEntry, bus: Bus, problems: &Problems<'_>) {
    let id = exerciser.id.get_ref();
    match (exerciser.conventional, bus) {
        (Some(true), Bus::Link) => {
            let wrong = format!("the conventional function `{id}` at a link of PCI Express");
            let right = "put it on the root bus or behind a `[[pci-bridge]]`";
            problems.report(exerciser.conventional_span.clone(), wrong, right);
        }
        (Some(false), Bus::Conventional) => {
            let wrong = format!("the PCI Express function `{id}` on a bus of conventional PCI");
            problems.report(exerciser.conventional_span.clone(), wrong, "remove `conventional`");
        }
        (conventional, bus) => {
            if !conventional.unwrap_or(bus == Bus::Conventional) {
                return;
            }
            let Some((key, span)) = &exerciser.express_key else { return };
            let wrong = format!("`{key}` of the conventional function `{id}`");
            problems.report(span.clone(), wrong, "remove it: only PCI Express has that");
        }
    }
}

/// A bridge to conventional PCI is the only function at its link.
pub(super) fn check_alone(file: &File, plugs: &[Plug], problems: &Problems<'_>) {
    let bridge = plugs.iter().find_map(|plug| match plug {
        Plug::Bridge(index) => file.bridges.get(*index),
        _ => None,
    });
    if let Some(bridge) = bridge.filter(|_| plugs.len() > 1) {
        let wrong = format!("the bridge `{}` is not alone at its port", bridge.id.get_ref());
        problems.report(bridge.at.span(), wrong, "give it a port of its own");
    }
}

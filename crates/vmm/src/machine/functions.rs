//! The functions of a device, whatever they are, and where each of them sits.

use std::collections::BTreeMap;

use pando_pci::{AriHierarchy, Slot};

use super::tree::function_access_control;
use crate::platform::{AcsServices, Below, DeviceFunction, Exerciser, Id, Nic, Switch};

/// A physical function.
#[derive(Clone, Copy)]
pub(super) enum Function<'a> {
    /// A network card.
    Nic(&'a Nic),
    /// An exerciser.
    Exerciser(&'a Exerciser),
    /// A switch's upstream port.
    Switch(&'a Switch),
}

impl<'a> Function<'a> {
    /// A bridge to conventional PCI is none: it has no peers.
    pub(super) fn of(below: &'a Below) -> Option<Self> {
        match below {
            Below::Nic(nic) => Some(Self::Nic(nic)),
            Below::Exerciser(exerciser) => Some(Self::Exerciser(exerciser)),
            Below::Switch(switch) => Some(Self::Switch(switch)),
            Below::PciBridge(_) => None,
        }
    }

    /// Functions of a bus, by device number.
    pub(super) fn devices(all: impl Iterator<Item = Self>) -> BTreeMap<u8, Vec<Self>> {
        let mut devices = BTreeMap::<u8, Vec<Self>>::new();
        for function in all {
            devices.entry(function.position().device).or_default().push(function);
        }
        devices.values_mut().for_each(|all| all.sort_by_key(Self::position));
        devices
    }
}

impl Function<'_> {
    pub(super) fn id(&self) -> &Id {
        match self {
            Self::Nic(nic) => &nic.id,
            Self::Exerciser(exerciser) => &exerciser.id,
            Self::Switch(switch) => &switch.id,
        }
    }

    pub(super) fn position(&self) -> DeviceFunction {
        match self {
            Self::Nic(nic) => nic.position,
            Self::Exerciser(exerciser) => exerciser.position,
            Self::Switch(switch) => switch.position,
        }
    }

    fn acs(&self) -> Option<AcsServices> {
        match self {
            Self::Nic(nic) => nic.acs,
            Self::Exerciser(exerciser) => exerciser.acs,
            Self::Switch(switch) => switch.acs,
        }
    }

    fn is_conventional(&self) -> bool {
        matches!(self, Self::Exerciser(exerciser) if exerciser.conventional)
    }

    fn vfs(&self) -> usize {
        match self {
            Self::Nic(nic) => nic.vfs.len(),
            Self::Exerciser(exerciser) => exerciser.vfs.into(),
            Self::Switch(_) => 0,
        }
    }
}

/// The places of the functions of one device. VFs of a lone PF lie where its model puts them; of several functions each gets a
/// bus of its own for its VFs, so that none has the number of another function.
pub(super) fn slots(functions: &[Function<'_>]) -> Vec<Slot> {
    let ari = AriHierarchy::default();
    let with_vfs =
        |functions: &[Function<'_>]| functions.iter().filter(|each| each.vfs() > 0).count();
    let several = functions.len() > 1;
    let all = functions.iter().map(|function| 1 + function.vfs()).sum();
    (0..functions.len())
        .map(|index| {
            let (function, before) = (&functions[index], with_vfs(&functions[..index]));
            let next = functions.get(index + 1);
            Slot {
                function: function.position().bits(),
                multi_function: several,
                next_function: next.map_or(0, |next| next.position().bits()),
                integrated: false,
                conventional: function.is_conventional(),
                acs: function.acs().map(|acs| function_access_control(acs, all)),
                vf_offset: several.then(|| function.position().vf_offset_behind(before as u8)),
                ari: ari.clone(),
                follows: before > 0,
            }
        })
        .collect()
}

//! What is at each link: one device, whose functions may be upstream ports and endpoints together.

use super::FabricBuilder;
use crate::error::BuildError;
use crate::topology::BusIndex;

/// What is at a link.
pub(super) struct Occupant {
    id: String,
    share: Share,
}

/// What an occupant is, and so with whom it shares the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// A whole switch.
    Nobody,
    /// The endpoint functions of a device, all of them.
    Device,
    /// An upstream port that is one of several functions.
    Port,
}

impl Share {
    fn allows(self, other: Self) -> bool {
        self != Self::Nobody && other != Self::Nobody && (self == Self::Port || other == Self::Port)
    }
}

impl FabricBuilder {
    /// The link below the port `port`, where `newcomer` is from now on.
    pub(super) fn occupy(
        &mut self,
        port: &str,
        newcomer: &str,
        share: Share,
    ) -> Result<BusIndex, BuildError> {
        let mut links = self.topology.ports.iter().filter(|port| port.kind.is_downstream());
        let found = links.find(|candidate| candidate.id == port);
        let bus = found.ok_or_else(|| BuildError::UnknownPort(port.to_owned()))?.below;
        let occupants = &mut self.occupants[bus.0];
        if let Some(occupant) = occupants.iter().find(|each| !each.share.allows(share)) {
            return Err(BuildError::Occupied {
                port: port.to_owned(),
                occupant: occupant.id.clone(),
                newcomer: newcomer.to_owned(),
            });
        }
        occupants.push(Occupant { id: newcomer.to_owned(), share });
        Ok(bus)
    }

    /// The link where `id` is.
    pub(super) fn occupied_by(&self, id: &str) -> Option<BusIndex> {
        let is_there = |occupants: &Vec<Occupant>| occupants.iter().any(|each| each.id == id);
        self.occupants.iter().position(is_there).map(BusIndex)
    }
}

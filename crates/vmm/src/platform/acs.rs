//! The Access Control Services that a platform file gives to a port or a function (PCI Express base 6.0, 7.7.11).

use serde::{Serialize, Serializer};

/// The services of an ACS capability, as bits of its capability register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcsServices(u16);

/// Name in a platform file, bit of the capability register.
const SERVICES: [(&str, u16); 7] = [
    ("sv", 1 << 0), // Source Validation
    ("tb", 1 << 1), // Translation Blocking
    ("rr", 1 << 2), // P2P Request Redirect
    ("cr", 1 << 3), // P2P Completion Redirect
    ("uf", 1 << 4), // Upstream Forwarding
    ("ec", 1 << 5), // P2P Egress Control
    ("dt", 1 << 6), // Direct Translated P2P
];

impl AcsServices {
    /// A capability that offers nothing.
    pub const NONE: Self = Self(0);
    /// All that a root port or a switch's downstream port can offer.
    pub const PORT: Self = Self(0x7f);
    /// All that a function of an endpoint, or an upstream port in a multi-function device, can offer: no sv, tb, uf.
    pub const FUNCTION: Self = Self(0x6c);

    /// The word of the ACS capability register, without the egress vector's size.
    pub fn word(self) -> u16 {
        self.0
    }

    /// Whether all of `other` is in it.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The service of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        SERVICES.iter().find(|(known, _)| *known == name).map(|&(_, bit)| Self(bit))
    }

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names of its services, in the order of their bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        SERVICES.into_iter().filter(move |(_, bit)| self.0 & bit != 0).map(|(name, _)| name)
    }
}

impl Serialize for AcsServices {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

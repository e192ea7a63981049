//! The network cards that a platform file can name, and what each can have: one row per model.

use serde::Serialize;

/// A kind of network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NicModel {
    /// A virtio-net device whose driver offers SR-IOV.
    Virtio,
    /// The Intel 82599.
    #[serde(rename = "82599")]
    Intel82599,
    /// The Intel 82599 with an SFP+ cage.
    #[serde(rename = "82599-sfp")]
    Intel82599Sfp,
    /// The Intel X540.
    #[serde(rename = "x540")]
    IntelX540,
}

/// What a model can have, and what it has unless the file says otherwise. Queues are counted in pairs, one receive and one transmit queue.
#[derive(Debug)]
pub struct ModelLimits {
    /// The model.
    pub model: NicModel,
    /// Its name in a platform file.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Whether this Pando can run it.
    pub available: bool,
    /// The most virtual functions.
    pub vfs: u16,
    /// The most queue pairs of the PF, and of one VF.
    pub queues: u16,
    /// The most queue pairs of a card.
    pub budget_max: u16,
    /// Queue pairs of a card unless it says otherwise.
    pub budget: u16,
    /// Queue pairs of the PF unless it says otherwise, as far as its VFs leave them.
    pub pf_queues: u16,
    /// Queue pairs of a VF unless the card says otherwise.
    pub vf_queues: u16,
    /// The largest MTU in bytes.
    pub mtu: u16,
}

/// Every model.
pub const MODELS: [ModelLimits; 4] = [
    ModelLimits {
        model: NicModel::Virtio,
        name: "virtio",
        title: "virtio network card",
        available: true,
        vfs: 255,
        queues: 64,
        budget_max: 16_384,
        budget: 1024,
        pf_queues: 4,
        vf_queues: 1,
        mtu: 9216,
    },
    intel(NicModel::Intel82599, "82599", "Intel 82599 network card"),
    intel(NicModel::Intel82599Sfp, "82599-sfp", "Intel 82599 network card with an SFP+ cage"),
    intel(NicModel::IntelX540, "x540", "Intel X540 network card"),
];

/// What Intel's cards have in common.
const fn intel(model: NicModel, name: &'static str, title: &'static str) -> ModelLimits {
    ModelLimits {
        model,
        name,
        title,
        available: true,
        vfs: 64,
        queues: 64,
        budget_max: 128,
        budget: 128,
        pf_queues: 64,
        vf_queues: 2,
        mtu: 9710,
    }
}

impl NicModel {
    /// What a card is when the file doesn't say.
    pub const DEFAULT: Self = Self::Virtio;

    /// Its row.
    pub fn limits(self) -> &'static ModelLimits {
        match self {
            Self::Virtio => &MODELS[0],
            Self::Intel82599 => &MODELS[1],
            Self::Intel82599Sfp => &MODELS[2],
            Self::IntelX540 => &MODELS[3],
        }
    }

    /// Bytes of prefetchable memory that the PF's BARs take at most.
    pub(super) fn pf_bar_bytes(self, queues: u16) -> u64 {
        match self {
            Self::Virtio => Self::virtio_bar_bytes(queues),
            Self::Intel82599 | Self::Intel82599Sfp => 0x4_0000, // registers of 128 KiB, interrupts of 16 KiB
            Self::IntelX540 => 0x40_0000, // registers of 2 MiB, interrupts of 16 KiB
        }
    }

    /// Bytes of prefetchable memory that a VF's BARs take at most.
    pub(super) fn vf_bar_bytes(self, queues: u16) -> u64 {
        match self {
            Self::Virtio => Self::virtio_bar_bytes(queues),
            // Registers and interrupts of 16 KiB each.
            Self::Intel82599 | Self::Intel82599Sfp | Self::IntelX540 => 0x8000,
        }
    }

    /// Two register pages, the MSI-X table and its PBA.
    fn virtio_bar_bytes(queues: u16) -> u64 {
        let table = (16 * (2 * u64::from(queues) + 2)).next_multiple_of(0x1000) + 0x1000;
        (0x2000_u64.max(u64::from(queues) * 8) + table).next_power_of_two().max(0x8000)
    }
}

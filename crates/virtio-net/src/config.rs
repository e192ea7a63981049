//! What a card is built from, and what is checked before anything is built.

use std::collections::{BTreeMap, HashSet};

use pando_engine::MacAddress;

/// VFs of a card at most: with the PF they fill one ARI device.
pub const MAX_VFS: u16 = 255;

/// Queue pairs of one function at most: its MSI-X table and its doorbells stay within what every driver maps.
pub const MAX_QUEUE_PAIRS: u16 = 256;

/// Queue pairs of a whole card, unless the user says otherwise.
pub const DEFAULT_TOTAL_QUEUE_PAIRS: u16 = 2048;

/// Buffers of a queue: Linux stops a transmit queue below 19 free ones, so fewer than 32 make no sense.
const QUEUE_SIZES: std::ops::RangeInclusive<u16> = 32..=1024;

/// MTUs: what IPv4 asks for at least, to the longest frame a segment of 64 KiB can hold.
const MTUS: std::ops::RangeInclusive<u16> = 68..=65_500;

/// A card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NicConfig {
    /// The user's name for it, for reports and logs.
    pub name: String,
    /// The PF's address; VF n has the one n + 1 further unless it has its own.
    pub mac: MacAddress,
    /// VFs that the guest can enable, 0 to [`MAX_VFS`]; with 0 there is no SR-IOV capability.
    pub vfs: u16,
    /// Queue pairs of the PF.
    pub pf_queue_pairs: u16,
    /// Queue pairs of each VF.
    pub vf_queue_pairs: u16,
    /// What the card has in all: PF and VFs together can't have more.
    pub total_queue_pairs: u16,
    /// Descriptors of a queue at most, a power of two; the driver may take fewer.
    pub queue_size: u16,
    /// Whether drivers may have packed rings; most that know them take them.
    pub packed_rings: bool,
    /// Bytes of the longest packet, without the Ethernet header.
    pub mtu: u16,
    /// What the driver reports as link speed, in Mbit/s. It limits nothing.
    pub speed: u32,
    /// What single VFs have of their own.
    pub vf_overrides: BTreeMap<u16, VfConfig>,
}

/// What one VF has of its own; `None` is as the card says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfConfig {
    /// Its address.
    pub mac: Option<MacAddress>,
    /// Its queue pairs, at most the card's `vf_queue_pairs`.
    pub queue_pairs: Option<u16>,
    /// Its MTU in bytes.
    pub mtu: Option<u16>,
}

impl Default for NicConfig {
    fn default() -> Self {
        Self {
            name: "nic0".into(),
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            vfs: 7,
            pf_queue_pairs: 4,
            vf_queue_pairs: 2,
            total_queue_pairs: DEFAULT_TOTAL_QUEUE_PAIRS,
            queue_size: 256,
            packed_rings: false,
            mtu: 1500,
            speed: 10_000,
            vf_overrides: BTreeMap::new(),
        }
    }
}

/// What is wrong with a [`NicConfig`], and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// More VFs than the model has.
    #[error("{0} VFs are too many: this model has at most {MAX_VFS}")]
    TooManyVfs(u16),
    /// No queue pair, or too many for one function.
    #[error("{0} queue pairs for {1}: 1 to {MAX_QUEUE_PAIRS} are possible")]
    QueuePairs(u16, &'static str),
    /// The functions want more than the card has.
    #[error(
        "queue budget exceeded: {pf} pairs of the PF and {vfs} VFs with {each} each are {needed}, the card has {total}; \
         lower the pairs or the VFs, or raise the total"
    )]
    QueueBudget {
        /// The PF's pairs.
        pf: u16,
        /// The number of VFs.
        vfs: u16,
        /// Pairs of each.
        each: u16,
        /// Their sum.
        needed: u32,
        /// What there is.
        total: u16,
    },
    /// Not a power of two in range.
    #[error("queue size {0}: a power of two from {min} to {max} is possible", min = QUEUE_SIZES.start(), max = QUEUE_SIZES.end())]
    QueueSize(u16),
    /// Out of range.
    #[error("MTU {0}: {min} to {max} are possible", min = MTUS.start(), max = MTUS.end())]
    Mtu(u16),
    /// A group address, or all zero.
    #[error("{0} can't be a function's address: it must be unicast and not zero")]
    Mac(MacAddress),
    /// Two functions with the same address.
    #[error("two functions of this card would have the address {0}")]
    DuplicateMac(MacAddress),
    /// An override for a VF that isn't there.
    #[error("VF {vf} doesn't exist: this card has {vfs} VFs, counted from 0")]
    NoSuchVf {
        /// The VF of the override.
        vf: u16,
        /// How many there are.
        vfs: u16,
    },
    /// An override with more pairs than VFs of this card have.
    #[error("VF {vf} with {pairs} queue pairs: VFs of this card have at most {each}")]
    VfQueuePairs {
        /// The VF of the override.
        vf: u16,
        /// What it asks for.
        pairs: u16,
        /// What each has.
        each: u16,
    },
}

/// What one function is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionConfig {
    pub(crate) name: String,
    pub(crate) mac: MacAddress,
    pub(crate) queue_pairs: u16,
    pub(crate) queue_size: u16,
    pub(crate) packed_rings: bool,
    pub(crate) mtu: u16,
    pub(crate) speed: u32,
    pub(crate) sr_iov: bool,
}

impl NicConfig {
    /// Whether a card can be built from it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.vfs > MAX_VFS {
            return Err(ConfigError::TooManyVfs(self.vfs));
        }
        check_pairs(self.pf_queue_pairs, "the PF")?;
        if self.vfs > 0 {
            check_pairs(self.vf_queue_pairs, "a VF")?;
        }
        self.check_budget()?;
        if !self.queue_size.is_power_of_two() || !QUEUE_SIZES.contains(&self.queue_size) {
            return Err(ConfigError::QueueSize(self.queue_size));
        }
        check_mtu(self.mtu)?;
        for (&vf, own) in &self.vf_overrides {
            self.check_override(vf, own)?;
        }
        self.check_addresses()
    }

    fn check_budget(&self) -> Result<(), ConfigError> {
        let needed = u32::from(self.pf_queue_pairs)
            + (0..self.vfs).map(|vf| u32::from(self.vf_pairs(vf))).sum::<u32>();
        if needed > u32::from(self.total_queue_pairs) {
            return Err(ConfigError::QueueBudget {
                pf: self.pf_queue_pairs,
                vfs: self.vfs,
                each: self.vf_queue_pairs,
                needed,
                total: self.total_queue_pairs,
            });
        }
        Ok(())
    }

    fn check_override(&self, vf: u16, own: &VfConfig) -> Result<(), ConfigError> {
        if vf >= self.vfs {
            return Err(ConfigError::NoSuchVf { vf, vfs: self.vfs });
        }
        let pairs = self.vf_pairs(vf);
        check_pairs(pairs, "a VF")?;
        if pairs > self.vf_queue_pairs {
            return Err(ConfigError::VfQueuePairs { vf, pairs, each: self.vf_queue_pairs });
        }
        check_mtu(own.mtu.unwrap_or(self.mtu))
    }

    fn check_addresses(&self) -> Result<(), ConfigError> {
        let mut seen = HashSet::new();
        let vfs = (0..self.vfs).map(|vf| self.vf_mac(vf));
        for mac in std::iter::once(self.mac).chain(vfs) {
            if mac.is_multicast() || mac == MacAddress::default() {
                return Err(ConfigError::Mac(mac));
            }
            if !seen.insert(mac) {
                return Err(ConfigError::DuplicateMac(mac));
            }
        }
        Ok(())
    }

    fn vf_pairs(&self, vf: u16) -> u16 {
        self.own(vf).queue_pairs.unwrap_or(self.vf_queue_pairs)
    }

    /// The address of VF `vf`: its own, or the PF's counted on in the three bytes below the vendor's.
    pub fn vf_mac(&self, vf: u16) -> MacAddress {
        self.own(vf).mac.unwrap_or_else(|| {
            let [a, b, c, d, e, f] = self.mac.0;
            let [_, d, e, f] = (u32::from_be_bytes([0, d, e, f]) + u32::from(vf) + 1).to_be_bytes();
            MacAddress([a, b, c, d, e, f])
        })
    }

    fn own(&self, vf: u16) -> VfConfig {
        self.vf_overrides.get(&vf).copied().unwrap_or_default()
    }

    pub(crate) fn pf(&self) -> FunctionConfig {
        FunctionConfig {
            name: self.name.clone(),
            mac: self.mac,
            queue_pairs: self.pf_queue_pairs,
            queue_size: self.queue_size,
            packed_rings: self.packed_rings,
            mtu: self.mtu,
            speed: self.speed,
            sr_iov: self.vfs > 0,
        }
    }

    pub(crate) fn vf(&self, vf: u16) -> FunctionConfig {
        FunctionConfig {
            name: format!("{}.vf{vf}", self.name),
            mac: self.vf_mac(vf),
            queue_pairs: self.vf_pairs(vf),
            queue_size: self.queue_size,
            packed_rings: self.packed_rings,
            mtu: self.own(vf).mtu.unwrap_or(self.mtu),
            speed: self.speed,
            sr_iov: false,
        }
    }
}

fn check_pairs(pairs: u16, whose: &'static str) -> Result<(), ConfigError> {
    if pairs == 0 || pairs > MAX_QUEUE_PAIRS {
        return Err(ConfigError::QueuePairs(pairs, whose));
    }
    Ok(())
}

fn check_mtu(mtu: u16) -> Result<(), ConfigError> {
    if !MTUS.contains(&mtu) {
        return Err(ConfigError::Mtu(mtu));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

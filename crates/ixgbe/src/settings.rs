//! What a card is built from, and what is checked before anything is built.

use pando_engine::MacAddress;

use crate::identity::Model;

/// VFs of a card at most; the stock PF driver enables one less, because the PF needs a pool too.
pub const MAX_VFS: u16 = 64;

/// A card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NicConfig {
    /// The user's name for it, for reports and logs.
    pub name: String,
    /// Which member of the family it is.
    pub model: Model,
    /// The PF's address. VFs get theirs from the PF's driver.
    pub mac: MacAddress,
    /// VFs that the guest can enable, 0 to [`MAX_VFS`]; with 0 there is no SR-IOV capability.
    pub vfs: u16,
    /// Whether the cable is in.
    pub link_up: bool,
}

impl Default for NicConfig {
    fn default() -> Self {
        Self {
            name: "nic0".into(),
            model: Model::default(),
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            vfs: 63,
            link_up: true,
        }
    }
}

/// What is wrong with a [`NicConfig`], and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// More VFs than the chip has.
    #[error("{0} VFs are too many: the chip has at most {MAX_VFS}")]
    TooManyVfs(u16),
    /// A group address, or all zero.
    #[error("{0} can't be the card's address: it must be unicast and not zero")]
    Mac(MacAddress),
}

impl NicConfig {
    /// Whether a card can be built from it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.vfs > MAX_VFS {
            return Err(ConfigError::TooManyVfs(self.vfs));
        }
        if self.mac.is_multicast() || self.mac == MacAddress::default() {
            return Err(ConfigError::Mac(self.mac));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

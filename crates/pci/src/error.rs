//! Why a function can't be built from its configuration.

use crate::layout::LayoutError;

/// A mistake in a function's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The capabilities can't be laid out.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// There is no such link.
    #[error(
        "a link of speed code {speed} and {lanes} lanes doesn't exist: speed is 1 or 2, lanes 1, 2, 4, 8, 12, 16 or 32"
    )]
    Link {
        /// Speed code.
        speed: u8,
        /// Lanes.
        lanes: u8,
    },
    /// A BAR can't be like this.
    #[error("BAR {index}: {reason}")]
    Bar {
        /// Its number.
        index: u8,
        /// What is wrong.
        reason: &'static str,
    },
    /// The MSI-X table or PBA can't be like this.
    #[error("MSI-X: {0}")]
    Msix(&'static str),
    /// The number of MSI vectors can't be this.
    #[error("MSI: {0} vectors: there can be 1, 2, 4, 8, 16 or 32")]
    Msi(u16),
    /// Access control can't be like this.
    #[error("ACS: {0}")]
    Acs(&'static str),
    /// The SR-IOV capability can't be like this.
    #[error("SR-IOV: {0}")]
    Sriov(&'static str),
}

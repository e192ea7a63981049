//! Why a tree can't be built from its description.

/// A mistake in the description. Names are those the description gives.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Two parts have one name.
    #[error("`{0}` is there twice: every port, switch and device needs its own id")]
    DuplicateId(String),
    /// No port has this name.
    #[error("there is no root port or downstream port `{0}`")]
    UnknownPort(String),
    /// Something is at the port already.
    #[error("port `{port}` can't take `{newcomer}`: `{occupant}` is there already")]
    Occupied {
        /// The port.
        port: String,
        /// What is there.
        occupant: String,
        /// What was to be there too.
        newcomer: String,
    },
    /// The bus is full.
    #[error("`{id}` finds no free device number {place}: at most {most} fit")]
    NoDeviceNumber {
        /// What found no room.
        id: String,
        /// Where.
        place: String,
        /// How many fit.
        most: usize,
    },
    /// The wanted device and function number is in use, or can't be.
    #[error("`{id}` can't be function {device:02x}.{function}: {reason}")]
    Place {
        /// What was to be there.
        id: String,
        /// Device number.
        device: u8,
        /// Function number.
        function: u8,
        /// Why not.
        reason: &'static str,
    },
    /// A port's configuration space can't be built.
    #[error("port `{id}`: {source}")]
    Port {
        /// The port.
        id: String,
        /// Why not.
        source: pando_pci::ConfigError,
    },
    /// The number of buses isn't possible.
    #[error("{0} buses: a segment has 1 to 256")]
    Buses(u16),
    /// The ECAM window isn't where it can be.
    #[error("the ECAM window of {buses} MiB can't be at {base:#x}: it must be {reason}")]
    Ecam {
        /// Its base.
        base: u64,
        /// Its number of buses.
        buses: u16,
        /// What it must be.
        reason: &'static str,
    },
    /// A fixed register window can't be there.
    #[error("a register window of {len:#x} bytes can't be at {base:#x}: it {reason}")]
    Window {
        /// Its base.
        base: u64,
        /// Its length in bytes.
        len: u64,
        /// Why not.
        reason: &'static str,
    },
    /// The host gave no thread.
    #[error("no thread for peer-to-peer writes: {0}")]
    Thread(#[from] std::io::Error),
}

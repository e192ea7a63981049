//! The embedded switch of one card: which ports a frame goes to (an 82599-class VEB: 82599 datasheet, 7.10.3).
//!
//! Programmed by the functions' filters, not learning.

mod filter;
mod port;

use std::sync::Arc;

pub use filter::{Filter, VlanSet};
pub use port::{Port, PortKind};

/// The switch.
pub struct Switch(());

impl Switch {
    /// A switch without ports.
    pub fn new(name: &str) -> Arc<Self> {
        let _ = name;
        Arc::new(Self(()))
    }

    /// A new port. Ports are never removed; a function that is gone has its filter [`Filter::default`].
    pub fn port(self: &Arc<Self>, name: &str, kind: PortKind) -> Arc<Port> {
        let _ = (name, kind);
        todo!()
    }
}

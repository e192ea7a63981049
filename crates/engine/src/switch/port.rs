//! A port: where a function or the uplink is connected to the switch.

use super::Filter;

/// What is connected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortKind {
    /// A PF or VF.
    Function,
    /// The card's cable: gets what no function owns. Only `link_up` of its filter counts.
    Uplink,
}

/// One port of a switch.
pub struct Port(());

impl Port {
    /// Changes what the port lets in; frames of batches begun later see it.
    pub fn set_filter(&self, filter: Filter) {
        let _ = filter;
        todo!()
    }

    /// Spreads flows over receive queues 0 to `queues` - 1 from now on; 1 at first.
    pub fn set_receive_queues(&self, queues: u16) {
        let _ = queues;
        todo!()
    }
}

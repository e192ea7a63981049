//! What an endpoint's functions are doing, for whoever looks after the machine.

use serde::Serialize;

use super::{Endpoint, Function};

/// A card now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointReport {
    /// The physical function.
    pub pf: FunctionReport,
    /// TotalVFs.
    pub total_vfs: u16,
    /// The VFs that exist.
    pub vfs: Vec<FunctionReport>,
}

/// A function now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FunctionReport {
    /// Its id as `bus:device.function`.
    pub id: String,
    /// Whether it may send requests: Bus Master Enable and D0.
    pub bus_master: bool,
    /// MSI and MSI-X vectors that wait for an unmask or for the gate.
    pub pending_vectors: u32,
    /// Requests that ended as Unsupported Request, and as Completer Abort; those that the IOMMU blocked.
    pub refused_requests: [u64; 3],
    /// Uncorrectable and Correctable Error Status.
    pub errors: [u32; 2],
}

impl Endpoint {
    /// What its functions are doing.
    pub fn report(&self) -> EndpointReport {
        let active = usize::from(self.active_vfs());
        EndpointReport {
            pf: self.report_function(&self.pf),
            total_vfs: self.vfs.len() as u16,
            vfs: self.vfs.iter().take(active).map(|vf| self.report_function(vf)).collect(),
        }
    }

    fn report_function(&self, function: &Function) -> FunctionReport {
        let refused = function.requester.refused();
        FunctionReport {
            id: function.requester.id().to_string(),
            bus_master: function.requester.is_open(),
            pending_vectors: function.interrupts.pending(),
            refused_requests: [refused.unsupported, refused.aborted, refused.blocked],
            errors: self.lock().error_status(&self.card, function.id),
        }
    }
}

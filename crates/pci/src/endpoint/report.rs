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
    /// MSI-X vectors that wait for an unmask or for the gate.
    pub pending_vectors: u32,
}

impl Endpoint {
    /// What its functions are doing.
    pub fn report(&self) -> EndpointReport {
        let active = usize::from(self.active_vfs());
        EndpointReport {
            pf: self.pf.report(),
            total_vfs: self.vfs.len() as u16,
            vfs: self.vfs.iter().take(active).map(Function::report).collect(),
        }
    }
}

impl Function {
    fn report(&self) -> FunctionReport {
        let words = self.msix.vectors().div_ceil(32);
        let pending = |word: u16| self.msix.inner().pending(word * 32).count_ones();
        FunctionReport {
            id: self.requester.id().to_string(),
            bus_master: self.requester.is_open(),
            pending_vectors: (0..words).map(pending).sum(),
        }
    }
}

//! What the tree counts: accesses nobody claimed, and requests that did not arrive.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pando_pci::ErrorKind;

/// One count.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What one port has found wrong with requests, while it grows.
#[derive(Debug, Default)]
pub(crate) struct PortErrors {
    violations: Counter,
    unsupported_requests: Counter,
    poisoned: Counter,
    lost_completions: Counter,
}

/// What one port has found wrong with requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PortCounts {
    /// ACS violations.
    pub violations: u64,
    /// Requests that ended here as Unsupported Request.
    pub unsupported_requests: u64,
    /// Poisoned requests that came in.
    pub poisoned: u64,
    /// Completions that a redirect sent up and that could not go on.
    pub lost_completions: u64,
}

impl PortErrors {
    pub(crate) fn count(&self, kind: ErrorKind) {
        match kind {
            ErrorKind::AcsViolation => self.violations.add(),
            ErrorKind::UnsupportedRequest => self.unsupported_requests.add(),
            ErrorKind::Poisoned => self.poisoned.add(),
            ErrorKind::UnexpectedCompletion => self.lost_completions.add(),
            ErrorKind::CompletionTimeout | ErrorKind::CompleterAbort | ErrorKind::Internal => {}
        }
    }

    pub(crate) fn snapshot(&self) -> PortCounts {
        PortCounts {
            violations: self.violations.get(),
            unsupported_requests: self.unsupported_requests.get(),
            poisoned: self.poisoned.get(),
            lost_completions: self.lost_completions.get(),
        }
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counts while they grow.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter,)* }

        /// The counts of one moment since the machine was built.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Counts {
                Counts { $($name: self.$name.get(),)* }
            }
        }
    };
}

counters! {
    /// Configuration reads that no function answered.
    absent_config_reads,
    /// Configuration writes that no function took.
    absent_config_writes,
    /// Memory reads by a CPU that nothing claimed.
    unclaimed_reads,
    /// Memory writes by a CPU that nothing claimed.
    unclaimed_writes,
    /// Requests of a function that may not send now.
    gated,
    /// Requests stopped by a port whose Bus Master Enable is 0 or that is in reset.
    closed_port,
    /// Requests that ended as Unsupported Request.
    unsupported_requests,
    /// ACS violations.
    violations,
    /// Requests that a device refused.
    completer_aborts,
    /// Completions of peer-to-peer reads that got lost on a redirected way.
    lost_completions,
    /// Poisoned writes that arrived and were thrown away.
    poisoned_writes,
    /// Requests and interrupts that the IOMMU blocked.
    iommu_faults,
    /// Interrupt messages delivered.
    interrupts,
    /// Peer-to-peer reads delivered, in pieces of up to 8 bytes.
    peer_reads,
    /// Peer-to-peer writes delivered, in pieces of up to 8 bytes.
    peer_writes,
    /// Peer-to-peer writes dropped because their target was too slow.
    dropped_peer_writes,
    /// Peer-to-peer reads that did not wait any longer for the writes before them.
    unordered_peer_reads,
    /// How often the map was made anew.
    rebuilds,
}

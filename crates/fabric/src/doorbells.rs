//! Doorbell registers that ring an event instead of costing an exit: which are armed, and where they lie now.
//!
//! Arming is lazy and batched: a device says that something changed, the event loop calls [`Doorbells::reconcile`]. Disarming
//! what no longer is that register is not: it is done before the access that moved it returns, since a write there now
//! belongs to someone else.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pando_pci::{Doorbell, Region};
use pando_tlp::Gpa;

use crate::routes::{Routes, address_of};
use crate::topology::DeviceIndex;
use crate::tree::Tree;

/// Who turns guest writes at an address into an event, whatever their size and data (KVM's ioeventfd).
///
/// Called with the fabric's doorbell lock held: may not call back into the tree.
pub trait IoEvents: Send + Sync {
    /// Writes at `address` ring `event` from now on.
    fn assign(&self, address: Gpa, event: BorrowedFd<'_>);

    /// Writes at `address` are exits again.
    fn deassign(&self, address: Gpa, event: BorrowedFd<'_>);
}

/// An armed doorbell.
#[derive(Clone, Debug)]
struct Armed {
    device: DeviceIndex,
    region: Region,
    offset: u64,
    event: Arc<OwnedFd>,
}

impl Armed {
    fn is_at(&self, routes: &Routes, address: u64) -> bool {
        address_of(routes, self.device, self.region, self.offset) == Some(address)
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.event, &other.event)
            && (self.device, self.region, self.offset) == (other.device, other.region, other.offset)
    }
}

/// Every armed doorbell, by address.
pub(crate) struct Doorbells {
    events: Arc<dyn IoEvents>,
    armed: Mutex<BTreeMap<u64, Armed>>,
}

impl Doorbells {
    pub(crate) fn new(events: Arc<dyn IoEvents>) -> Self {
        Self { events, armed: Mutex::default() }
    }

    fn armed(&self) -> MutexGuard<'_, BTreeMap<u64, Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are armed.
    pub(crate) fn len(&self) -> usize {
        self.armed().len()
    }

    /// Disarms every doorbell that isn't where it was armed any more. `routes` is asked under the lock, so that a
    /// reconciliation that began with an older map is seen or sees the newer one.
    pub(crate) fn withdraw(&self, routes: impl FnOnce() -> Arc<Routes>) {
        let mut armed = self.armed();
        let routes = routes();
        armed.retain(|&address, doorbell| {
            let stays = doorbell.is_at(&routes, address);
            if !stays {
                self.events.deassign(Gpa(address), doorbell.event.as_fd());
            }
            stays
        });
    }

    /// Arms what the devices want now and disarms the rest.
    pub(crate) fn reconcile(&self, tree: &Tree, routes: impl FnOnce() -> Arc<Routes>) {
        let mut armed = self.armed();
        let wanted = wanted(tree, &routes());
        armed.retain(|address, old| {
            let stays = wanted.get(address).is_some_and(|new| new.is_same(old));
            if !stays {
                self.events.deassign(Gpa(*address), old.event.as_fd());
            }
            stays
        });
        for (address, new) in wanted {
            armed.entry(address).or_insert_with(|| {
                self.events.assign(Gpa(address), new.event.as_fd());
                new
            });
        }
    }
}

fn wanted(tree: &Tree, routes: &Routes) -> BTreeMap<u64, Armed> {
    let mut wanted = BTreeMap::new();
    let mut doorbells = Vec::new();
    for (index, device) in tree.devices.iter().enumerate() {
        let device_index = DeviceIndex(index);
        device.doorbells(&mut doorbells);
        for Doorbell { region, offset, event } in doorbells.drain(..) {
            if let Some(address) = address_of(routes, device_index, region, offset) {
                let armed = Armed { device: device_index, region, offset, event };
                wanted.entry(address).or_insert(armed);
            }
        }
    }
    wanted
}

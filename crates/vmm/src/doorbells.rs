//! Doorbells that KVM answers by itself: a guest's write at an address rings an event, without an exit to user space (KVM_IOEVENTFD).

use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd};
use std::sync::Arc;

use anyhow::{Context, Result};
use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};
use kvm_ioctls::{IoEventAddress, NoDatamatch, VmFd};
use pando_fabric::{Fabric, IoEvents};
use pando_tlp::Gpa;
use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

/// KVM's side.
pub struct KvmDoorbells(Arc<VmFd>);

impl KvmDoorbells {
    /// For the machine `vm`.
    pub fn new(vm: Arc<VmFd>) -> Self {
        Self(vm)
    }
}

impl IoEvents for KvmDoorbells {
    fn assign(&self, address: Gpa, event: BorrowedFd<'_>) {
        let address = IoEventAddress::Mmio(address.0);
        let assigned = event_fd(event)
            .and_then(|event| Ok(self.0.register_ioevent(&event, &address, NoDatamatch)?));
        // Without it each ring costs an exit, which the device serves all the same.
        if let Err(error) = assigned {
            tracing::debug!(?address, %error, "a doorbell stays an exit");
        }
    }

    fn deassign(&self, address: Gpa, event: BorrowedFd<'_>) {
        let address = IoEventAddress::Mmio(address.0);
        let removed = event_fd(event)
            .and_then(|event| Ok(self.0.unregister_ioevent(&event, &address, NoDatamatch)?));
        if let Err(error) = removed {
            tracing::debug!(?address, %error, "a doorbell was not armed");
        }
    }
}

/// Another descriptor of the same event, in the type the KVM crate takes; KVM looks at the event behind it.
fn event_fd(event: BorrowedFd<'_>) -> Result<EventFd> {
    let owned = event.try_clone_to_owned().context("duplicating an eventfd")?;
    #[expect(unsafe_code, reason = "the KVM crate's event type is made from raw descriptors only")]
    // SAFETY: the descriptor was just duplicated and is passed on exactly once.
    Ok(unsafe { EventFd::from_raw_fd(owned.into_raw_fd()) })
}

/// Wakes the event loop when doorbells are to be armed anew, from whatever thread and under whatever lock.
#[derive(Clone)]
pub struct DoorbellWake(Arc<EventFd>);

impl DoorbellWake {
    /// Nothing to do yet.
    pub fn new() -> Result<Self> {
        let event = EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC).context("creating an eventfd")?;
        Ok(Self(Arc::new(event)))
    }

    /// Asks for a look.
    pub fn wake(&self) {
        // Fails only when the counter is full, and then the loop wakes anyway.
        let _ = self.0.write(1);
    }
}

/// Arms and disarms doorbells in the event loop.
pub struct Rearm {
    /// Who asks.
    pub wake: DoorbellWake,
    /// Whose doorbells.
    pub fabric: Arc<Fabric>,
}

impl MutEventSubscriber for Rearm {
    fn process(&mut self, _: Events, _: &mut EventOps) {
        let _ = self.wake.0.read();
        self.fabric.reconcile_doorbells();
    }

    fn init(&mut self, ops: &mut EventOps) {
        if let Err(error) = ops.add(Events::new(&*self.wake.0, EventSet::IN)) {
            tracing::error!(%error, "doorbells stay exits");
        }
    }
}

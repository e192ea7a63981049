//! The front-end of one vhost-user port: it hands over memory and two rings (QEMU, docs/interop/vhost-user.rst).

use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, ensure};
use vhost::vhost_user::Frontend;
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use vm_memory::GuestMemoryBackend;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use crate::driver::{RingPlace, SIZE};
use crate::machine::Layout;
use crate::memory::Memory;

/// MRG_RXBUF, INDIRECT_DESC, EVENT_IDX, VERSION_1.
const FEATURES: u64 = 1 << 15 | 1 << 28 | 1 << 29 | 1 << 32;

/// CSUM, GUEST_CSUM, GUEST_TSO4, HOST_TSO4.
const OFFLOADS: u64 = 1 << 0 | 1 << 1 | 1 << 7 | 1 << 11;

/// Where a ring begins: a packed one with a wrap counter of 1, in the highest bit.
const BASE: u16 = 0;
const PACKED_BASE: u16 = 1 << 15;

/// A port that is up as long as this.
pub(super) struct Port {
    _connection: Frontend,
    /// Doorbells, which a back-end that polls wants once, and what it would interrupt by.
    _events: Vec<EventFd>,
}

impl Port {
    /// Sets it up with its receive and its transmit ring.
    pub(super) fn open(
        stream: UnixStream,
        memory: &Memory,
        rings: [RingPlace; 2],
        layout: Layout,
        offload: bool,
    ) -> Result<Self> {
        let port = Frontend::from_stream(stream, 2);
        port.set_owner().context("testpmd does not answer")?;
        let wanted = FEATURES | layout.features() | if offload { OFFLOADS } else { 0 };
        let offered = port.get_features().context("testpmd tells no features")?;
        ensure!(offered & wanted == wanted, "testpmd lacks features: {offered:#x} of {wanted:#x}");
        port.set_features(wanted)?;
        let region = memory.ram.memory().iter().next().context("the guest has no memory")?;
        port.set_mem_table(&[VhostUserMemoryRegionInfo::from_guest_region(region)?])?;
        let base = if layout == Layout::Split { BASE } else { PACKED_BASE };
        let mut events = Vec::new();
        for (index, place) in rings.into_iter().enumerate() {
            let [doorbell, interrupt] = [EventFd::new(EFD_NONBLOCK)?, EventFd::new(EFD_NONBLOCK)?];
            port.set_vring_num(index, SIZE)?;
            port.set_vring_base(index, base)?;
            port.set_vring_addr(index, &addresses(memory, place))?;
            port.set_vring_call(index, &interrupt)?;
            port.set_vring_kick(index, &doorbell)?;
            events.extend([doorbell, interrupt]);
        }
        Ok(Self { _connection: port, _events: events })
    }
}

/// Where a ring lies, as this process maps it.
fn addresses(memory: &Memory, place: RingPlace) -> VringConfigData {
    let start = memory.whole().ptr_guard().as_ptr() as u64;
    VringConfigData {
        queue_max_size: SIZE,
        queue_size: SIZE,
        desc_table_addr: start + place.descriptors,
        avail_ring_addr: start + place.available,
        used_ring_addr: start + place.used,
        ..VringConfigData::default()
    }
}

//! What the tests put around a function: a link that records interrupts, a model that records calls, a card of every feature.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use pando_tlp::{
    Access, Dma, Epochs, ErrorMessage, Fault, IntxWire, Iova, Link, MsiMessage, Requester,
    RequesterId, Target,
};

use crate::*;

/// Every message sent, with its sender.
#[derive(Default)]
pub(crate) struct Wire {
    pub(crate) sent: Mutex<Vec<(RequesterId, MsiMessage)>>,
    /// Every error message, with its sender.
    pub(crate) errors: Mutex<Vec<(RequesterId, ErrorMessage)>>,
    /// Every message of an interrupt pin: function, wire, asserted or not.
    pub(crate) intx: Mutex<Vec<(u8, IntxWire, bool)>>,
    /// Doorbell changes told.
    pub(crate) doorbells: Mutex<u32>,
    epochs: Option<Arc<Epochs>>,
}

impl Wire {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { epochs: Some(Epochs::new()), ..Self::default() })
    }

    pub(crate) fn take(&self) -> Vec<(RequesterId, MsiMessage)> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }
}

/// The link of a [`Wire`].
pub(crate) struct WireLink(pub(crate) Arc<Wire>);

struct WireDma(Arc<Wire>, Arc<Requester>);

impl Link for WireLink {
    fn dma(&self, requester: Arc<Requester>) -> Arc<dyn Dma> {
        Arc::new(WireDma(self.0.clone(), requester))
    }

    fn epochs(&self) -> &Arc<Epochs> {
        self.0.epochs.as_ref().unwrap()
    }

    fn doorbells_changed(&self) {
        *self.0.doorbells.lock().unwrap() += 1;
    }

    fn report(&self, source: RequesterId, message: ErrorMessage) {
        self.0.errors.lock().unwrap().push((source, message));
    }

    fn intx(&self, function: u8, wire: IntxWire, asserted: bool) {
        self.0.intx.lock().unwrap().push((function, wire, asserted));
    }
}

impl Dma for WireDma {
    fn requester(&self) -> RequesterId {
        self.1.id()
    }

    fn resolve(&self, _: Iova, _: Access) -> Result<Target, Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn write(&self, address: Iova, data: &[u8]) -> Result<(), Fault> {
        if !self.1.is_open() {
            return Err(Fault::Gated);
        }
        let data = u32::from_le_bytes(data.try_into().unwrap());
        let message = MsiMessage { address: address.0, data };
        self.0.sent.lock().unwrap().push((self.1.id(), message));
        Ok(())
    }
}

/// A call to a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Read(FunctionId, u8, u64, usize),
    Write(FunctionId, u8, u64, Vec<u8>),
    Reset(FunctionId),
    BusMaster(FunctionId, bool),
    VirtualFunctions(u16),
    VendorWrite(FunctionId, usize, u16, Vec<u8>),
}

/// A model that writes down what it is told. Its second vendor capability has a window at offset 16.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) doorbells: Mutex<Vec<(u8, u64, Arc<OwnedFd>)>>,
}

impl Recorder {
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn push(&self, call: Call) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Model for Recorder {
    fn read(&self, function: FunctionId, bar: u8, offset: u64, data: &mut [u8]) {
        data.fill(0x5a);
        self.push(Call::Read(function, bar, offset, data.len()));
    }

    fn write(&self, function: FunctionId, bar: u8, offset: u64, data: &[u8]) {
        self.push(Call::Write(function, bar, offset, data.to_vec()));
    }

    fn reset(&self, function: FunctionId) {
        self.push(Call::Reset(function));
    }

    fn bus_master(&self, function: FunctionId, enabled: bool) {
        self.push(Call::BusMaster(function, enabled));
    }

    fn virtual_functions(&self, count: u16) {
        self.push(Call::VirtualFunctions(count));
    }

    fn doorbells(&self, _: FunctionId, doorbells: &mut Vec<(u8, u64, Arc<OwnedFd>)>) {
        doorbells.extend(self.doorbells.lock().unwrap().iter().cloned());
    }

    fn vendor_read(&self, _: FunctionId, index: usize, offset: u16) -> Option<u32> {
        ((index, offset) == (1, 16)).then_some(0xfeed_f00d)
    }

    fn vendor_write(&self, function: FunctionId, index: usize, offset: u16, bytes: &[u8]) {
        self.push(Call::VendorWrite(function, index, offset, bytes.to_vec()));
    }
}

pub(crate) fn bar(index: u8, size: u64) -> Bar {
    Bar { index, size, is_64bit: true, prefetchable: true }
}

pub(crate) fn msix(vectors: u16) -> Option<MsixConfig> {
    Some(MsixConfig { vectors, bar: 4, table: 0, pba: 0x1000 })
}

/// A PF with everything, and `vfs` VFs: registers in BAR 2 (VF: 0) and MSI-X in BAR 4, each of 16 KiB; the PF
/// has eight MSI vectors (at 0xc0) and INTA as well.
pub(crate) fn config(vfs: u16) -> EndpointConfig {
    let identity = Identity {
        vendor: 0x1af4,
        device: 0x1041,
        revision: 1,
        class: 0x02_0000,
        subsystem_vendor: 0x1af4,
        subsystem: 0x1100,
    };
    let plain = VendorCapability { bytes: (0x10..0x20).collect(), ..Default::default() };
    let mut window =
        VendorCapability { bytes: vec![0; 20], writable: vec![0xff; 20], offset: None };
    window.bytes[2] = 20;
    window.writable[2..4].fill(0);
    let resources = Resources {
        bars: vec![bar(2, 0x4000), bar(4, 0x4000)],
        msi: Some(8),
        msix: msix(5),
        vendor: vec![plain, window],
        offsets: CapabilityOffsets { msi: Some(0xc0), ..Default::default() },
    };
    let vf = Resources {
        bars: vec![bar(0, 0x4000), bar(4, 0x4000)],
        msix: msix(3),
        ..Default::default()
    };
    EndpointConfig {
        acs: Some(Acs {
            services: AcsServices::REQUEST_REDIRECT | AcsServices::COMPLETION_REDIRECT,
            egress_ports: 0,
        }),
        interrupt_pin: true,
        serial_number: Some(0x0102_0304_0506_0708),
        sriov: (vfs != 0).then(|| SriovConfig::new(vfs, 0x1041, 0x1101, vf)),
        ..EndpointConfig::new(identity, resources)
    }
}

/// A card with its surroundings, on bus `BUS`.
pub(crate) struct Card {
    pub(crate) endpoint: Endpoint,
    pub(crate) wire: Arc<Wire>,
    pub(crate) model: Arc<Recorder>,
    pub(crate) ports: Vec<FunctionPort>,
}

/// Where the tests' cards are.
pub(crate) const BUS: u8 = 5;

/// The SR-IOV capability of [`config`]'s PF.
pub(crate) const SRIOV: u16 = 0x148;

pub(crate) fn pf() -> RequesterId {
    RequesterId::new(BUS, 0)
}

/// The id of a VF with ARI.
pub(crate) fn vf(index: u8) -> RequesterId {
    RequesterId::new(BUS, index + 1)
}

impl Card {
    pub(crate) fn new(config: EndpointConfig) -> Self {
        let wire = Wire::new();
        let model = Arc::new(Recorder::default());
        let mut ports = Vec::new();
        let link = Arc::new(WireLink(wire.clone()));
        let endpoint = Endpoint::new(config, link, |functions| {
            ports.push(functions.pf().clone());
            ports.extend(functions.vfs().iter().cloned());
            model.clone()
        });
        Self { endpoint: endpoint.unwrap(), wire, model, ports }
    }

    pub(crate) fn kind(target: RequesterId) -> ConfigKind {
        if target.bus() == BUS { ConfigKind::Type0 } else { ConfigKind::Type1 }
    }

    /// All ones from what isn't there, as the tree would say.
    pub(crate) fn read(&self, target: RequesterId, register: u16) -> u32 {
        self.endpoint.config_read(Self::kind(target), target, register).unwrap_or(u32::MAX)
    }

    /// An aligned write of `size` bytes at any register.
    pub(crate) fn write_sized(
        &self,
        target: RequesterId,
        register: u16,
        value: u32,
        size: u8,
    ) -> Effects {
        let lane = register & 3;
        let enables = ByteEnables(((1 << size) - 1) << lane);
        let value = value << (8 * lane);
        let written =
            self.endpoint.config_write(Self::kind(target), target, register & !3, value, enables);
        written.unwrap_or(Effects::empty())
    }

    pub(crate) fn write(&self, target: RequesterId, register: u16, value: u32) -> Effects {
        self.write_sized(target, register, value, 4)
    }

    pub(crate) fn write16(&self, target: RequesterId, register: u16, value: u32) -> Effects {
        self.write_sized(target, register, value, 2)
    }

    /// NumVFs, then VF Enable, VF MSE and ARI Capable Hierarchy at once.
    pub(crate) fn enable_vfs(&self, count: u16) {
        self.write16(pf(), SRIOV + 0x08, 0x10);
        self.write16(pf(), SRIOV + 0x10, u32::from(count));
        self.write16(pf(), SRIOV + 0x08, 0x19);
    }

    pub(crate) fn decoded(&self) -> Vec<Decoded> {
        let mut ranges = Vec::new();
        self.endpoint.decoded(&mut ranges);
        ranges
    }

    /// The gate of a function: 0 is the PF, n VF n - 1.
    pub(crate) fn is_open(&self, port: usize) -> bool {
        self.ports[port].dma.write(Iova(0), &[0; 4]).is_ok()
    }
}

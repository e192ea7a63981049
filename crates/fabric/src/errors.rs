//! Requests that went wrong: who notices, and the error message's way up to its root port (PCI Express base 6.0, 6.2.3, 6.2.4).
//!
//! Configuration requests and a CPU's accesses that nobody claims are no errors here: software probes by them. Requests of
//! devices integrated into the root complex that nothing takes are counted only: no function there has seen them.
//!
//! Left out: malformed requests, link errors: nothing here can have them. A lost completion's timeout doesn't take any time.

use pando_pci::{DetectedError, Device, ErrorKind, ErrorPlace, PortKind, Region};
use pando_tlp::{ErrorMessage, Fault, RequesterId, TlpHeader};

use crate::hub::{Destination, Hub, Landing, Question};
use crate::routes::{Arrival, DeadEnd, Refusal, Routes};
use crate::topology::{BusIndex, PortIndex, ROOT_BUS};
use crate::tree::Tree;
use crate::verdict::{AddressType, Request};

impl Question {
    /// The request as a log shows it.
    fn header(&self) -> TlpHeader {
        TlpHeader::memory(self.source, self.access, self.address.0, self.len, self.marks)
    }

    /// What of it decides its way.
    pub(crate) fn request(&self) -> Request {
        let address_type = match self.marks.translated {
            true => AddressType::Translated,
            false => AddressType::Untranslated,
        };
        Request::Memory { requester: self.source, address_type }
    }
}

impl Hub {
    /// A port, or the sender itself, has stopped a request on its way up.
    pub(crate) fn refused(&self, routes: &Routes, of: &Question, refusal: Refusal) -> Fault {
        match refusal {
            // Nothing arrives at a port that is in reset or whose link is down.
            Refusal::Closed(port) if routes.port(port).is_cut => self.counters.closed_port.add(),
            Refusal::Closed(port) => {
                self.counters.closed_port.add();
                self.at_port(port, of, ErrorKind::UnsupportedRequest);
            }
            Refusal::UnsupportedRequest(port) => {
                self.counters.unsupported_requests.add();
                self.at_port(port, of, ErrorKind::UnsupportedRequest);
            }
            Refusal::Nowhere => self.counters.unsupported_requests.add(),
            Refusal::Violation(port) => {
                self.counters.violations.add();
                self.at_port(port, of, ErrorKind::AcsViolation);
                return Fault::CompleterAbort;
            }
            Refusal::ViolationInside(sender) => {
                self.counters.violations.add();
                let error = DetectedError::at_completer(ErrorKind::AcsViolation, of.header());
                if let Some(device) = self.device(sender) {
                    device.detect(ErrorPlace::Function(of.source), &error);
                }
                return Fault::CompleterAbort;
            }
        }
        Fault::UnsupportedRequest
    }

    /// A request that came up to the root complex and that nothing there takes: its root port says so.
    pub(crate) fn unsupported(&self, routes: &Routes, of: &Question) -> Fault {
        self.counters.unsupported_requests.add();
        if let Some(port) = routes.topology.root_port(of.bus) {
            self.at_port(port, of, ErrorKind::UnsupportedRequest);
        }
        Fault::UnsupportedRequest
    }

    /// A request that went down at `port` and that nobody claims there.
    pub(crate) fn unclaimed(&self, routes: &Routes, of: &Question, port: PortIndex) -> Fault {
        self.counters.unsupported_requests.add();
        match routes.dead_end(port, of.address.0) {
            DeadEnd::Port(port) => self.at_port(port, of, ErrorKind::UnsupportedRequest),
            DeadEnd::Devices(above, bus) => {
                // An error of no function in particular: function 0 stands for its device.
                let id = RequesterId::new(routes.port(above).controls.secondary, 0);
                let error = DetectedError::at_completer(ErrorKind::UnsupportedRequest, of.header());
                let devices = routes.topology.bus(bus).devices.iter();
                let device = devices.filter_map(|device| self.device(*device));
                if let Some(device) = device.into_iter().find(|of| of.function(id).is_some()) {
                    device.detect(ErrorPlace::Function(id), &error);
                }
            }
        }
        Fault::UnsupportedRequest
    }

    /// A device refuses the access.
    pub(crate) fn aborted(
        &self,
        device: &dyn Device,
        (region, offset): (Region, u64),
        header: TlpHeader,
    ) -> Fault {
        self.counters.completer_aborts.add();
        let error = DetectedError::at_completer(ErrorKind::CompleterAbort, header);
        device.detect(ErrorPlace::Register(region, offset), &error);
        Fault::CompleterAbort
    }

    /// Whether the completion of a peer-to-peer read finds its way back. If not, its requester waits in vain.
    pub(crate) fn completes(&self, of: &Question, at: Landing) -> Result<(), Fault> {
        let routes = self.routes.load();
        let Some(bus) = routes.topology.bus_of(at.device) else { return Ok(()) };
        if bus == of.bus {
            return Ok(()); // inside the device, or on the root bus
        }
        let requester = (of.source, of.bus);
        let Err(port) = routes.completion(bus, at.device, requester) else { return Ok(()) };
        self.counters.lost_completions.add();
        let Some(tree) = self.tree() else { return Err(Fault::UnsupportedRequest) };
        let completer = routes.completer(bus, at.device);
        let header = TlpHeader::completion(completer, of.source, of.address.0, of.len);
        let kind = ErrorKind::UnexpectedCompletion;
        self.log(&tree, port, &DetectedError { kind, header, advisory: true });
        let timeout = DetectedError {
            kind: ErrorKind::CompletionTimeout,
            header: TlpHeader::default(),
            advisory: false,
        };
        for device in &routes.topology.bus(of.bus).devices {
            let device = &tree.devices[device.0];
            if device.function(of.source).is_some() {
                device.detect(ErrorPlace::Function(of.source), &timeout);
                break;
            }
        }
        Err(Fault::UnsupportedRequest)
    }

    /// Whether `device` refuses the access; then that is reported.
    pub(crate) fn refuses(
        &self,
        device: &dyn Device,
        at: Landing,
        len: usize,
        of: &Question,
    ) -> Result<(), Fault> {
        if device.refuses(at.region, at.offset, len, of.access) {
            return Err(self.aborted(device, (at.region, at.offset), of.header()));
        }
        Ok(())
    }

    /// A poisoned write has arrived: every port on its way has seen it, and who was to take it throws it away (6.2.3.2.4.2).
    pub(crate) fn poisoned(&self, of: &Question, destination: Destination) {
        self.counters.poisoned_writes.add();
        let routes = self.routes.load();
        let Some(tree) = self.tree() else { return };
        let stage =
            DetectedError { kind: ErrorKind::Poisoned, header: of.header(), advisory: true };
        let last = DetectedError { advisory: false, ..stage };
        let arrival = routes.up(of.bus, of.request(), of.address.0).map(|(arrival, _)| arrival);
        let target = match destination {
            Destination::Device(landing) => Some(landing),
            Destination::Ram { .. } | Destination::Interrupt => None,
        };
        let crossing = match arrival {
            Ok(Arrival::Inside(_)) => target.and_then(|at| routes.topology.bus_of(at.device)),
            Ok(Arrival::Peer(peer)) => Some(routes.topology.port(peer).bus),
            _ => Some(ROOT_BUS),
        };
        let mut bus = of.bus;
        while let Some(port) = routes.topology.bus(bus).above.filter(|_| Some(bus) != crossing) {
            let here = routes.topology.port(port);
            let ends = here.kind == PortKind::RootPort && target.is_none();
            if here.kind.is_downstream() {
                self.log(&tree, port, if ends { &last } else { &stage });
            }
            bus = here.bus;
        }
        if let Some(landing) = target
            && let Some(device) = tree.devices.get(landing.device.0)
        {
            device.detect(ErrorPlace::Register(landing.region, landing.offset), &last);
        }
    }

    /// An error message on its way up from `bus`.
    pub(crate) fn send(&self, bus: BusIndex, source: RequesterId, message: ErrorMessage) {
        if let Some(tree) = self.tree() {
            send(&tree, bus, source, message);
        }
    }

    fn at_port(&self, port: PortIndex, of: &Question, kind: ErrorKind) {
        if let Some(tree) = self.tree() {
            self.log(&tree, port, &DetectedError::at_completer(kind, of.header()));
        }
    }

    fn log(&self, tree: &Tree, port: PortIndex, error: &DetectedError) {
        tree.errors[port.0].count(error.kind);
        let bridge = &tree.bridges[port.0];
        let Some(message) = bridge.detect(error) else { return };
        match bridge.kind() {
            PortKind::RootPort => bridge.receive(bridge.id(), message),
            _ => send(tree, tree.topology.port(port).bus, bridge.id(), message),
        }
    }
}

/// Up to its root port, or to the event collector for devices of the root bus.
fn send(tree: &Tree, mut bus: BusIndex, source: RequesterId, message: ErrorMessage) {
    if bus == ROOT_BUS {
        let devices = &tree.topology.bus(bus).devices;
        let mut devices = devices.iter().map(|device| &tree.devices[device.0]);
        let _is_collected = devices.any(|device| device.collect(source, message));
        return;
    }
    while let Some(port) = tree.topology.bus(bus).above {
        let bridge = &tree.bridges[port.0];
        if !bridge.forward(message) {
            return;
        }
        bridge.receive(source, message);
        bus = tree.topology.port(port).bus;
    }
}

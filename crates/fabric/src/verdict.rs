//! What a port does with a request, as a pure function of its controls, the request, where it came in and where it decodes to.
//!
//! Access Control Services: PCI Express base 6.0, 6.12 (what each control does) and 7.7.11 (control bits, egress control
//! vector). Left out: ACS Enhanced Capability (I/O request blocking, DSP and USP memory target access, 7.7.11.2), multicast.

use pando_pci::AcsServices as Acs;
use pando_tlp::RequesterId;

/// An Egress Control Vector (7.7.11.4): one bit per egress port or function number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EgressVector(pub [u32; 8]);

impl EgressVector {
    /// Whether the bit of `number` is set.
    pub fn contains(&self, number: u8) -> bool {
        self.0[usize::from(number >> 5)] >> (number & 31) & 1 != 0
    }
}

/// What software has set at one port. Without an ACS capability: no bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortControls {
    /// The ACS Control register.
    pub acs: Acs,
    /// The Egress Control Vector.
    pub egress_vector: EgressVector,
    /// Secondary Bus Number.
    pub secondary: u8,
    /// Subordinate Bus Number.
    pub subordinate: u8,
}

/// The AT field of a memory request (10.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressType {
    /// An address the root complex still has to translate.
    Untranslated,
    /// An ATS translation request.
    TranslationRequest,
    /// An address that a translation completion gave.
    Translated,
}

/// What of a TLP decides its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A memory request, posted or not.
    Memory {
        /// Who sends it.
        requester: RequesterId,
        /// Its AT field.
        address_type: AddressType,
    },
    /// A completion.
    Completion {
        /// Its Relaxed Ordering attribute.
        relaxed_ordering: bool,
    },
}

/// Where a TLP came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// From the link of a switch's downstream port.
    SwitchPort,
    /// From the link of a root port.
    RootPort {
        /// Whether the root complex carries untranslated requests between its root ports.
        peer_to_peer: bool,
    },
    /// From one function of a multi-function device; a sibling function is the peer.
    Function,
}

/// Where its address (or the completion's bus number) decodes to, as seen at the ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// To nothing at this level: up.
    Upstream,
    /// To the peer of this port number (or function number).
    Peer(u8),
    /// Back to where it came from.
    Own,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes where it decodes to.
    Direct,
    /// It goes upstream although it decodes to a peer or to the ingress itself.
    Redirect,
    /// Nobody may take it: dropped, a non-posted request ends as Unsupported Request.
    UnsupportedRequest,
    /// ACS violation: dropped, a non-posted request ends as Completer Abort, and the port logs the error.
    Violation,
}

/// The verdict. Depends on nothing but its arguments.
pub fn verdict(
    controls: &PortControls,
    request: Request,
    ingress: Ingress,
    egress: Egress,
) -> Verdict {
    if ingress != Ingress::Function && !is_admitted(controls, request) {
        return Verdict::Violation;
    }
    match egress {
        Egress::Upstream => Verdict::Direct,
        Egress::Own if ingress == Ingress::Function => Verdict::Redirect,
        Egress::Own if controls.acs.contains(Acs::UPSTREAM_FORWARDING) => Verdict::Redirect,
        Egress::Own => Verdict::UnsupportedRequest,
        Egress::Peer(number) => to_peer(controls, request, ingress, number),
    }
}

/// Translation Blocking first, then Source Validation (6.12.1.1). Completions pass both.
fn is_admitted(controls: &PortControls, request: Request) -> bool {
    let Request::Memory { requester, address_type } = request else { return true };
    if controls.acs.contains(Acs::TRANSLATION_BLOCKING) && address_type != AddressType::Untranslated
    {
        return false;
    }
    !controls.acs.contains(Acs::SOURCE_VALIDATION)
        || (controls.secondary..=controls.subordinate).contains(&requester.bus())
}

fn to_peer(controls: &PortControls, request: Request, ingress: Ingress, number: u8) -> Verdict {
    let acs = controls.acs;
    match request {
        Request::Completion { relaxed_ordering: false }
            if acs.contains(Acs::COMPLETION_REDIRECT) =>
        {
            Verdict::Redirect
        }
        Request::Completion { .. } => across(ingress),
        Request::Memory { address_type: AddressType::Translated, .. }
            if acs.contains(Acs::DIRECT_TRANSLATED) =>
        {
            across(ingress)
        }
        Request::Memory { .. } => request_to_peer(controls, ingress, number),
    }
}

/// The interaction of redirect and egress control (6.12.3).
fn request_to_peer(controls: &PortControls, ingress: Ingress, number: u8) -> Verdict {
    let redirect = controls.acs.contains(Acs::REQUEST_REDIRECT);
    let egress_control = controls.acs.contains(Acs::EGRESS_CONTROL);
    match (egress_control, controls.egress_vector.contains(number), redirect) {
        (false, _, false) | (true, false, _) => across(ingress),
        (false, _, true) | (true, true, true) => Verdict::Redirect,
        (true, true, false) => Verdict::Violation,
    }
}

/// A switch always connects its ports; a root complex may not.
fn across(ingress: Ingress) -> Verdict {
    match ingress {
        Ingress::RootPort { peer_to_peer: false } => Verdict::UnsupportedRequest,
        _ => Verdict::Direct,
    }
}

#[cfg(test)]
mod tests;

//! One row per case of the specification (PCI Express base 6.0, 6.12.1 and 6.12.3).

use super::*;

const SV: Acs = Acs::SOURCE_VALIDATION;
const TB: Acs = Acs::TRANSLATION_BLOCKING;
const RR: Acs = Acs::REQUEST_REDIRECT;
const CR: Acs = Acs::COMPLETION_REDIRECT;
const UF: Acs = Acs::UPSTREAM_FORWARDING;
const EC: Acs = Acs::EGRESS_CONTROL;
const DT: Acs = Acs::DIRECT_TRANSLATED;
const NONE: Acs = Acs::empty();

const SWITCH: Ingress = Ingress::SwitchPort;
const ROOT: Ingress = Ingress::RootPort { peer_to_peer: true };
const ROOT_ALONE: Ingress = Ingress::RootPort { peer_to_peer: false };
const FUNCTION: Ingress = Ingress::Function;

/// The peer whose bit in the vector is set, and the one whose bit isn't.
const LISTED: Egress = Egress::Peer(40);
const FREE: Egress = Egress::Peer(3);
const UP: Egress = Egress::Upstream;
const OWN: Egress = Egress::Own;

const fn memory(bus: u8, address_type: AddressType) -> Request {
    Request::Memory { requester: RequesterId((bus as u16) << 8), address_type }
}

const REQUEST: Request = memory(5, AddressType::Untranslated);
const TRANSLATED: Request = memory(5, AddressType::Translated);
const ASKING: Request = memory(5, AddressType::TranslationRequest);
const STRANGER: Request = memory(8, AddressType::Untranslated);
const BELOW: Request = memory(7, AddressType::Untranslated);
const BEFORE: Request = memory(4, AddressType::Untranslated);
const COMPLETION: Request = Request::Completion { relaxed_ordering: false };
const RELAXED: Request = Request::Completion { relaxed_ordering: true };

fn controls(acs: Acs) -> PortControls {
    let mut egress_vector = EgressVector::default();
    egress_vector.0[1] = 1 << 8;
    PortControls { acs, egress_vector, secondary: 5, subordinate: 7 }
}

#[test]
fn an_acs_verdict_is_a_pure_function_with_one_row_per_case() {
    use Verdict::{Direct, Redirect, UnsupportedRequest, Violation};
    #[rustfmt::skip]
    let table = [
        // Nothing set.
        (NONE, REQUEST, SWITCH, UP, Direct),
        (NONE, REQUEST, SWITCH, FREE, Direct),
        (NONE, REQUEST, ROOT, FREE, Direct),
        (NONE, REQUEST, ROOT_ALONE, FREE, UnsupportedRequest),
        (NONE, REQUEST, ROOT_ALONE, UP, Direct),
        (NONE, REQUEST, FUNCTION, FREE, Direct),
        (NONE, STRANGER, SWITCH, UP, Direct),
        (NONE, TRANSLATED, SWITCH, UP, Direct),
        (NONE, COMPLETION, SWITCH, FREE, Direct),
        (NONE, COMPLETION, ROOT_ALONE, FREE, UnsupportedRequest),
        // Source Validation: secondary to subordinate pass, completions are not checked, functions have none.
        (SV, REQUEST, SWITCH, UP, Direct),
        (SV, BELOW, SWITCH, UP, Direct),
        (SV, STRANGER, SWITCH, UP, Violation),
        (SV, BEFORE, SWITCH, UP, Violation),
        (SV, STRANGER, ROOT, UP, Violation),
        (SV, STRANGER, SWITCH, FREE, Violation),
        (SV.union(RR).union(UF), STRANGER, SWITCH, OWN, Violation),
        (SV, COMPLETION, SWITCH, FREE, Direct),
        (SV, STRANGER, FUNCTION, FREE, Direct),
        // Translation Blocking: any AT other than 0, before every other control.
        (TB, REQUEST, SWITCH, UP, Direct),
        (TB, TRANSLATED, SWITCH, UP, Violation),
        (TB, ASKING, SWITCH, UP, Violation),
        (TB, ASKING, ROOT, UP, Violation),
        (TB.union(DT), TRANSLATED, SWITCH, FREE, Violation),
        (TB.union(UF), TRANSLATED, SWITCH, OWN, Violation),
        (TB, COMPLETION, SWITCH, UP, Direct),
        (TB, TRANSLATED, FUNCTION, FREE, Direct),
        // Request Redirect: only what decodes to a peer.
        (RR, REQUEST, SWITCH, FREE, Redirect),
        (RR, REQUEST, ROOT, FREE, Redirect),
        (RR, REQUEST, ROOT_ALONE, FREE, Redirect),
        (RR, REQUEST, FUNCTION, FREE, Redirect),
        (RR, REQUEST, SWITCH, UP, Direct),
        (RR, TRANSLATED, SWITCH, FREE, Redirect),
        (RR, COMPLETION, SWITCH, FREE, Direct),
        // Completion Redirect: not the relaxed-ordered ones, and no requests.
        (CR, COMPLETION, SWITCH, FREE, Redirect),
        (CR, COMPLETION, ROOT_ALONE, FREE, Redirect),
        (CR, COMPLETION, FUNCTION, FREE, Redirect),
        (CR, RELAXED, SWITCH, FREE, Direct),
        (CR, RELAXED, ROOT_ALONE, FREE, UnsupportedRequest),
        (CR, COMPLETION, SWITCH, UP, Direct),
        (CR, REQUEST, SWITCH, FREE, Direct),
        // Upstream Forwarding: back to the ingress' own range.
        (NONE, REQUEST, SWITCH, OWN, UnsupportedRequest),
        (NONE, REQUEST, ROOT, OWN, UnsupportedRequest),
        (NONE, COMPLETION, SWITCH, OWN, UnsupportedRequest),
        (RR, REQUEST, SWITCH, OWN, UnsupportedRequest),
        (UF, REQUEST, SWITCH, OWN, Redirect),
        (UF, REQUEST, ROOT_ALONE, OWN, Redirect),
        (UF, COMPLETION, SWITCH, OWN, Redirect),
        (UF, REQUEST, SWITCH, FREE, Direct),
        (NONE, REQUEST, FUNCTION, OWN, Redirect),
        // Egress Control: the vector bit and Request Redirect together.
        (EC, REQUEST, SWITCH, FREE, Direct),
        (EC, REQUEST, ROOT_ALONE, FREE, UnsupportedRequest),
        (EC.union(RR), REQUEST, SWITCH, FREE, Direct),
        (EC, REQUEST, SWITCH, LISTED, Violation),
        (EC, REQUEST, ROOT, LISTED, Violation),
        (EC, REQUEST, FUNCTION, LISTED, Violation),
        (EC.union(RR), REQUEST, SWITCH, LISTED, Redirect),
        (EC.union(RR), REQUEST, FUNCTION, LISTED, Redirect),
        (EC, REQUEST, SWITCH, UP, Direct),
        (EC, COMPLETION, SWITCH, LISTED, Direct),
        (NONE, REQUEST, SWITCH, LISTED, Direct),
        (EC, ASKING, SWITCH, LISTED, Violation),
        // Direct Translated: over redirect and egress control, but only for translated requests to a peer.
        (DT.union(RR), TRANSLATED, SWITCH, FREE, Direct),
        (DT.union(EC), TRANSLATED, SWITCH, LISTED, Direct),
        (DT.union(EC).union(RR), TRANSLATED, FUNCTION, LISTED, Direct),
        (DT.union(RR), TRANSLATED, ROOT_ALONE, FREE, UnsupportedRequest),
        (DT.union(RR), REQUEST, SWITCH, FREE, Redirect),
        (DT.union(RR), ASKING, SWITCH, FREE, Redirect),
        (DT, TRANSLATED, SWITCH, OWN, UnsupportedRequest),
        (DT.union(SV), memory(8, AddressType::Translated), SWITCH, FREE, Violation),
    ];
    for (row, (acs, request, ingress, egress, expected)) in table.into_iter().enumerate() {
        let controls = controls(acs);
        for _ in 0..2 {
            let got = verdict(&controls, request, ingress, egress);
            assert_eq!(got, expected, "row {row}: {acs:?} {request:?} {ingress:?} {egress:?}");
        }
    }
}

#[test]
fn a_vector_bit_is_found_by_its_number() {
    for number in 0..=255u8 {
        let mut vector = EgressVector::default();
        vector.0[usize::from(number / 32)] = 1 << (number % 32);
        for other in 0..=255 {
            assert_eq!(vector.contains(other), other == number);
        }
    }
}

#[test]
fn an_inverted_bus_range_admits_nobody() {
    let controls = PortControls { secondary: 7, subordinate: 5, ..controls(SV) };
    assert_eq!(verdict(&controls, BELOW, SWITCH, UP), Verdict::Violation);
}

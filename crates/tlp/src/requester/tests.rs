use super::*;

#[test]
fn id_gate_and_outcomes_do_not_touch_each_other() {
    let requester = Requester::default();
    requester.set_id(RequesterId(0xabcd));
    assert!(requester.set_open(true));
    requester.learn(Outcome::PoisonSent);
    requester.learn(Outcome::CompleterAbort);
    requester.learn(Outcome::UnsupportedRequest);
    requester.set_id(RequesterId(0x1234));
    assert!(requester.is_open());
    assert!(requester.set_open(false));
    assert_eq!(requester.id(), RequesterId(0x1234));
    assert_eq!(requester.take_outcomes(), 0x3100);
    assert_eq!(requester.take_outcomes(), 0);
    assert_eq!(requester.id(), RequesterId(0x1234));
}

#[test]
fn refusals_are_counted_by_reason_and_a_closed_gate_is_none() {
    let requester = Requester::default();
    for fault in
        [Fault::UnsupportedRequest, Fault::CompleterAbort, Fault::Translation, Fault::Gated]
    {
        requester.count(fault);
    }
    assert_eq!(requester.refused(), Refused { unsupported: 1, aborted: 1, blocked: 1 });
}

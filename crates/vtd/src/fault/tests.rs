use std::sync::Mutex;

use super::*;

#[derive(Default)]
struct Sent(Mutex<Vec<MsiMessage>>);

impl MsiSink for Sent {
    fn signal(&self, message: MsiMessage) {
        self.0.lock().unwrap().push(message);
    }
}

fn faults() -> (Faults, Arc<Sent>) {
    let sent = Arc::new(Sent::default());
    (Faults::new(sent.clone()), sent)
}

fn fault(source: u16) -> Fault {
    Fault {
        source: RequesterId(source),
        reason: Reason::READ_DENIED,
        info: 0x1234_5000,
        read: true,
    }
}

#[test]
fn a_record_has_the_layout_of_the_specification() {
    let (faults, _) = faults();
    faults.record(fault(0x0410));
    assert_eq!(faults.read_record(0, 0), 0x1234_5000);
    assert_eq!(faults.read_record(0, 1), 1 << 63 | 1 << 62 | 6 << 32 | 0x0410);
    assert_eq!(faults.status(), fault_status::PENDING);
}

#[test]
fn records_fill_then_overflow_and_the_index_names_the_first() {
    let (faults, _) = faults();
    for source in 0..FAULT_RECORDS as u16 + 3 {
        faults.record(fault(source));
    }
    assert_eq!(faults.status(), fault_status::PENDING | fault_status::OVERFLOW);
    assert_eq!(faults.counts(), Counts { recorded: 8, collapsed: 0, lost: 3 });
    for index in 0..FAULT_RECORDS {
        faults.clear_record(index, 1 << 63);
    }
    assert_eq!(faults.status(), fault_status::OVERFLOW);
    faults.record(fault(9));
    assert_eq!(faults.counts().lost, 4, "nothing is recorded until the overflow is cleared");
    faults.clear_status(fault_status::OVERFLOW);
    faults.record(fault(10));
    assert_eq!(faults.read_record(0, 1) as u16, 10);
    faults.clear_record(0, 1 << 63);
    faults.record(fault(11));
    assert_eq!(faults.status(), fault_status::PENDING | 1 << fault_status::RECORD_SHIFT);
}

#[test]
fn one_message_for_what_becomes_pending_while_nothing_was() {
    let (faults, sent) = faults();
    faults.set_event(|event| (event.address, event.upper, event.data) = (0xfee0_1000, 0x100, 0x41));
    faults.record(fault(1));
    assert!(sent.0.lock().unwrap().is_empty(), "masked after reset");
    assert_eq!(faults.event().control, event::MASK | event::PENDING);
    faults.set_control(0);
    assert_eq!(*sent.0.lock().unwrap(), [MsiMessage { address: 0x100_fee0_1000, data: 0x41 }]);
    faults.record(fault(2));
    faults.queue_error();
    assert_eq!(sent.0.lock().unwrap().len(), 1, "still pending: no further message");
    for index in 0..2 {
        faults.clear_record(index, 1 << 63);
    }
    faults.clear_status(fault_status::QUEUE_ERROR);
    faults.queue_error();
    assert_eq!(sent.0.lock().unwrap().len(), 2);
}

#[test]
fn what_was_serviced_while_masked_sends_nothing() {
    let (faults, sent) = faults();
    faults.record(fault(1));
    faults.clear_record(0, 1 << 63);
    faults.set_control(0);
    assert!(sent.0.lock().unwrap().is_empty());
}

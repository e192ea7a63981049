//! Errors of a card's functions: each logs for itself, the PF decides what is reported.

use pando_tlp::{Access, ErrorMessage, Fault, Marks, Outcome, RequesterId, TlpHeader};

use super::*;
use crate::{DetectedError, ErrorKind, ErrorPlace};

const AER: u16 = 0x100;

fn pcie(card: &Card, id: RequesterId) -> u16 {
    let mut offset = card.read(id, 0x34) as u16 & 0xfc;
    while card.read(id, offset) as u8 != 0x10 {
        offset = (card.read(id, offset) >> 8) as u16 & 0xfc;
    }
    offset
}

fn poisoned() -> DetectedError {
    let marks = Marks { poisoned: true, ..Marks::default() };
    let header = TlpHeader::memory(RequesterId(0x700), Access::Write, 0x1000, 4, marks);
    DetectedError::at_completer(ErrorKind::Poisoned, header)
}

#[test]
fn a_function_logs_for_itself_and_its_pf_decides() {
    let card = Card::new(config(7));
    card.write16(pf(), 0x04, 6);
    card.enable_vfs(3);
    let messages = || std::mem::take(&mut *card.wire.errors.lock().unwrap());
    card.endpoint.detect(ErrorPlace::Function(vf(1)), &poisoned());
    assert_eq!(card.read(vf(1), AER + 4), 1 << 12);
    assert_eq!(card.read(vf(1), AER + 0x1c), 0x4000_4001);
    assert_eq!(card.read(vf(1), 0x04) >> 31, 1, "Detected Parity Error");
    assert_eq!(card.read(vf(1), pcie(&card, vf(1)) + 8) >> 16, 2);
    assert_eq!((card.read(pf(), AER + 4), card.read(vf(0), AER + 4)), (0, 0));
    assert_eq!(messages(), [], "reporting is off");
    card.write16(pf(), pcie(&card, pf()) + 8, 0x2);
    card.endpoint.detect(ErrorPlace::Register(Region::VfBar(0), 2 * 0x4000), &poisoned());
    assert_eq!(messages(), [(vf(2), ErrorMessage::NonFatal)]);
    card.write(pf(), AER + 8, 1 << 12);
    card.endpoint.detect(ErrorPlace::Function(vf(0)), &poisoned());
    assert_eq!((card.read(vf(0), AER + 4), messages()), (1 << 12, vec![]), "masked by the PF");
    card.endpoint.detect(ErrorPlace::Function(vf(5)), &poisoned());
    card.endpoint.detect(ErrorPlace::Register(Region::Bar(0), 0), &poisoned());
    card.endpoint.detect(ErrorPlace::Register(Region::VfBar(0), u64::MAX), &poisoned());
    assert_eq!(messages(), [], "nobody is there");
    let report = card.endpoint.report();
    assert_eq!(report.vfs.iter().map(|vf| vf.errors[0]).collect::<Vec<_>>(), [1 << 12; 3]);
}

#[test]
fn a_log_survives_resets_but_not_power_off() {
    let card = Card::new(config(0));
    card.write(pf(), 0, 0);
    card.endpoint.detect(ErrorPlace::Function(pf()), &poisoned());
    card.write16(pf(), pcie(&card, pf()) + 8, 0x8000);
    assert_eq!(card.read(pf(), AER + 4), 1 << 12);
    card.endpoint.hot_reset();
    assert_eq!(card.read(pf(), AER + 0x18), 12);
    card.endpoint.reset();
    assert_eq!((card.read(pf(), AER + 4), card.read(pf(), AER + 0x1c)), (0, 0));
}

#[test]
fn status_tells_how_requests_ended() {
    let card = Card::new(config(1));
    card.write16(pf(), 0x04, 6);
    card.enable_vfs(1);
    let endpoint = &card.endpoint;
    let status = |id| card.read(id, 0x04) >> 16 & 0xf900;
    endpoint.pf.requester.learn(Outcome::UnsupportedRequest);
    endpoint.vfs[0].requester.learn(Outcome::CompleterAbort);
    endpoint.vfs[0].requester.learn(Outcome::PoisonSent);
    assert_eq!((status(pf()), status(vf(0))), (0x2000, 0x1000));
    assert_eq!(status(pf()), 0x2000, "until it is cleared");
    card.write_sized(pf(), 0x06, 0x2000, 2);
    endpoint.pf.requester.learn(Outcome::CompleterAbort);
    assert_eq!(status(pf()), 0x1000);
    card.write16(pf(), 0x04, 0x46);
    endpoint.vfs[0].requester.learn(Outcome::PoisonSent);
    assert_eq!(status(vf(0)), 0x1100, "with Parity Error Response of the PF");
    endpoint.pf.requester.count(Fault::Translation);
    assert_eq!(endpoint.report().pf.refused_requests, [0, 0, 1]);
}

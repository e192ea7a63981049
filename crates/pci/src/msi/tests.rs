use pando_tlp::RequesterId;

use crate::testing::{Card, config, pf};

/// Where [`config`] puts the capability.
const MSI: u16 = 0xc0;

const NONE: [u32; 0] = [];

/// A card with eight vectors, bus mastering on, `granted` as a power of two, enabled.
fn card(granted: u32) -> Card {
    let card = Card::new(config(0));
    card.write16(pf(), 0x04, 0x4);
    for (register, value) in [(4, 0xfee0_1000), (8, 0), (0xc, 0x47)] {
        card.write(pf(), MSI + register, value);
    }
    card.write16(pf(), MSI + 2, granted << 4 | 1);
    card
}

/// The data of what was sent.
fn sent(card: &Card) -> Vec<u32> {
    let sent = card.wire.take();
    assert!(sent.iter().all(|(id, message)| (*id, message.address) == (pf(), 0xfee0_1000)));
    sent.iter().map(|(_, message)| message.data).collect()
}

/// The function changes as many low bits of the data as there are vectors for (6.1.4.2), and loses events of the others.
#[test]
fn vectors_are_told_apart_by_low_bits() {
    for (granted, expected) in [
        (0, vec![0x47]),
        (1, vec![0x46, 0x47]),
        (3, (0x40..0x48).collect()),
        (5, (0x40..0x48).collect()), // more than it asked for
        (7, (0x40..0x48).collect()), // reserved
    ] {
        let card = card(granted);
        (0..40).for_each(|vector| card.ports[0].msi.signal(vector));
        assert_eq!(sent(&card), expected, "granted {granted}");
    }
}

#[test]
fn masked_vectors_become_pending_and_are_sent_once() {
    let card = card(3);
    card.write(pf(), MSI + 0x10, 0b1010);
    (0..4).chain(0..4).for_each(|vector| card.ports[0].msi.signal(vector));
    assert_eq!(sent(&card), [0x40, 0x42, 0x40, 0x42]);
    assert_eq!(card.read(pf(), MSI + 0x14), 0b1010);
    assert_eq!(card.endpoint.report().pf.pending_vectors, 2);
    card.write(pf(), MSI + 0x14, 0);
    card.write(pf(), MSI + 0x10, 0b1000);
    assert_eq!((sent(&card), card.read(pf(), MSI + 0x14)), (vec![0x41], 0b1000));
    card.write16(pf(), MSI + 2, 1);
    assert_eq!(card.read(pf(), MSI + 0x14), 0, "no longer granted");
    card.write(pf(), MSI + 0x10, 0);
    assert_eq!(sent(&card), NONE);
}

#[test]
fn nothing_is_sent_while_disabled_or_gated() {
    let card = card(0);
    card.write16(pf(), 0x04, 0);
    card.ports[0].msi.signal(0);
    assert_eq!(sent(&card), NONE);
    card.write16(pf(), 0x04, 0x4);
    assert_eq!(sent(&card), [0x47], "when it may");
    card.write16(pf(), MSI + 2, 0);
    card.ports[0].msi.signal(0);
    card.write16(pf(), MSI + 2, 1);
    assert_eq!(sent(&card), NONE, "disabled: lost");
    card.write16(pf(), 0x50, 0x8000);
    card.ports[0].msi.signal(0);
    card.write16(pf(), 0x04, 0x4);
    assert_eq!(sent(&card), NONE, "disabled by FLR");
}

/// A change of address and data shows in the next message; the bus number is the function's own.
#[test]
fn messages_are_as_the_registers_say_when_they_are_sent() {
    let card = card(0);
    card.write(pf(), MSI + 0x10, 1);
    card.ports[0].msi.signal(0);
    card.write(pf(), MSI + 8, 0x12);
    card.write16(pf(), MSI + 0xc, 0xbeef);
    card.write(pf(), MSI + 0x10, 0);
    let [(id, message)] = card.wire.take()[..] else { panic!("one message") };
    assert_eq!((id, message.address, message.data), (pf(), 0x12_fee0_1000, 0xbeef));
    assert_ne!(id, RequesterId(0));
}

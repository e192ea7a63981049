//! The interrupt pin: who has one, what silences it, what the registers show.

use pando_tlp::IntxWire;

use super::*;

const MSI: u16 = 0xc0;
const MSIX: u16 = 0x84;

/// Assertions and their ends since the last call.
fn told(card: &Card) -> Vec<bool> {
    let told = std::mem::take(&mut *card.wire.intx.lock().unwrap());
    assert!(told.iter().all(|(function, wire, _)| (*function, wire.number()) == (0, 0)));
    told.into_iter().map(|(_, _, asserted)| asserted).collect()
}

fn status(card: &Card) -> bool {
    card.read(pf(), 0x04) & 1 << 19 != 0
}

fn level(card: &Card, level: bool) {
    card.ports[0].intx.follow(|| level);
}

#[test]
fn pins_go_round_with_function_numbers() {
    for (function, pin) in [(0, 1), (1, 2), (3, 4), (4, 1), (7, 4), (0x42, 3)] {
        let card = Card::new(EndpointConfig { function, ..config(0) });
        let id = RequesterId::new(BUS, function);
        assert_eq!(card.read(id, 0x3c) >> 8, pin, "function {function}");
        level(&card, true);
        let told = (function, IntxWire::new(pin as u8 - 1), true);
        assert_eq!(*card.wire.intx.lock().unwrap(), [told]);
    }
    let card = Card::new(EndpointConfig { interrupt_pin: false, ..config(0) });
    level(&card, true);
    assert_eq!((card.read(pf(), 0x3c), status(&card), told(&card)), (0, false, vec![]));
}

#[test]
fn a_level_is_told_when_it_changes() {
    let card = Card::new(config(0));
    assert_eq!((told(&card), status(&card)), (vec![], false));
    level(&card, true);
    level(&card, true);
    assert_eq!((told(&card), status(&card)), (vec![true], true));
    level(&card, false);
    assert_eq!((told(&card), status(&card)), (vec![false], false));
}

/// Interrupt Disable hides the pin, not the status (7.5.1.1.3, 7.5.1.1.4); Bus Master Enable doesn't matter.
#[test]
fn interrupt_disable_leaves_the_status() {
    let card = Card::new(config(0));
    level(&card, true);
    card.write16(pf(), 0x04, 0x400);
    assert_eq!((told(&card), status(&card)), (vec![true, false], true));
    level(&card, false);
    level(&card, true);
    card.write16(pf(), 0x04, 0x4);
    assert_eq!((told(&card), status(&card)), (vec![true], true));
}

/// A function that uses MSI or MSI-X has no other interrupts (6.1.4).
#[test]
fn messages_replace_the_pin() {
    for (control, enable) in [(MSI + 2, 1), (MSIX + 2, 0x8000)] {
        let card = Card::new(config(0));
        level(&card, true);
        card.write16(pf(), control, enable);
        assert_eq!((told(&card), status(&card)), (vec![true, false], false));
        level(&card, false);
        level(&card, true);
        card.write16(pf(), control, 0);
        assert_eq!((told(&card), status(&card)), (vec![true], true));
    }
}

#[test]
fn power_states_and_resets_silence_it() {
    let card = Card::new(config(0));
    level(&card, true);
    card.write(pf(), 0x44, 3);
    assert_eq!((told(&card), status(&card)), (vec![true, false], false));
    card.write(pf(), 0x44, 0);
    assert_eq!((told(&card), status(&card)), (vec![true], true), "state is kept over D3hot");
    card.write16(pf(), 0x04, 0x400);
    card.write16(pf(), 0x50, 0x8000);
    assert_eq!((told(&card), status(&card)), (vec![false], false));
    level(&card, true);
    assert_eq!(told(&card), [true], "Interrupt Disable is cleared by FLR");
    card.endpoint.hot_reset();
    assert_eq!((told(&card), status(&card)), (vec![false], false));
}

#[test]
fn virtual_functions_have_no_pin() {
    let card = Card::new(config(7));
    card.enable_vfs(7);
    for port in &card.ports[1..] {
        port.intx.follow(|| true);
    }
    assert_eq!((told(&card), card.read(vf(3), 0x3c)), (vec![], 0));
    assert_eq!(card.read(vf(3), 0x04) & 1 << 19, 0);
}

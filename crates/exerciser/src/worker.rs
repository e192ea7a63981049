//! The thread that carries commands out: a piece of each function's command in turn, each under a guard of its own.

use std::sync::Weak;
use std::sync::mpsc::Receiver;

use pando_pci::FunctionId;
use pando_tlp::Participant;

use crate::card::Card;

/// Works until the card is gone.
pub(crate) fn run(
    card: &Weak<Card>,
    commands: &Receiver<FunctionId>,
    mut participant: Participant,
) {
    while let Ok(function) = commands.recv() {
        let Some(card) = card.upgrade() else { return };
        card.work(function, &mut participant);
    }
}

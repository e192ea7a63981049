//! What the card's registers are: offsets and bits, by subject (Intel 82599 10 GbE Controller datasheet, chapter 8). No behaviour.

#![expect(dead_code, reason = "registers are named here whether or not a module uses them already")]

pub(crate) mod descriptor;
pub(crate) mod filter;
pub(crate) mod general;
pub(crate) mod interrupt;
pub(crate) mod mailbox;
pub(crate) mod queue;
pub(crate) mod statistics;

//! The card as drivers see it: Linux's own sequences, isolation, resets.

mod interrupts;
mod linux;
mod random;
mod registers;
mod vfs;

//! The card as drivers see it: Linux's own sequences, isolation, resets.

mod fuzz;
mod interrupts;
mod ipxe;
mod linux;
mod registers;
mod vfs;

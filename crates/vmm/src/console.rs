//! The console: COM1's other end, on the terminal, a file, or nowhere.

pub mod escape;
pub mod input;
pub mod output;
pub mod terminal;

//! Drives functions that take any bytes: a few fixed inputs in a crate's unit tests, as many as wanted by `cargo xtask fuzz`.
//!
//! A target is a plain function that panics at what must not be. It lives in the tests of the crate it is about, where it sees
//! what that crate's other tests see, and runs on a stable compiler. Left out: feedback from coverage, which needs another.

mod campaign;
mod inputs;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use campaign::Order;
use inputs::Inputs;

/// A function for any bytes, and how to begin.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, as `cargo xtask fuzz` knows it.
    pub name: &'static str,
    /// Takes any input and panics at a fault.
    pub run: fn(&[u8]),
    /// Inputs to begin with; there may be none.
    pub seeds: &'static [&'static [u8]],
    /// Inputs of its unit test.
    pub runs: usize,
}

impl Target {
    /// The body of its unit test: a fixed number of inputs, always the same, or what `cargo xtask fuzz` orders.
    pub fn test(&self) {
        match Order::from_environment() {
            None => check(self.seeds, self.runs, self.run),
            Some(order) => order.carry_out(self),
        }
    }
}

/// Runs `run` with the first `runs` inputs that come of `seeds`, and shows the input that it panics at.
pub fn check(seeds: &[&[u8]], runs: usize, run: impl Fn(&[u8])) {
    let mut inputs = Inputs::new(seeds, 0);
    for number in 0..runs {
        let input = inputs.next_input();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(&input))) {
            let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
            eprintln!("input {number}: {hex}");
            resume_unwind(panic);
        }
    }
}

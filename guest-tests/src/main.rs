//! Runs the guest tests.
fn main() {}

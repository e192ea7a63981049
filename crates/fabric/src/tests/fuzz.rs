//! Any tree with any registers: every property of its routes.

use super::random::Random;
use super::{properties, reach};

#[test]
fn target() {
    pando_fuzz::Target { name: "fabric", run, seeds: &[], runs: 40 }.test();
}

fn run(bytes: &[u8]) {
    let tree = Random::of(bytes);
    properties::map(&tree);
    properties::down(&tree);
    properties::configuration(&tree);
    properties::up(&tree);
    reach::requests(&tree);
    reach::completions(&tree);
    reach::isolation(tree);
}

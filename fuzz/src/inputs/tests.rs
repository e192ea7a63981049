use super::*;

fn first(seeds: &[&[u8]], seed: u64) -> Vec<Vec<u8>> {
    let mut inputs = Inputs::new(seeds, seed);
    (0..2000).map(|_| inputs.next_input()).collect()
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    assert_eq!(first(&[b"abc"], 7), first(&[b"abc"], 7));
    assert_ne!(first(&[b"abc"], 7), first(&[b"abc"], 8));
}

#[test]
fn inputs_stay_short_and_their_pool_small() {
    let mut inputs = Inputs::new(&[&[0x5a; LONGEST]], 1);
    let longest = (0..5000).map(|_| inputs.next_input().len()).max();
    assert!(longest > Some(1000) && longest <= Some(LONGEST), "{longest:?}");
    assert_eq!(inputs.pool.len(), POOL);
}

#[test]
fn seeds_are_changed_and_not_only_replaced() {
    let seed = b"a seed that chance would never find";
    let inputs = first(&[seed], 3);
    let resembles =
        |input: &&Vec<u8>| input.windows(12).any(|part| seed.windows(12).any(|of| of == part));
    assert!(inputs.iter().filter(resembles).count() > 20);
}

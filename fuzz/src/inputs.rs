//! Inputs without end: random ones, and earlier ones with a few changes. The same seed makes the same inputs.

/// Bytes of an input at most.
const LONGEST: usize = 4096;
/// Inputs that further ones are made from.
const POOL: usize = 256;
/// Changes of an input at most.
const CHANGES: usize = 8;
/// What arithmetic and bounds stumble over.
const INTERESTING: [u64; 12] =
    [0, 1, u64::MAX, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fff_ffff, 0x8000_0000, 0x1000, 1 << 63];

/// The generator `splitmix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 1) as usize % end.max(1)
    }
}

/// The inputs of one seed.
pub(crate) struct Inputs {
    random: Random,
    pool: Vec<Vec<u8>>,
}

impl Inputs {
    pub(crate) fn new(seeds: &[&[u8]], seed: u64) -> Self {
        let pool = seeds.iter().map(|seed| seed.to_vec()).collect();
        Self { random: Random(seed), pool }
    }

    /// The next one.
    pub(crate) fn next_input(&mut self) -> Vec<u8> {
        let input = match self.random.below(4) {
            0 => self.fresh(),
            _ if self.pool.is_empty() => self.fresh(),
            _ => self.changed(),
        };
        match self.pool.len() {
            len if len < POOL => self.pool.push(input.clone()),
            len => self.pool[self.random.below(len)].clone_from(&input),
        }
        input
    }

    fn fresh(&mut self) -> Vec<u8> {
        let most = 16 << self.random.below(9);
        let len = self.random.below(most);
        std::iter::repeat_with(|| self.random.next() as u8).take(len).collect()
    }

    fn changed(&mut self) -> Vec<u8> {
        let mut input = self.pick();
        for _ in 0..=self.random.below(CHANGES) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn pick(&mut self) -> Vec<u8> {
        self.pool[self.random.below(self.pool.len())].clone()
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len());
        let end = (at + 1 + self.random.below(16)).min(input.len());
        match self.random.below(6) {
            0 if !input.is_empty() => input[at] ^= 1 << self.random.below(8),
            1 if !input.is_empty() => input[at] = self.random.next() as u8,
            2 => {
                let value = INTERESTING[self.random.below(INTERESTING.len())].to_le_bytes();
                let width = (1 << self.random.below(4)).min(input.len() - at);
                input[at..at + width].copy_from_slice(&value[..width]);
            }
            3 => drop(input.drain(at..end)),
            4 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            _ => {
                let other = self.pick();
                let from = self.random.below(other.len());
                input.splice(at.., other[from..].iter().copied());
            }
        }
    }
}

#[cfg(test)]
mod tests;

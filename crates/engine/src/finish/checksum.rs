//! The Internet checksum (RFC 1071): a one's complement sum, of 64-bit words as far as there are such (RFC 1071, 2(C)).

use pando_tlp::copy_words;
use vm_memory::VolatileSlice;

/// Words that are summed side by side.
const LANES: usize = 4;

/// Bytes of them.
const BLOCK: usize = 8 * LANES;

/// A running sum. Its value is kept in the machine's byte order, which the arithmetic doesn't care about (RFC 1071, 2(B)).
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds `bytes`, which begin at an even offset of what is summed; an odd last byte counts as if a zero followed.
    #[expect(clippy::should_implement_trait, reason = "a sum of bytes is not a sum of sums")]
    #[inline]
    pub fn add(self, bytes: &[u8]) -> Self {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut lanes = [self.0, 0, 0, 0];
        for block in blocks {
            let words = std::array::from_fn(|index| block.as_chunks::<8>().0[index]);
            add_words(&mut lanes, words.map(u64::from_ne_bytes));
        }
        let (words, rest) = rest.as_chunks::<8>();
        let sum = words.iter().fold(join(lanes), |sum, word| plus(sum, u64::from_ne_bytes(*word)));
        let (words, rest) = rest.as_chunks::<4>();
        let sum = words.first().map_or(sum, |word| plus(sum, u32::from_ne_bytes(*word).into()));
        let last = match *rest {
            [] => return Self(sum),
            [a] => [a, 0, 0, 0],
            [a, b] => [a, b, 0, 0],
            [a, b, c, ..] => [a, b, c, 0],
        };
        Self(plus(sum, u32::from_ne_bytes(last).into()))
    }

    /// Copies `from` to `to`, which is as long or longer, and adds what was copied, as [`add`](Self::add) does.
    pub fn add_copied(self, from: &VolatileSlice<'_>, to: &VolatileSlice<'_>) -> Self {
        let mut lanes = [self.0, 0, 0, 0];
        let copied = copy_words(from, to, |words: [u64; LANES]| add_words(&mut lanes, words));
        let (sum, mut bytes) = (Self(join(lanes)), [0; BLOCK]);
        let (Ok(from), Ok(to)) = (from.offset(copied), to.offset(copied)) else { return sum };
        let count = from.copy_to(&mut bytes);
        to.copy_from(&bytes[..count]);
        sum.add(&bytes[..count])
    }

    /// Adds one word given as a number.
    #[inline]
    pub fn add_word(self, word: u16) -> Self {
        Self(plus(self.0, u64::from(word.to_be())))
    }

    /// The checksum over all that was added, as its two bytes go into the frame.
    #[inline]
    pub fn checksum(self) -> [u8; 2] {
        let sum = fold(fold(self.0));
        let sum = (sum & 0xffff) + (sum >> 16);
        (!(sum as u16)).to_ne_bytes()
    }
}

#[inline(always)]
fn add_words(lanes: &mut [u64; LANES], words: [u64; LANES]) {
    for (lane, word) in lanes.iter_mut().zip(words) {
        *lane = plus(*lane, word);
    }
}

#[inline]
fn join([a, b, c, d]: [u64; LANES]) -> u64 {
    plus(plus(a, b), plus(c, d))
}

/// The one's complement sum of two 64-bit words; as good as the 16-bit words they are made of.
#[inline(always)]
fn plus(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    sum.wrapping_add(u64::from(carry)) // doesn't wrap: a sum that did is small enough
}

/// Brings a sum down to at most 17 bits without changing its value in one's complement.
#[inline]
fn fold(sum: u64) -> u64 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    (sum & 0xffff) + (sum >> 16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use vm_memory::VolatileSlice;

    use super::Sum;

    fn naive(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn rfc_1071_example() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().add(&bytes).checksum(), 0x220du16.to_be_bytes());
    }

    #[test]
    fn largest_sums_fold() {
        let bytes = vec![0xff; 65_536];
        assert_eq!(Sum::default().add(&bytes).checksum(), [0, 0]);
        assert_eq!(Sum::default().checksum(), [0xff, 0xff]);
    }

    proptest! {
        #[test]
        fn equals_the_naive_sum(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            prop_assert_eq!(Sum::default().add(&bytes).checksum(), naive(&bytes).to_be_bytes());
        }

        #[test]
        fn may_be_taken_in_even_pieces(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..150, word: u16,
        ) {
            let cut = (cut * 2).min(bytes.len() & !1);
            let (a, b) = bytes.split_at(cut);
            let mut whole = word.to_be_bytes().to_vec();
            whole.extend(&bytes);
            let sum = Sum::default().add(a).add(b).add_word(word);
            prop_assert_eq!(sum.checksum(), naive(&whole).to_be_bytes());
        }

        #[test]
        fn is_the_same_of_what_is_copied(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..300), room in 0usize..40, word: u16,
        ) {
            let expected = Sum::default().add_word(word).add(&bytes).checksum();
            let (sent, mut copy) = (bytes.clone(), vec![0; bytes.len() + room]);
            let (from, to) = (VolatileSlice::from(&mut bytes[..]), VolatileSlice::from(&mut copy[..]));
            prop_assert_eq!(Sum::default().add_word(word).add_copied(&from, &to).checksum(), expected);
            prop_assert_eq!(&copy[..sent.len()], &sent[..]);
        }
    }
}

//! The Internet checksum (RFC 1071): a one's complement sum of 16-bit words, taken 32 bytes at a time.

/// A running sum. Its value is kept in the machine's byte order, which the arithmetic doesn't care about (RFC 1071, 2(B)).
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds `bytes`, which begin at an even offset of what is summed; an odd last byte counts as if a zero followed.
    #[expect(clippy::should_implement_trait, reason = "a sum of bytes is not a sum of sums")]
    #[inline]
    pub fn add(self, bytes: &[u8]) -> Self {
        // 32-bit words into 64-bit lanes: a lane holds the sum of 2^32 of them, more than any frame has.
        let mut lanes = [0u64; 8];
        let mut chunks = bytes.chunks_exact(32);
        for chunk in &mut chunks {
            for (lane, word) in lanes.iter_mut().zip(chunk.chunks_exact(4)) {
                let word = u32::from_ne_bytes([word[0], word[1], word[2], word[3]]);
                *lane = lane.wrapping_add(u64::from(word)); // wraps never, and so needs no check
            }
        }
        let mut sum = lanes.iter().fold(fold(self.0), |sum, lane| sum + fold(*lane));
        for word in chunks.remainder().chunks(2) {
            sum += u64::from(u16::from_ne_bytes([word[0], word.get(1).copied().unwrap_or(0)]));
        }
        Self(sum)
    }

    /// Adds one word given as a number.
    #[inline]
    pub fn add_word(self, word: u16) -> Self {
        Self(self.0 + u64::from(word.to_be()))
    }

    /// The checksum over all that was added, as its two bytes go into the frame.
    #[inline]
    pub fn checksum(self) -> [u8; 2] {
        let sum = fold(fold(self.0));
        let sum = (sum & 0xffff) + (sum >> 16);
        (!(sum as u16)).to_ne_bytes()
    }
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
    }
}

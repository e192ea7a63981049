use super::*;

#[test]
fn every_piece_is_a_register_access_and_together_they_are_the_whole() {
    for start in 0..16 {
        for len in 0..40 {
            let mut done = 0;
            while done < len {
                let size = piece(start + done, len - done);
                assert!(matches!(size, 1 | 2 | 4 | 8), "{size}");
                assert!(size <= len - done);
                assert!(size == len - done || (start + done).is_multiple_of(size));
                done += size;
            }
            assert_eq!(done, len);
        }
    }
    assert_eq!(piece(2, 4), 4, "a guest's own access stays whole");
    assert_eq!(piece(3, u64::MAX), 1);
    assert_eq!(piece(0, u64::MAX), 8);
}

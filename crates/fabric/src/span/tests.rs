use super::*;

fn span(first: u64, last: u64) -> Span {
    Span::new(first, last).unwrap()
}

#[test]
fn a_span_reaches_the_end_of_the_space_and_never_wraps() {
    assert_eq!(Span::sized(u64::MAX, 1), Span::new(u64::MAX, u64::MAX));
    assert_eq!(Span::sized(u64::MAX, 2), None);
    assert_eq!(Span::sized(5, 0), None);
    assert_eq!(Span::new(2, 1), None);
    assert_eq!(Span::ALL.without(Span::ALL), [None, None]);
}

#[test]
fn taking_out_leaves_what_is_below_and_above() {
    let whole = span(10, 19);
    assert_eq!(whole.without(span(12, 15)), [Span::new(10, 11), Span::new(16, 19)]);
    assert_eq!(whole.without(span(0, 12)), [None, Span::new(13, 19)]);
    assert_eq!(whole.without(span(15, u64::MAX)), [Span::new(10, 14), None]);
    assert_eq!(whole.without(span(30, 40)), [Some(whole), None]);
    assert_eq!(whole.without(span(0, 5)), [None, Some(whole)]);
}

#[test]
fn narrowing_keeps_exactly_the_addresses_with_the_same_answer() {
    for other in [span(12, 15), span(0, 11), span(18, 30), span(0, u64::MAX), span(0, 0)] {
        for address in 10..20 {
            let mut narrowed = span(10, 19);
            let answer = narrowed.narrow(other, address);
            assert_eq!(answer, other.contains(address));
            assert!(narrowed.contains(address));
            for each in narrowed.first..=narrowed.last {
                assert_eq!(other.contains(each), answer);
            }
        }
    }
}

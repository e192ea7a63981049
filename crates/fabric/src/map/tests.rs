use super::*;

fn entry(first: u64, last: u64, number: usize) -> Entry {
    Entry { span: Span::new(first, last).unwrap(), base: first, claimant: Claimant::Fixed(number) }
}

#[test]
fn every_address_finds_its_own_entry_in_any_order_of_questions() {
    let map = Map::new(vec![
        entry(30, 39, 2),
        entry(0, 9, 0),
        entry(10, 19, 1),
        entry(u64::MAX, u64::MAX, 3),
    ]);
    let expected = |address| match address {
        0..=9 => Some(0),
        10..=19 => Some(1),
        30..=39 => Some(2),
        u64::MAX => Some(3),
        _ => None,
    };
    for first in [0, 15, 25, 35, u64::MAX] {
        for second in (0..50).chain([u64::MAX - 1, u64::MAX]) {
            map.find(first);
            let found = map.find(second).map(|entry| entry.claimant);
            assert_eq!(found, expected(second).map(Claimant::Fixed), "{second} after {first}");
        }
    }
    assert_eq!([map.gap(25, 100), map.gap(25, 3), map.gap(40, 100)], [5, 3, 100]);
    assert!(Map::default().find(0).is_none());
}

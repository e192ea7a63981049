use super::*;

/// Who was reminded at `now`; each of them is to be again when `again` says.
fn reminded(held: &mut Held<u32>, now: Instant, again: Option<Instant>) -> Vec<u32> {
    let mut who = Vec::new();
    held.remind(now, |holder| {
        who.push(*holder);
        again
    });
    who
}

#[test]
fn each_is_reminded_in_its_time_and_then_forgotten() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut held = Held::new();
    assert_eq!(held.next(), None);
    for (holder, due) in [(3, 30), (1, 10), (2, 20)] {
        held.add(holder, at(due), start);
    }
    assert_eq!(held.next(), Some(at(10)));
    assert!(!held.is_due(at(9)) && held.is_due(at(10)));
    assert!(reminded(&mut held, at(9), None).is_empty());
    assert_eq!(reminded(&mut held, at(20), None), [1, 2]);
    assert_eq!(held.next(), Some(at(30)));
    assert_eq!(reminded(&mut held, at(30), Some(at(40))), [3]);
    assert_eq!(held.next(), Some(at(40)));
    assert_eq!(reminded(&mut held, at(40), None), [3]);
    assert_eq!(held.next(), None);
}

#[test]
fn all_can_be_hastened_and_none_is_kept_for_long() {
    let start = Instant::now();
    let far = start + Duration::from_secs(4000);
    let mut held = Held::new();
    held.hasten(start);
    assert!(!held.is_due(far));
    held.add(1, far, start);
    assert_eq!(held.next(), Some(start + LONGEST));
    held.hasten(start);
    assert_eq!(reminded(&mut held, start, Some(far)), [1]);
    assert_eq!(held.next(), Some(start + LONGEST));
}

//! Lines as consoles really show them.

use super::{Event, parse};

#[test]
fn a_mark_may_follow_anything() {
    let event = Event::Check { name: "two words".into(), failure: None };
    assert_eq!(parse("PANDO:check:two words:ok"), Some(event.clone()));
    assert_eq!(parse("[   12.345678] PANDO:check:two words:ok\r"), Some(event.clone()));
    assert_eq!(parse("half a line of ls[    1.0] PANDO:check:two words:ok"), Some(event));
}

#[test]
fn a_failure_keeps_its_colons() {
    let event = Event::Check { name: "a".into(), failure: Some("status 1: b: c".into()) };
    assert_eq!(parse("PANDO:check:a:fail:status 1: b: c"), Some(event));
}

#[test]
fn what_is_cut_off_is_nothing() {
    for line in [
        "",
        "PANDO:",
        "PANDO:check:a",
        "PANDO:check:a:o",
        "PANDO:check:a:fail",
        "PANDO:end:3",
        "PANDO:x:y",
    ] {
        assert_eq!(parse(line), None, "{line}");
    }
}

#[test]
fn the_other_kinds() {
    assert_eq!(parse("PANDO:await:tap"), Some(Event::Await("tap".into())));
    assert_eq!(parse("PANDO:note:a:b"), Some(Event::Note("a:b".into())));
    let value = Event::Value { name: "tcp".into(), number: 12.5, unit: "Mbit/s".into() };
    assert_eq!(parse("PANDO:value:tcp:12.5:Mbit/s"), Some(value));
    let end = Event::End { checks: 4, status: 1, place: "line 3: false".into() };
    assert_eq!(parse("PANDO:end:4:1:line 3: false"), Some(end));
}

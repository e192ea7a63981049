//! Each way in which a run can fall short is a failure of the test.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::judge;
use crate::test::{Body, Setup, Test, guest};
use crate::wire::Event;

fn setup(test: Test) -> Setup {
    match test.body {
        Body::Guest(setup) => setup,
        Body::Alone(_) => panic!("not a guest"),
    }
}

fn ok(name: &str) -> Event {
    Event::Check { name: name.into(), failure: None }
}

fn end(checks: usize, status: i32) -> Event {
    Event::End { checks, status, place: "line 1".into() }
}

/// What fails, of a test called `t`.
fn failures(setup: &Setup, events: &[Event], run: Result<i32, &str>) -> Vec<String> {
    let run = run.map(|code| ExitStatus::from_raw(code << 8)).map_err(str::to_owned);
    let verdicts = judge("t", setup, events, &run);
    verdicts
        .into_iter()
        .filter(|verdict| verdict.failure.is_some())
        .map(|verdict| verdict.name)
        .collect()
}

#[test]
fn a_run_without_fault_has_a_verdict_per_check_and_one_more() {
    let verdicts =
        judge("t", &setup(guest("t", "")), &[ok("a"), end(1, 0)], &Ok(ExitStatus::from_raw(0)));
    let names: Vec<_> = verdicts.iter().map(|verdict| verdict.name.as_str()).collect();
    assert_eq!(names, ["t: a", "t"]);
    assert!(verdicts.iter().all(|verdict| verdict.failure.is_none()));
}

#[test]
fn whatever_is_missing_fails_the_test() {
    let usual = setup(guest("t", ""));
    let none: [String; 0] = [];
    assert_eq!(failures(&usual, &[ok("a"), end(1, 0)], Ok(0)), none);
    assert_eq!(failures(&usual, &[], Ok(0)), ["t"], "no end");
    assert_eq!(failures(&usual, &[end(0, 0)], Ok(0)), ["t"], "no check");
    assert_eq!(failures(&usual, &[ok("a"), end(2, 0)], Ok(0)), ["t"], "a lost check");
    assert_eq!(failures(&usual, &[ok("a"), end(1, 1)], Ok(0)), ["t"], "a script that broke off");
    assert_eq!(failures(&usual, &[ok("a"), end(1, 0)], Ok(1)), ["t"], "a VMM that failed");
    assert_eq!(
        failures(&usual, &[ok("a"), end(1, 0)], Err("the time is up")),
        ["t"],
        "a guest that hangs"
    );
    let failed = Event::Check { name: "b".into(), failure: Some("no".into()) };
    assert_eq!(failures(&usual, &[ok("a"), failed, end(2, 0)], Ok(0)), ["t: b"], "a failed check");
}

#[test]
fn a_vmm_may_have_to_fail() {
    let must_fail = setup(guest("t", "").fails());
    assert_eq!(failures(&must_fail, &[ok("a"), end(1, 0)], Ok(0)), ["t"]);
    assert_eq!(failures(&must_fail, &[ok("a"), end(1, 0)], Ok(1)).len(), 0);
}

//! Decides what a guest's run amounts to: one verdict per check, and one for the test as a whole.

use std::process::ExitStatus;

use crate::test::Setup;
use crate::wire::Event;

/// The verdict on a check, or on a whole test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `module::test` or `module::test: check`.
    pub name: String,
    /// Why it failed.
    pub failure: Option<String>,
    /// Whether it is about a check of a test, not the whole.
    pub is_check: bool,
}

/// The verdicts on a test that booted a guest. `run` is the VMM's exit status, or what went wrong on the host side.
#[must_use]
pub fn judge(
    test: &str,
    setup: &Setup,
    events: &[Event],
    run: &Result<ExitStatus, String>,
) -> Vec<Verdict> {
    let check = |event: &Event| match event {
        Event::Check { name, failure } => Some(Verdict {
            name: format!("{test}: {name}"),
            failure: failure.clone(),
            is_check: true,
        }),
        _ => None,
    };
    let mut verdicts: Vec<_> = events.iter().filter_map(check).collect();
    let failure = whole(setup, events, verdicts.len(), run).err();
    verdicts.push(Verdict { name: test.to_owned(), failure, is_check: false });
    verdicts
}

/// A test holds as a whole when its script came to its end, every check arrived, and the VMM ended as it must.
fn whole(
    setup: &Setup,
    events: &[Event],
    arrived: usize,
    run: &Result<ExitStatus, String>,
) -> Result<(), String> {
    let status = run.as_ref().map_err(Clone::clone)?;
    let end = events.iter().find_map(|event| match event {
        Event::End { checks, status, place } => Some((*checks, *status, place)),
        _ => None,
    });
    let (checks, script, place) =
        end.ok_or_else(|| format!("the guest ended before its script did ({status})"))?;
    if script != 0 {
        return Err(format!("the script ended with status {script} at {place}"));
    }
    if checks != arrived {
        return Err(format!("{arrived} of {checks} checks arrived"));
    }
    if checks == 0 && setup.host.is_none() {
        return Err("the script made no check".to_owned());
    }
    match (setup.succeeds, status.success()) {
        (true, false) => Err(format!("the VMM failed ({status})")),
        (false, true) => Err("the VMM ended with status 0 and should not have".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

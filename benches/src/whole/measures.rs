//! What is measured of whole machines.

mod doorbell;
mod payload;
mod tcp;
mod vfs;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use guest_tests::guest::Guest;
use guest_tests::wire::Event;

use crate::machine::{Machines, Peer};
use crate::report::Report;

/// A measurement.
pub(crate) type Measure = fn(&Machines, usize, &mut Report) -> Result<()>;

/// What a bare-metal guest measures, at native speed even where KVM only interprets kernels.
pub(crate) const PAYLOAD: [(&str, Measure); 1] = [("payload", payload::payload)];

/// What takes a KVM that runs kernels.
pub(crate) const ALL: [(&str, Measure); 6] = [
    ("size", size),
    ("doorbell", doorbell::doorbell),
    ("boot", boot),
    ("vfs", vfs::vfs),
    ("probe", vfs::probe),
    ("tcp", tcp::tcp),
];

const EMPTY: &str = "[iommu]\nmodel = \"none\"\n";

/// One card below a switch.
fn card(model: &str, vfs: u32, iommu: &str) -> String {
    format!(
        r#"
        [iommu]
        model = "{iommu}"
        [[root-port]]
        id = "rp0"
        [[switch]]
        id = "sw0"
        upstream = "rp0"
        downstream = [{{ id = "dp0" }}]
        [[nic]]
        id = "nic0"
        at = "dp0"
        model = "{model}"
        vfs = {vfs}
        mac = "02:00:00:00:00:01"
        "#
    )
}

/// Bytes of the binary.
fn size(machines: &Machines, _: usize, report: &mut Report) -> Result<()> {
    let len = std::fs::metadata(&machines.pando).context("there is no pando")?.len();
    report.add("size/pando", "MiB", false, &[len as f64 / f64::from(1 << 20)]);
    println!("    goal 6 MiB");
    Ok(())
}

/// From the start of the process to the first line of the guest's script; the same kernel and initrd.
fn boot(machines: &Machines, rounds: usize, report: &mut Report) -> Result<()> {
    let (mut pando, mut microvm) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        pando.push(sample("pando", || until_up(|| machines.pando(EMPTY, "", UP).map(Some)))?);
        microvm.push(sample("qemu", || until_up(|| machines.peer(Peer::Microvm, UP)))?);
    }
    let [pando, microvm] =
        [pando, microvm].map(|times| Vec::from_iter(times.into_iter().flatten()));
    report.add("boot/pando", "s", false, &pando);
    if !microvm.is_empty() {
        report.add("boot/qemu microvm", "s", false, &microvm);
        report.ratio("boot/pando over microvm", false, &pando, &microvm, 1.2);
    }
    Ok(())
}

const UP: &str = "note up";

fn until_up(start: impl FnOnce() -> Result<Option<Guest>>) -> Result<Option<f64>> {
    let before = Instant::now();
    let Some(mut guest) = start()? else { return Ok(None) };
    guest.wait_line("PANDO:note:up").with_context(|| said(&mut guest))?;
    Ok(Some(before.elapsed().as_secs_f64()))
}

/// What `take` measures of `who`. An emulated processor sometimes kills a guest that did nothing wrong, and that must not end hours
/// of work: once more, then. A guest that dies again has a reason.
fn sample<T>(who: &str, mut take: impl FnMut() -> Result<T>) -> Result<T> {
    take().or_else(|error| {
        println!("    {who}: the guest failed; this sample is taken once more. It was: {error:#}");
        take()
    })
}

fn value(guest: &Guest, wanted: &str) -> Result<f64> {
    let mut values = guest.events().iter().filter_map(|event| match event {
        Event::Value { name, number, .. } if name == wanted => Some(*number),
        _ => None,
    });
    match values.next_back() {
        Some(number) => Ok(number),
        None => bail!("the guest did not tell '{wanted}': {}", last_lines(guest)),
    }
}

/// The last lines of a guest that didn't do what it should, and where its processors are if it still runs.
fn said(guest: &mut Guest) -> String {
    guest.dismiss();
    last_lines(guest)
}

fn last_lines(guest: &Guest) -> String {
    let lines = [guest.console(), guest.errors()].concat();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Result, bail, sample};

    #[test]
    fn a_sample_whose_guest_died_is_taken_once_more_and_not_a_third_time() {
        for (deaths, takes, ends) in [(0, 1, true), (1, 2, true), (2, 2, false)] {
            let mut taken = 0;
            let result: Result<i32> = sample("somebody", || {
                taken += 1;
                if taken <= deaths { bail!("dead") } else { Ok(taken) }
            });
            assert_eq!((taken, result.is_ok()), (takes, ends), "{deaths} deaths");
        }
    }
}

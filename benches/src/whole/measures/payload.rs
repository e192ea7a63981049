//! A bare-metal guest that drives two VFs: frames a second, doorbells rung for them, and from doorbell to interrupt. Its user mode runs
//! at native speed even on a KVM that interprets the kernel's; its doorbells and interrupts don't.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use guest_tests::guest::Guest;
use guest_tests::suite::FLOOD;

use super::{card, said, sample, value};
use crate::machine::Machines;
use crate::report::Report;

/// What one guest tells.
struct Told {
    guest: Guest,
    /// Ticks of its time stamp counter in a nanosecond.
    rate: f64,
}

/// Figures of a guest: name, unit, whether more is better, and how it comes out of what the guest tells.
type Figure = (&'static str, &'static str, bool, fn(&Told) -> Result<f64>);

const FIGURES: [Figure; 7] = [
    ("64", "Mpps", true, |told| told.mpps("64")),
    ("1500", "Mpps", true, |told| told.mpps("1500")),
    ("doorbells per 1000 frames, 64", "", false, |told| told.doorbells("64")),
    ("doorbells per 1000 frames, 1500", "", false, |told| told.doorbells("1500")),
    ("doorbell's write, p50", "us", false, |told| told.microseconds("doorbell")),
    ("doorbell to interrupt, p50", "us", false, |told| told.microseconds("interrupt")),
    ("doorbell to interrupt, p99", "us", false, |told| told.microseconds("interrupt, p99")),
];

/// All of it, a guest for each round.
pub(super) fn payload(machines: &Machines, rounds: usize, report: &mut Report) -> Result<()> {
    let mut samples = FIGURES.map(|_| Vec::new());
    for _ in 0..rounds {
        let told = sample("pando", || run(machines))?;
        for ((.., figure), samples) in FIGURES.iter().zip(&mut samples) {
            samples.push(figure(&told)?);
        }
    }
    for ((name, unit, more_is_better, _), samples) in FIGURES.iter().zip(&samples) {
        report.add(&format!("payload/{name}"), unit, *more_is_better, samples);
    }
    Ok(())
}

fn run(machines: &Machines) -> Result<Told> {
    let mut guest = machines.payload(&card("virtio", 2, "none"), FLOOD)?;
    guest.wait_line("PANDO:value:start:").with_context(|| said(&mut guest))?;
    let start = Instant::now();
    guest.wait_line("PANDO:value:stop:").with_context(|| said(&mut guest))?;
    let nanoseconds = start.elapsed().as_nanos() as f64;
    let status = guest.finish().with_context(|| said(&mut guest))?;
    ensure!(status.success(), "the guest failed: {}", said(&mut guest));
    let rate = (value(&guest, "stop")? - value(&guest, "start")?) / nanoseconds;
    Ok(Told { guest, rate })
}

impl Told {
    fn mpps(&self, frame: &str) -> Result<f64> {
        let frames = value(&self.guest, &format!("frames of {frame}"))?;
        let ticks = value(&self.guest, &format!("ticks of {frame}"))?;
        Ok(frames / (ticks / self.rate) * 1e3)
    }

    fn doorbells(&self, frame: &str) -> Result<f64> {
        let frames = value(&self.guest, &format!("frames of {frame}"))?;
        Ok(value(&self.guest, &format!("doorbells of {frame}"))? / frames * 1e3)
    }

    fn microseconds(&self, name: &str) -> Result<f64> {
        Ok(value(&self.guest, name)? / self.rate / 1e3)
    }
}

//! What translation costs: VT-d off and on with pages that stay, and a driver that maps each buffer anew.

use anyhow::{Context, Result};

use crate::Effort;
use crate::driver::{Shape, Side};
use crate::forward::Pando;
use crate::machine::Plan;
use crate::pin::Processors;
use crate::report::{Measured, Report};
use crate::rounds::{self, Case};

/// Measures it.
pub(crate) fn run(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    report.group("VT-d on and off, static pages of 4 KiB");
    for (frame, name) in [(64, "vtd/64"), (1500, "vtd/1500")] {
        if effort.wants(name) {
            fixed(effort, report, processors, frame, name)?;
        }
    }
    report.group("VT-d with each buffer's pages invalidated and waited for when the driver takes it back, as a strict guest does; beside static pages");
    for (frame, name) in [(64, "strict/64"), (1500, "strict/1500")] {
        if effort.wants(name) {
            strict(effort, report, processors, frame, name)?;
        }
    }
    Ok(())
}

fn machine(processors: Processors, frame: u32, translated: bool) -> Result<Pando> {
    let plan = Plan { functions: 2, translated, memory: 16 };
    Pando::new(processors, Shape::whole(frame), plan)
}

fn fixed(
    effort: &Effort,
    report: &mut Report,
    processors: Processors,
    frame: u32,
    name: &str,
) -> Result<()> {
    let (mut on, mut off) = (machine(processors, frame, true)?, machine(processors, frame, false)?);
    let time = effort.sample;
    let samples = rounds::take(
        effort.rounds,
        &mut [
            Case::new(|| Ok(on.drive(|link| link.flood(time).mpps()))),
            Case::new(|| Ok(off.drive(|link| link.flood(time).mpps()))),
        ],
    )?;
    let of = |who, of: usize| Measured { who, samples: &samples[of] };
    report.add(name, "Mpps", true, &[of("on", 0), of("off", 1)]);
    Ok(())
}

fn strict(
    effort: &Effort,
    report: &mut Report,
    processors: Processors,
    frame: u32,
    name: &str,
) -> Result<()> {
    let (mut strict, mut fixed) =
        (machine(processors, frame, true)?, machine(processors, frame, true)?);
    let mapper = strict.machine.mapper().context("a machine without translation")?;
    let domains = [0, 1].map(|vf| strict.machine.domain(vf));
    let unmap = |side, at, len| match side {
        Side::Sender => mapper.remap(domains[0], at, len),
        Side::Receiver => mapper.remap(domains[1], at, len),
    };
    let time = effort.sample;
    let samples = rounds::take(
        effort.rounds,
        &mut [
            Case::new(|| Ok(strict.drive_strictly(&unmap, |link| link.flood(time).mpps()))),
            Case::new(|| Ok(fixed.drive(|link| link.flood(time).mpps()))),
        ],
    )?;
    let of = |who, of: usize| Measured { who, samples: &samples[of] };
    report.add(name, "Mpps", true, &[of("mapped each time", 0), of("static", 1)]);
    anyhow::ensure!(mapper.is_sound(), "an invalidation didn't end");
    Ok(())
}

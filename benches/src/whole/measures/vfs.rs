//! Many VFs: how long the guest takes to have them, and what Pando keeps for them.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{card, said, sample, value};
use crate::account::{Memory, own_time};
use crate::machine::Machines;
use crate::report::Report;

/// 63 VFs: how long enabling takes, how much of that is Pando's own code, and what Pando keeps for them.
pub(super) fn vfs(machines: &Machines, rounds: usize, report: &mut Report) -> Result<()> {
    let (mut walls, mut shares, mut pss, mut rss) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let (wall, own, memory) = sample("pando", || enabled(machines))?;
        walls.push(wall);
        shares.push((wall - own.as_secs_f64()).max(f64::EPSILON));
        pss.push(memory.proportional as f64 / 1024.0);
        rss.push(memory.resident as f64 / 1024.0);
    }
    report.add("vfs/63 enabled", "s", false, &walls);
    report.add("vfs/63 enabled, without Pando's own code", "s", false, &shares);
    report.ratio("vfs/63 enabled over the guest's share", false, &walls, &shares, 1.5);
    report.add("vfs/memory of 63 idle, Pss", "MiB", false, &pss);
    report.add("vfs/memory of 63 idle, Rss", "MiB", false, &rss);
    println!("    goal 20 MiB");
    Ok(())
}

/// The time that enabling 63 VFs takes, in seconds; Pando's own part of it; its memory afterwards.
fn enabled(machines: &Machines) -> Result<(f64, Duration, Memory)> {
    let mut guest = machines.pando(&card("virtio", 63, "none"), "", ENABLE)?;
    guest.wait_for("before").with_context(|| said(&mut guest))?;
    let before = own_time(guest.id())?;
    guest.proceed()?;
    guest.wait_for("after").with_context(|| said(&mut guest))?;
    let own = own_time(guest.id())? - before;
    guest.proceed()?;
    guest.wait_for("idle").with_context(|| said(&mut guest))?;
    Ok((value(&guest, "enabled")? / 1000.0, own, Memory::of(guest.id())?))
}

const ENABLE: &str = r#"
    nic=$(pf)
    await_host before
    start=$EPOCHREALTIME
    echo 63 >"/sys/bus/pci/devices/$nic/sriov_numvfs"
    end=$EPOCHREALTIME
    await_host after
    value enabled "$(((${end/./} - ${start/./}) / 1000))" ms
    netdev "$(vf "$nic" 62)" >/dev/null
    sleep 3
    await_host idle
"#;

/// From loading the drivers to the last interface of a PF with 63 VFs: an 82599 beside the virtio card.
pub(super) fn probe(machines: &Machines, rounds: usize, report: &mut Report) -> Result<()> {
    let drivers = [("virtio", "virtio_net"), ("82599", "ixgbe ixgbevf")];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for ((model, modules), times) in drivers.iter().zip(&mut times) {
            let script = format!("modules='{modules}'\n{PROBE}");
            times.push(sample(model, || {
                let mut guest = machines.pando(&card(model, 63, "none"), "", &script)?;
                guest.finish().with_context(|| said(&mut guest))?;
                Ok(value(&guest, "probe")? / 1000.0)
            })?);
        }
    }
    for ((model, _), times) in drivers.iter().zip(&times) {
        report.add(&format!("probe/{model}"), "s", false, times);
    }
    report.ratio("probe/82599 over virtio", false, &times[1], &times[0], 2.0);
    Ok(())
}

const PROBE: &str = r#"
    nic=$(pf)
    start=$EPOCHREALTIME
    modprobe -a $modules
    netdev "$nic" >/dev/null
    set_vfs "$nic" 63
    end=$EPOCHREALTIME
    value probe "$(((${end/./} - ${start/./}) / 1000))" ms
"#;

//! What is measured of whole machines.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use guest_tests::guest::Guest;
use guest_tests::wire::Event;

use crate::account::{Memory, own_time};
use crate::machine::{Machines, Peer};
use crate::report::Report;

/// A measurement.
pub(crate) type Measure = fn(&Machines, usize, &mut Report) -> Result<()>;

/// All of them.
pub(crate) const ALL: [(&str, Measure); 4] =
    [("size", size), ("boot", boot), ("vfs", vfs), ("tcp", tcp)];

const EMPTY: &str = "[iommu]\nmodel = \"none\"\n";

/// One card below a switch, its cable looped back.
fn card(vfs: u32) -> String {
    format!(
        r#"
        [iommu]
        model = "none"
        [[root-port]]
        id = "rp0"
        [[switch]]
        id = "sw0"
        upstream = "rp0"
        downstream = [{{ id = "dp0" }}]
        [[nic]]
        id = "nic0"
        at = "dp0"
        model = "virtio"
        vfs = {vfs}
        vf-queues = 1
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
        pando.push(sample("pando", || until_up(|| machines.pando(EMPTY, UP).map(Some)))?);
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
    guest.wait_line("PANDO:note:up").with_context(|| said(&guest))?;
    Ok(Some(before.elapsed().as_secs_f64()))
}

/// 63 VFs: how long enabling takes, how much of that is Pando's own code, and what Pando keeps for them.
fn vfs(machines: &Machines, rounds: usize, report: &mut Report) -> Result<()> {
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
    let mut guest = machines.pando(&card(63), ENABLE)?;
    guest.wait_for("before").with_context(|| said(&guest))?;
    let before = own_time(guest.id())?;
    guest.proceed()?;
    guest.wait_for("after").with_context(|| said(&guest))?;
    let own = own_time(guest.id())? - before;
    guest.proceed()?;
    guest.wait_for("idle").with_context(|| said(&guest))?;
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

/// TCP from one VF to another, in one guest with a namespace for each.
fn tcp(machines: &Machines, rounds: usize, report: &mut Report) -> Result<()> {
    let peers = [(false, "igb"), (true, "igb, intel-iommu")];
    let mut pando = Vec::new();
    let mut others = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        pando.push(sample("pando", || throughput(machines.pando(&card(2), TCP)?))?);
        for ((iommu, name), rates) in peers.into_iter().zip(&mut others) {
            let script = format!("{IGB}{TCP}");
            let guest = || machines.peer(Peer::Igb { iommu }, &script);
            rates.extend(sample(name, || guest()?.map(throughput).transpose())?);
        }
    }
    report.add("tcp/pando", "Mbit/s", true, &pando);
    for ((_, name), rates) in peers.into_iter().zip(&others).filter(|(_, rates)| !rates.is_empty())
    {
        report.add(&format!("tcp/{name}"), "Mbit/s", true, rates);
        report.ratio(&format!("tcp/pando over {name}"), true, &pando, rates, 5.0);
    }
    Ok(())
}

/// What `take` measures of `who`. An emulated processor sometimes kills a guest that did nothing wrong, and that must not end hours
/// of work: once more, then. A guest that dies again has a reason.
fn sample<T>(who: &str, mut take: impl FnMut() -> Result<T>) -> Result<T> {
    take().or_else(|error| {
        println!("    {who}: the guest failed; this sample is taken once more. It was: {error:#}");
        take()
    })
}

const IGB: &str = "modprobe -a igb igbvf\n";

const TCP: &str = r#"
    nic=$(pf)
    ip link set "$(netdev "$nic")" up
    set_vfs "$nic" 2
    into a "$(netdev "$(vf "$nic" 0)")" 10.0.0.1/24
    into b "$(netdev "$(vf "$nic" 1)")" 10.0.0.2/24
    reaches b 10.0.0.1
    serve a
    value throughput "$(throughput b 10.0.0.1 --time 5)" Mbit/s
"#;

fn throughput(mut guest: Guest) -> Result<f64> {
    guest.finish().with_context(|| said(&guest))?;
    value(&guest, "throughput")
}

fn value(guest: &Guest, wanted: &str) -> Result<f64> {
    let mut values = guest.events().iter().filter_map(|event| match event {
        Event::Value { name, number, .. } if name == wanted => Some(*number),
        _ => None,
    });
    match values.next_back() {
        Some(number) => Ok(number),
        None => bail!("the guest did not tell '{wanted}': {}", said(guest)),
    }
}

/// The last lines of a guest.
fn said(guest: &Guest) -> String {
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

//! TCP from one VF to another, in one guest with a namespace for each, on every machine in turn; and between two virtio cards on a
//! bridge, as guests have them without SR-IOV.

use anyhow::{Context, Result};
use guest_tests::guest::Guest;

use super::{card, said, sample, value};
use crate::machine::{Machines, Peer};
use crate::report::Report;

/// Who is measured.
const SUBJECTS: [Subject; 7] = [
    Subject { name: "pando", on: On::Pando("virtio", "none", "") },
    Subject { name: "pando, vtd off", on: On::Pando("virtio", "vtd", "intel_iommu=off") },
    Subject { name: "pando, vtd", on: On::Pando("virtio", "vtd", TRANSLATED) },
    Subject { name: "pando, 82599", on: On::Pando("82599", "none", "") },
    Subject { name: "igb", on: On::Qemu(Peer::Igb { iommu: false }) },
    Subject { name: "igb, intel-iommu", on: On::Qemu(Peer::Igb { iommu: true }) },
    Subject { name: "vhost-net", on: On::Qemu(Peer::VhostNet) },
];

/// Which of them over which should reach what.
const RATIOS: [(usize, usize, f64); 5] =
    [(2, 1, 0.85), (0, 4, 5.0), (3, 4, 5.0), (2, 5, 5.0), (0, 6, 1.2)];

/// All DMA is translated, and invalidations are batched, as a distribution's kernel does it.
const TRANSLATED: &str = "intel_iommu=on iommu.strict=0";

struct Subject {
    name: &'static str,
    on: On,
}

#[derive(Clone, Copy)]
enum On {
    /// A card's model, the IOMMU's, and what the kernel is told.
    Pando(&'static str, &'static str, &'static str),
    Qemu(Peer),
}

/// The rate between two VFs of each subject, and the ratios.
pub(super) fn tcp(machines: &Machines, rounds: usize, report: &mut Report) -> Result<()> {
    let mut rates = SUBJECTS.map(|_| Vec::new());
    for _ in 0..rounds {
        for (subject, rates) in SUBJECTS.iter().zip(&mut rates) {
            let rate =
                sample(subject.name, || subject.on.guest(machines)?.map(throughput).transpose())?;
            if let Some(rate) = rate {
                println!("    {}: {rate:.0} Mbit/s", subject.name); // each takes a good half minute
            }
            rates.extend(rate);
        }
    }
    for (subject, rates) in SUBJECTS.iter().zip(&rates).filter(|(_, rates)| !rates.is_empty()) {
        report.add(&format!("tcp/{}", subject.name), "Mbit/s", true, rates);
    }
    for (one, other, goal) in RATIOS.into_iter().filter(|(_, other, _)| !rates[*other].is_empty()) {
        let name = format!("tcp/{} over {}", SUBJECTS[one].name, SUBJECTS[other].name);
        report.ratio(&name, true, &rates[one], &rates[other], goal);
    }
    Ok(())
}

impl On {
    /// A guest that measures; `None` without its VMM.
    fn guest(self, machines: &Machines) -> Result<Option<Guest>> {
        match self {
            Self::Pando(model, iommu, parameters) => {
                let drivers = if model == "82599" { IXGBE } else { "" };
                let script = format!("{drivers}{VFS}{TCP}");
                machines.pando(&card(model, 2, iommu), parameters, &script).map(Some)
            }
            Self::Qemu(Peer::VhostNet) => machines.peer(Peer::VhostNet, &format!("{CARDS}{TCP}")),
            Self::Qemu(peer) => machines.peer(peer, &format!("{IGB}{VFS}{TCP}")),
        }
    }
}

const IGB: &str = "modprobe -a igb igbvf\n";

const IXGBE: &str = "modprobe -a ixgbe ixgbevf\n";

/// The two functions of a card with VFs.
const VFS: &str = r#"
    nic=$(pf)
    ip link set "$(netdev "$nic")" up
    set_vfs "$nic" 2
    one=$(vf "$nic" 0) two=$(vf "$nic" 1)
"#;

/// Two cards.
const CARDS: &str = "one=0000:00:02.0 two=0000:00:03.0\n";

const TCP: &str = r#"
    into a "$(netdev "$one")" 10.0.0.1/24
    into b "$(netdev "$two")" 10.0.0.2/24
    reaches b 10.0.0.1
    serve a
    value throughput "$(throughput b 10.0.0.1 --time 20)" Mbit/s
"#;

fn throughput(mut guest: Guest) -> Result<f64> {
    guest.finish().with_context(|| said(&guest))?;
    value(&guest, "throughput")
}

//! TCP from one VF to another, in one guest with a namespace for each, on every machine in turn; and between two virtio cards on a
//! bridge, as guests have them without SR-IOV.

use anyhow::{Context, Result};
use guest_tests::guest::Guest;

use super::{card, said, sample, value};
use crate::machine::{Machines, Peer};
use crate::report::Report;

/// Who is measured. Some are asked to hold interrupts back, which an igb's driver does unasked.
const SUBJECTS: [Subject; 9] = [
    Subject { name: "pando", on: On::Pando("virtio", "none", ""), holds: false },
    Subject { name: "pando, coalescing", on: On::Pando("virtio", "none", ""), holds: true },
    Subject { name: "pando, vtd off", on: On::Pando("virtio", "vtd", OFF), holds: false },
    Subject { name: "pando, vtd", on: On::Pando("virtio", "vtd", TRANSLATED), holds: false },
    Subject {
        name: "pando, vtd, coalescing",
        on: On::Pando("virtio", "vtd", TRANSLATED),
        holds: true,
    },
    Subject { name: "pando, 82599", on: On::Pando("82599", "none", ""), holds: false },
    Subject { name: "igb", on: On::Qemu(Peer::Igb { iommu: false }), holds: false },
    Subject { name: "igb, intel-iommu", on: On::Qemu(Peer::Igb { iommu: true }), holds: false },
    Subject { name: "vhost-net", on: On::Qemu(Peer::VhostNet), holds: false },
];

/// Which of them over which should reach what.
const RATIOS: [(&str, &str, f64); 7] = [
    ("pando, vtd", "pando, vtd off", 0.85),
    ("pando, vtd, coalescing", "pando, coalescing", 0.85),
    ("pando", "igb", 5.0),
    ("pando, coalescing", "igb", 10.0),
    ("pando, 82599", "igb", 5.0),
    ("pando, vtd", "igb, intel-iommu", 5.0),
    ("pando", "vhost-net", 1.2),
];

/// There is an IOMMU, and nothing is translated.
const OFF: &str = "intel_iommu=off";

/// All DMA is translated, and invalidations are batched, as a distribution's kernel does it.
const TRANSLATED: &str = "intel_iommu=on iommu.strict=0";

struct Subject {
    name: &'static str,
    on: On,
    /// Whether the guest asks for interrupts to be held back (VIRTIO_NET_F_NOTF_COAL).
    holds: bool,
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
                sample(subject.name, || subject.guest(machines)?.map(throughput).transpose())?;
            if let Some(rate) = rate {
                println!("    {}: {rate:.0} Mbit/s", subject.name); // each takes a good half minute
            }
            rates.extend(rate);
        }
    }
    for (subject, rates) in SUBJECTS.iter().zip(&rates).filter(|(_, rates)| !rates.is_empty()) {
        report.add(&format!("tcp/{}", subject.name), "Mbit/s", true, rates);
    }
    for (one, other, goal) in RATIOS {
        let rates =
            |name| SUBJECTS.iter().position(|subject| subject.name == name).map(|at| &rates[at]);
        let (Some(ones), Some(others)) = (rates(one), rates(other)) else { continue };
        if !others.is_empty() {
            report.ratio(&format!("tcp/{one} over {other}"), true, ones, others, goal);
        }
    }
    Ok(())
}

impl Subject {
    /// A guest that measures; `None` without its VMM.
    fn guest(&self, machines: &Machines) -> Result<Option<Guest>> {
        let tcp = [LINKS, if self.holds { HELD } else { "" }, TCP].concat();
        match self.on {
            On::Pando(model, iommu, parameters) => {
                let drivers = if model == "82599" { IXGBE } else { "" };
                let script = format!("{drivers}{VFS}{tcp}");
                machines.pando(&card(model, 2, iommu), parameters, &script).map(Some)
            }
            On::Qemu(Peer::VhostNet) => machines.peer(Peer::VhostNet, &format!("{CARDS}{tcp}")),
            On::Qemu(peer) => machines.peer(peer, &format!("{IGB}{VFS}{tcp}")),
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

const LINKS: &str = r#"
    into a "$(netdev "$one")" 10.0.0.1/24
    into b "$(netdev "$two")" 10.0.0.2/24
    reaches b 10.0.0.1
"#;

/// For an L1, where an interrupt costs 0.1 ms.
const HELD: &str = r#"
    for namespace in a b; do
        within "$namespace" ethtool --coalesce "$(interface "$namespace")" \
            rx-usecs 1000 rx-frames 64 tx-usecs 1000 tx-frames 64
    done
"#;

const TCP: &str = r#"
    serve a
    value throughput "$(throughput b 10.0.0.1 --time 20)" Mbit/s
"#;

fn throughput(mut guest: Guest) -> Result<f64> {
    guest.finish().with_context(|| said(&mut guest))?;
    value(&guest, "throughput")
}

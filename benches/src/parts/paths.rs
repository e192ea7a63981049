//! Accesses and requests through the tree: configuration space, registers, translation, interrupts.

use std::hint::black_box;

use anyhow::Result;
use pando_pci::ByteEnables;
use pando_tlp::{Access, DmaView, Iova, MsiMessage};

use super::Parts;
use crate::Effort;
use crate::machine::{Bus, Machine, Plan};
use crate::pin::Processors;
use crate::report::Report;

/// Pages that a view remembers.
const REMEMBERED: u64 = 256;

const PAGE: u64 = 4096;

pub(super) fn run(effort: &Effort, processors: Processors, report: &mut Report) -> Result<()> {
    let names = ["parts/config", "parts/mmio", "parts/interrupt", "parts/view", "parts/resolve"];
    if !names.iter().any(|name| effort.wants(name)) {
        return Ok(());
    }
    let machine = |functions, translated| {
        Machine::new(processors, Plan { functions, translated, memory: 16 })
    };
    let (few, many) = (machine(2, false)?, machine(255, false)?);
    let translated = machine(2, true)?;
    if effort.wants("parts/config") {
        config(&few, &many).measure(effort, report, "parts/config")?;
    }
    if effort.wants("parts/mmio") {
        mmio(&few, &many).measure(effort, report, "parts/mmio")?;
    }
    if effort.wants("parts/interrupt") {
        interrupt(&few, &translated).measure(effort, report, "parts/interrupt")?;
    }
    if effort.wants("parts/view") {
        view(effort, report, &few, &translated)?;
    }
    if effort.wants("parts/resolve") {
        resolve(&few, &translated).measure(effort, report, "parts/resolve")?;
    }
    Ok(())
}

/// Calls with their names, before it is known how long they are measured.
struct Calls<'a>(Vec<(&'static str, Call<'a>)>);

type Call<'a> = Box<dyn FnMut() + 'a>;

impl Calls<'_> {
    fn measure(self, effort: &Effort, report: &mut Report, name: &str) -> Result<()> {
        let parts = Parts::new(effort);
        let parts = self.0.into_iter().fold(parts, |parts, (name, call)| parts.add(name, call));
        parts.measure(effort, report, name)
    }
}

/// A dword of a VF's configuration space, by ECAM and without it; a byte written without effect.
fn config<'a>(few: &'a Machine, many: &'a Machine) -> Calls<'a> {
    let read = |machine: &'a Machine, vf| {
        let at = machine.config_register(vf);
        move || {
            let mut data = [0; 4];
            machine.fabric.mmio_read(black_box(at), &mut data);
            black_box(data);
        }
    };
    let pf = Bus::pf();
    let write = move || few.fabric.config_write(black_box(pf), 0x3c, 5, ByteEnables(1));
    Calls(vec![
        ("read of VF 254 of 255", Box::new(read(many, 254))),
        ("read of VF 1 of 2", Box::new(read(few, 1))),
        ("write to the PF", Box::new(write)),
    ])
}

/// A register of a VF, and an address that nobody claims.
fn mmio<'a>(few: &'a Machine, many: &'a Machine) -> Calls<'a> {
    let read = |machine: &'a Machine, at| {
        move || {
            let mut data = [0; 1];
            machine.fabric.mmio_read(black_box(at), &mut data);
            black_box(data);
        }
    };
    let nobody = pando_tlp::Gpa(0xd000_0000);
    Calls(vec![
        ("VF 254 of 255", Box::new(read(many, many.status_register(254)))),
        ("VF 1 of 2", Box::new(read(few, few.status_register(1)))),
        ("nobody", Box::new(read(few, nobody))),
    ])
}

/// A message through tree and IOMMU to the interrupt controller's door.
fn interrupt<'a>(few: &'a Machine, translated: &'a Machine) -> Calls<'a> {
    let send = |machine: &'a Machine| {
        move || {
            let _ =
                machine.way.interrupt(black_box(MsiMessage { address: 0xfee0_0000, data: 0x40 }));
        }
    };
    Calls(vec![("VT-d on", Box::new(send(translated))), ("no IOMMU", Box::new(send(few)))])
}

/// One question to the tree, as a view's miss asks it.
fn resolve<'a>(few: &'a Machine, translated: &'a Machine) -> Calls<'a> {
    let ask = |machine: &'a Machine, pages: u64| {
        let mut page = 0;
        move || {
            page = (page + 1) % pages;
            let _ = black_box(machine.way.resolve(Iova(page * PAGE), Access::Read));
        }
    };
    Calls(vec![
        ("VT-d, remembered", Box::new(ask(translated, 16))),
        ("VT-d, 4096 pages", Box::new(ask(translated, 4096))),
        ("no IOMMU", Box::new(ask(few, 4096))),
    ])
}

/// A view's answers: remembered, and asked anew each time.
fn view(effort: &Effort, report: &mut Report, few: &Machine, translated: &Machine) -> Result<()> {
    let mut joined = [few, translated].map(|machine| machine.epochs.join());
    let [plain, remapped] = &mut joined;
    let (plain, remapped) = (plain.enter(), remapped.enter());
    let mut views = [few, translated, translated].map(|machine| DmaView::new(machine.way.clone()));
    let [off, hit, miss] = &mut views;
    let mut pages = [0u64; 3];
    let [off_page, hit_page, miss_page] = &mut pages;
    Parts::new(effort)
        .add("VT-d, hit", || {
            *hit_page = (*hit_page + 1) % 64;
            let _ = black_box(hit.slice(&remapped, Iova(*hit_page * PAGE), 64, Access::Read));
        })
        .add("no IOMMU, hit", || {
            *off_page = (*off_page + 1) % 64;
            let _ = black_box(off.slice(&plain, Iova(*off_page * PAGE), 64, Access::Read));
        })
        .add("VT-d, miss", || {
            *miss_page = (*miss_page + 1) % 16;
            let at = Iova(*miss_page * REMEMBERED * PAGE);
            let _ = black_box(miss.slice(&remapped, at, 64, Access::Read));
        })
        .measure(effort, report, "parts/view")
}

//! What a translation costs: `cargo run --release -p pando-vtd --example hit` prints nanoseconds per access of 64 bytes.
//!
//! Rows: guest RAM as it is; a function's view where nothing translates; the view with 4 KiB pages behind VT-d, each of them
//! known; the shared cache that a view asks on a miss; and a view whose every batch begins in a new epoch, as after an
//! invalidation.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use pando_tlp::{
    Access, Dma, DmaView, Epochs, Fault, Gpa, GuestRam, Iommu, Iova, Mmio, MsiMessage, MsiSink,
    RequesterId, Target,
};
use pando_vtd::{Config, RemappingUnit};
use vm_memory::Bytes;

const PAGES: u64 = 64;
const ROUNDS: u64 = 200_000;
const BUFFERS: u64 = 0x20_0000;
const VF: RequesterId = RequesterId(0x0310);

struct Nowhere;

impl MsiSink for Nowhere {
    fn signal(&self, _: MsiMessage) {}
}

/// A function right below the IOMMU.
struct Handle {
    ram: GuestRam,
    unit: Arc<RemappingUnit>,
}

impl Dma for Handle {
    fn requester(&self) -> RequesterId {
        VF
    }

    fn resolve(&self, address: Iova, access: Access) -> Result<Target, Fault> {
        let found = self.unit.translate(VF, address, access)?;
        let region = self.ram.region(found.target).ok_or(Fault::UnsupportedRequest)?;
        let len = found.len.min(region.len() - (found.target.0 - region.gpa.0));
        let run = region.part(found.target.0 - region.gpa.0, len);
        let run = run.ok_or(Fault::UnsupportedRequest)?;
        Ok(Target::Ram { start: found.start, run, read: found.read, write: found.write })
    }

    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn write(&self, _: Iova, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }
}

fn set(unit: &RemappingUnit, at: u64, value: u64, len: usize) {
    unit.write(at, &value.to_le_bytes()[..len]);
}

/// Maps `PAGES` pages for the function, in reverse order, and switches translation on.
fn translate_all(unit: &RemappingUnit, ram: GuestRam) {
    let store = |at: u64, value: u64| {
        let run = ram.run(Gpa(at), 8).unwrap_or_else(|| unreachable!("tables are in RAM"));
        let _ = run.slice().write_obj(value, 0);
    };
    store(0x1000 + 16 * 3, 0x2000 | 1);
    store(0x2000 + 16 * 0x10, 0x3000 | 1);
    store(0x2000 + 16 * 0x10 + 8, 5 << 8 | 2);
    [0x3000, 0x4000, 0x5000].into_iter().for_each(|table| store(table, (table + 0x1000) | 3));
    (0..PAGES)
        .for_each(|page| store(0x6000 + 8 * page, (BUFFERS + ((PAGES - 1 - page) << 12)) | 3));
    set(unit, 0x20, 0x1000, 8);
    set(unit, 0x18, 1 << 30, 4);
    set(unit, 0x18, 1 << 31, 4);
}

fn row(name: &str, mut access: impl FnMut(u64)) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for round in 0..ROUNDS {
            access((round * 7 % PAGES) << 12);
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / ROUNDS as f64);
    }
    println!("{name:<46} {best:6.2} ns");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ram = GuestRam::anonymous(&[(Gpa(0), 0x40_0000)])?;
    let epochs = Epochs::new();
    let unit = RemappingUnit::new(Config::default(), ram, epochs.clone(), Arc::new(Nowhere))?;
    let handle: Arc<dyn Dma> = Arc::new(Handle { ram, unit: unit.clone() });
    let mut participant = epochs.join();
    let mut view = DmaView::new(handle);
    row("guest RAM", |at| {
        black_box(ram.run(Gpa(black_box(BUFFERS + at)), 64));
    });
    {
        let guard = participant.enter();
        row("view, untranslated", |at| {
            black_box(view.slice(&guard, Iova(black_box(BUFFERS + at)), 64, Access::Read).is_ok());
        });
    }
    translate_all(&unit, ram);
    let guard = participant.enter();
    row("view, 4 KiB pages", |at| {
        black_box(view.slice(&guard, Iova(black_box(at)), 64, Access::Read).is_ok());
    });
    row("shared cache", |at| {
        black_box(unit.translate(VF, Iova(black_box(at)), Access::Read).is_ok());
    });
    drop(guard);
    for batch in [64, 256] {
        let start = Instant::now();
        for round in 0..ROUNDS / batch {
            epochs.advance();
            let guard = participant.enter();
            for access in 0..batch {
                let at = ((round + access * 7) % PAGES) << 12;
                black_box(view.slice(&guard, Iova(black_box(at)), 64, Access::Read).is_ok());
            }
        }
        let each = start.elapsed().as_secs_f64() * 1e9 / ROUNDS as f64;
        println!("{:<46} {each:6.2} ns", format!("view, new epoch every {batch} accesses"));
    }
    Ok(())
}

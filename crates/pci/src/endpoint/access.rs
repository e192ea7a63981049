//! Register accesses: which function's window, which part of it is MSI-X, and what is left for the model.

use std::sync::atomic::Ordering::SeqCst;

use pando_tlp::Access;

use super::config::MsixConfig;
use super::{Endpoint, Function};
use crate::bar::Bar;
use crate::{Doorbell, FunctionId, Region};

/// Where an access lands.
struct Spot<'a> {
    function: &'a Function,
    bar: u8,
    offset: u64,
    part: Part,
}

enum Part {
    Table(u64),
    Pending(u64),
    Model,
}

impl Endpoint {
    /// `None` if nothing answers.
    pub(super) fn read_register(&self, region: Region, offset: u64, data: &mut [u8]) -> Option<()> {
        let spot = self.spot(region, offset, data.len())?;
        let _visit = spot.function.presence.enter()?;
        match spot.part {
            Part::Table(offset) => spot.function.interrupts.msix.table_read(offset, data),
            Part::Pending(offset) => spot.function.interrupts.msix.pba_read(offset, data),
            Part::Model => self.model.read(spot.function.id, spot.bar, spot.offset, data),
        }
        Some(())
    }

    /// `None` if nothing answers.
    pub(super) fn write_register(&self, region: Region, offset: u64, data: &[u8]) -> Option<()> {
        let spot = self.spot(region, offset, data.len())?;
        let _visit = spot.function.presence.enter()?;
        match spot.part {
            Part::Table(offset) => spot.function.interrupts.msix.table_write(offset, data),
            Part::Pending(_) => {}
            Part::Model => self.model.write(spot.function.id, spot.bar, spot.offset, data),
        }
        Some(())
    }

    /// Whether the model refuses; `None` if nothing answers.
    pub(super) fn refuses_register(
        &self,
        region: Region,
        offset: u64,
        len: usize,
        access: Access,
    ) -> Option<bool> {
        let spot = self.spot(region, offset, len)?;
        let _visit = spot.function.presence.enter()?;
        let Part::Model = spot.part else { return None };
        Some(self.model.refuses(spot.function.id, spot.bar, spot.offset, len, access))
    }

    /// The function whose register lies there, whether or not it is there now.
    pub(super) fn owner(&self, region: Region, offset: u64) -> Option<FunctionId> {
        Some(self.spot(region, offset, 1)?.function.id)
    }

    pub(super) fn collect_doorbells(&self, doorbells: &mut Vec<Doorbell>) {
        let page = self.page_size.load(SeqCst);
        let mut wanted = Vec::new();
        for function in std::iter::once(&self.pf).chain(&self.vfs) {
            let Some(_visit) = function.presence.enter() else { continue };
            self.model.doorbells(function.id, &mut wanted);
            for (number, offset, event) in wanted.drain(..) {
                let Some(bar) = self.bar(function.id, number) else { continue };
                if offset >= bar.size {
                    continue;
                }
                let (region, start) = match function.id {
                    FunctionId::Pf => (Region::Bar(number), Some(0)),
                    FunctionId::Vf(index) => {
                        let start = bar.size.max(page).checked_mul(u64::from(index));
                        (Region::VfBar(number), start)
                    }
                };
                let Some(offset) = start.and_then(|start| start.checked_add(offset)) else {
                    continue;
                };
                doorbells.push(Doorbell { region, offset, event });
            }
        }
    }

    fn bar(&self, function: FunctionId, number: u8) -> Option<Bar> {
        self.card.shape(function)?.bars.get(number)
    }

    fn spot(&self, region: Region, offset: u64, len: usize) -> Option<Spot<'_>> {
        let (function, bar, offset) = match region {
            Region::Bar(number) => (&self.pf, self.bar(FunctionId::Pf, number)?, offset),
            Region::VfBar(number) => {
                let bar = self.bar(FunctionId::Vf(0), number)?;
                let size = bar.size.max(self.page_size.load(SeqCst));
                let index = usize::try_from(offset / size).ok()?;
                (self.vfs.get(index)?, bar, offset % size)
            }
        };
        let end = offset.checked_add(len as u64)?;
        if end > bar.size {
            return None; // behind the registers, where System Page Size is larger than they are
        }
        let msix = self.card.shape(function.id)?.msix.filter(|msix| msix.bar == bar.index);
        let part = msix.map_or(Part::Model, |msix| part(&msix, offset));
        Some(Spot { function, bar: bar.index, offset, part })
    }
}

fn part(msix: &MsixConfig, offset: u64) -> Part {
    let inside =
        |start: u32, len: u64| offset.checked_sub(u64::from(start)).filter(|offset| *offset < len);
    if let Some(offset) = inside(msix.table, msix.table_len()) {
        Part::Table(offset)
    } else if let Some(offset) = inside(msix.pba, msix.pba_len()) {
        Part::Pending(offset)
    } else {
        Part::Model
    }
}

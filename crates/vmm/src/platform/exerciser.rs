//! `[[exerciser]]`: a function that does DMA at any address on command.

use std::ops::Range;

use serde::Serialize;
use toml::Spanned;

use super::acs::AcsServices;
use super::file::{Position, acs};
use super::read::Reader;
use super::value::{DeviceFunction, Id};

/// Virtual functions of an exerciser that doesn't say.
const VFS: u16 = 7;
/// The most virtual functions.
const VFS_MAX: u16 = 255;
/// Bytes of 32-bit memory that one function's BARs take.
const BAR_BYTES: u64 = 0x9000;

/// An exerciser: one physical function and the virtual functions it can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exerciser {
    /// Its name.
    pub id: Id,
    /// Where its physical function is on its bus; at a port the device number is 0.
    pub position: DeviceFunction,
    /// The ACS capability of its functions; `None` means that they have no such capability.
    pub acs: Option<AcsServices>,
    /// TotalVFs; with 0 it has no SR-IOV capability.
    pub vfs: u16,
    /// Whether it is a conventional PCI function.
    pub conventional: bool,
}

impl Exerciser {
    /// Bytes of 32-bit memory that all its BARs take.
    pub(super) fn bar_bytes(&self) -> u64 {
        BAR_BYTES * (1 + u64::from(self.vfs))
    }
}

/// An exerciser as it stands in the file.
pub(super) struct ExerciserEntry {
    pub(super) id: Spanned<Id>,
    pub(super) at: Spanned<String>,
    pub(super) position: Position,
    pub(super) acs: Option<AcsServices>,
    pub(super) vfs: Option<u16>,
    pub(super) conventional: Option<bool>,
    /// Where the file says so.
    pub(super) conventional_span: Range<usize>,
    /// A key that no conventional function has.
    pub(super) express_key: Option<(&'static str, Range<usize>)>,
}

impl ExerciserEntry {
    pub(super) fn read(table: &Reader<'_, '_, '_>) -> Option<Self> {
        ["id", "at"].iter().for_each(|key| table.require(key));
        let acs = acs(table, AcsServices::FUNCTION, true);
        let vfs = table.integer("vfs", 0..=VFS_MAX).map(Spanned::into_inner);
        let conventional = table.boolean("conventional");
        let conventional_span = table.span_of("conventional");
        let key = ["acs", "vfs"].into_iter().find(|key| table.has(key));
        let express_key = key.map(|key| (key, table.span_of(key)));
        let id = table.parsed("id")?;
        let position = Position::read(table, &id, 1);
        let at = table.text("at")?;
        Some(Self { at, position, acs, vfs, conventional, conventional_span, express_key, id })
    }

    /// Whether it has virtual functions, at a link.
    pub(super) fn has_vfs(&self) -> bool {
        self.conventional != Some(true) && self.vfs != Some(0)
    }

    /// What it is at `position`; `conventional` unless the file says.
    pub(super) fn build(self, position: DeviceFunction, conventional: bool) -> Exerciser {
        let conventional = self.conventional.unwrap_or(conventional);
        Exerciser {
            id: self.id.into_inner(),
            position,
            acs: self.acs.filter(|_| !conventional),
            vfs: if conventional { 0 } else { self.vfs.unwrap_or(VFS) },
            conventional,
        }
    }
}

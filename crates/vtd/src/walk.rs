//! Second-stage translation: 3, 4 or 5 levels, with 2 MiB and 1 GiB pages (VT-d 4.1, 3.7 and 9.8).

use pando_tlp::{Access, Gpa, GuestRam, Iova, Translation};

use crate::context::load;
use crate::spec::Reason;

const READ: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const PAGE_SIZE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Translates `address` by the table at `table`. `host_width` is the number of address bits a result may have.
pub(crate) fn walk(
    ram: GuestRam,
    table: Gpa,
    levels: u32,
    host_width: u32,
    address: Iova,
    access: Access,
) -> Result<Translation, Reason> {
    if address.0 >> (12 + 9 * levels) != 0 {
        return Err(Reason::BEYOND_WIDTH);
    }
    let (needed, denied) = match access {
        Access::Read => (READ, Reason::READ_DENIED),
        Access::Write => (WRITE, Reason::WRITE_DENIED),
    };
    let mut permitted = READ | WRITE;
    let mut table = table.0;
    for level in (1..=levels).rev() {
        let shift = 12 + 9 * (level - 1);
        let unreadable =
            if level == levels { Reason::CONTEXT_INVALID } else { Reason::PAGING_ACCESS };
        let entry = load(ram, table + 8 * (address.0 >> shift & 0x1ff)).ok_or(unreadable)?;
        permitted &= entry;
        // An entry with neither permission is not present, whatever else it says.
        if permitted & needed == 0 {
            return Err(denied);
        }
        let target = entry & ADDRESS;
        let large = level > 1 && entry & PAGE_SIZE != 0;
        if target >> host_width != 0 || large && (level > 3 || target & ((1 << shift) - 1) != 0) {
            return Err(Reason::PAGING_RESERVED);
        }
        if level == 1 || large {
            return Ok(page(address, target, shift, permitted));
        }
        table = target;
    }
    Err(Reason::CONTEXT_INVALID)
}

fn page(address: Iova, target: u64, shift: u32, permitted: u64) -> Translation {
    let len = 1 << shift;
    Translation {
        start: Iova(address.0 & !(len - 1)),
        target: Gpa(target),
        len,
        read: permitted & READ != 0,
        write: permitted & WRITE != 0,
    }
}

#[cfg(test)]
mod tests;

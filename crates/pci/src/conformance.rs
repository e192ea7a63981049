//! Every register of every kind of function against tables written from the specification, not from the implementation:
//! reset value, which bits are RW, RW1C or neither at 1-, 2- and 4-byte accesses, and which survive which reset.

mod endpoints;
mod ports;

use crate::ByteEnables;

/// One dword; what isn't listed reads zero and can't be written.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    at: u16,
    reset: u32,
    rw: u32,
    rw1c: u32,
    /// Bits that a hot reset and a function level reset leave alone.
    sticky: u32,
    /// Bits that a function level reset leaves alone too.
    link: u32,
    /// Bits that act when written and are tested elsewhere: written as zero here.
    acts: u32,
}

/// Read-only.
const fn ro(at: u16, reset: u32) -> Row {
    Row { at, reset, rw: 0, rw1c: 0, sticky: 0, link: 0, acts: 0 }
}

/// RW bits.
const fn rw(at: u16, reset: u32, rw: u32) -> Row {
    Row { rw, ..ro(at, reset) }
}

/// RW and RW1C bits.
const fn mixed(at: u16, reset: u32, rw: u32, rw1c: u32) -> Row {
    Row { rw, rw1c, ..ro(at, reset) }
}

impl Row {
    const fn sticky(self, sticky: u32) -> Self {
        Self { sticky, ..self }
    }

    const fn link(self, link: u32) -> Self {
        Self { link, ..self }
    }

    const fn acts(self, acts: u32) -> Self {
        Self { acts, ..self }
    }
}

/// A function under test.
trait Subject {
    fn read(&self, register: u16) -> u32;
    fn write(&self, register: u16, value: u32, enables: ByteEnables);
    /// Sets bits as the device itself would.
    fn raise(&self, register: u16, bits: u32);
    fn hot_reset(&self);
    fn cold_reset(&self);
    /// `false` if it has none.
    fn function_level_reset(&self) -> bool;
}

/// All naturally aligned accesses inside a dword.
const ACCESSES: [u8; 7] = [0b0001, 0b0010, 0b0100, 0b1000, 0b0011, 0b1100, 0b1111];

fn check(name: &str, rows: &[Row], subject: impl Fn() -> Box<dyn Subject>) {
    let whole = subject();
    for at in (0..0x1000).step_by(4) {
        let Some(row) = rows.iter().find(|row| row.at == at) else {
            for enables in ACCESSES {
                check_access(name, &ro(at, 0), ByteEnables(enables), whole.as_ref());
            }
            assert_eq!(whole.read(at), 0, "{name} {at:#x}: not there");
            continue;
        };
        assert_eq!(subject().read(at), row.reset, "{name} {at:#x}: reset value");
        for enables in ACCESSES {
            check_access(name, row, ByteEnables(enables), subject().as_ref());
        }
        check_resets(name, row, &subject);
    }
}

fn check_access(name: &str, row: &Row, enables: ByteEnables, subject: &dyn Subject) {
    let mask = enables.mask();
    let at = row.at;
    let say = |what: &str| format!("{name} {at:#x} enables {:04b}: {what}", enables.0);
    for value in [!row.acts, 0, 0x5555_5554 & !row.acts, !row.acts] {
        let before = subject.read(at);
        if row.rw & 3 == 3 && row.reset == 8 && value & 3 == 0 && value != 0 {
            continue; // PMCSR: half a power state has its own test
        }
        subject.write(at, value, enables);
        let taken = row.rw & mask;
        assert_eq!(subject.read(at), before & !taken | value & taken, "{}", say("written"));
    }
    subject.write(at, 0, ByteEnables::ALL);
    subject.raise(at, row.rw1c);
    let raised = subject.read(at);
    assert_eq!(raised & row.rw1c, row.rw1c, "{}", say("raised"));
    subject.write(at, 0, enables);
    assert_eq!(subject.read(at) & row.rw1c, row.rw1c, "{}", say("zeros don't clear"));
    subject.write(at, row.rw1c, enables);
    assert_eq!(subject.read(at) & row.rw1c, row.rw1c & !mask, "{}", say("ones clear"));
}

fn check_resets(name: &str, row: &Row, subject: &impl Fn() -> Box<dyn Subject>) {
    let disturb = |subject: &dyn Subject| {
        subject.write(row.at, row.reset ^ (row.rw & !row.acts), ByteEnables::ALL);
        subject.raise(row.at, row.rw1c);
        subject.read(row.at)
    };
    let after = |kept: u32, disturbed: u32| row.reset & !kept | disturbed & kept;
    let hot = subject();
    let disturbed = disturb(hot.as_ref());
    hot.hot_reset();
    assert_eq!(hot.read(row.at), after(row.sticky, disturbed), "{name} {:#x}: hot reset", row.at);
    hot.cold_reset();
    assert_eq!(hot.read(row.at), row.reset, "{name} {:#x}: cold reset", row.at);
    let flr = subject();
    let disturbed = disturb(flr.as_ref());
    if flr.function_level_reset() {
        let kept = row.sticky | row.link;
        assert_eq!(flr.read(row.at), after(kept, disturbed), "{name} {:#x}: FLR", row.at);
    }
}

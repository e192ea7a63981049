//! The register file (VT-d 4.1, chapter 11): commands, table pointers, the invalidation queue and its event.
//!
//! Commands complete before the write returns: whoever polls finds them done.

use std::sync::atomic::Ordering;

use pando_tlp::{Gpa, MsiMessage};
use vm_memory::Bytes;

use crate::context::load;
use crate::fault::Event;
use crate::interrupt::Table;
use crate::invalidate::{Command, decode, scope};
use crate::iotlb::Scope;
use crate::spec::{VERSION, fault_status, global, offset};
use crate::unit::{Shared, Tables};

/// Everything software sees that isn't a fault register.
#[derive(Debug, Default)]
pub(crate) struct Registers {
    status: u32,
    root: u64,
    context_command: u64,
    queue_head: u64,
    queue_tail: u64,
    queue_address: u64,
    completion: bool,
    completion_event: Event,
    interrupt_table: u64,
    invalidate_address: u64,
    iotlb: u64,
    /// The table pointers in force, as SRTP and SIRTP took them over.
    root_in_force: u64,
    interrupt_table_in_force: u64,
    /// Translations that were invalidated and not yet waited for.
    unfinished: Vec<Scope>,
    /// The same for contexts and interrupt entries; all of them.
    unfinished_entries: bool,
}

/// A wait must be able to follow any number of invalidations without their list growing: past this it becomes a global one.
const SCOPES: usize = 64;

/// A register, the bits of it that software changes, and which half is being written.
fn merge(old: u64, value: u64, mask: u64) -> u64 {
    old & !mask | value & mask
}

impl Registers {
    /// The 8 bytes at `offset`, a multiple of 8.
    pub(crate) fn read(&self, shared: &Shared, at: u64) -> u64 {
        let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
        let faults = &shared.faults;
        match at {
            offset::VER => pair(VERSION, 0),
            offset::CAP => shared.capability,
            offset::ECAP => shared.extended_capability,
            offset::GCMD_GSTS => pair(0, self.status),
            offset::RTADDR => self.root,
            offset::CCMD => self.context_command,
            offset::FSTS => pair(0, faults.status()),
            offset::FECTL_FEDATA => pair(faults.event().control, faults.event().data),
            offset::FEADDR_FEUADDR => pair(faults.event().address, faults.event().upper),
            offset::IQH => self.queue_head,
            offset::IQT => self.queue_tail,
            offset::IQA => self.queue_address,
            offset::ICS => pair(0, u32::from(self.completion)),
            offset::IECTL_IEDATA => pair(self.completion_event.control, self.completion_event.data),
            offset::IEADDR_IEUADDR => {
                pair(self.completion_event.address, self.completion_event.upper)
            }
            offset::IRTA => self.interrupt_table,
            offset::IVA => 0,
            offset::IOTLB => self.iotlb,
            offset::FRCD.. => {
                let half = (at - offset::FRCD) / 8;
                faults.read_record((half / 2) as usize, (half % 2) as usize)
            }
            _ => 0,
        }
    }

    /// Writes the bytes of `mask` in the 8 bytes at `offset`, a multiple of 8. Returns the message of a completion event.
    pub(crate) fn write(
        &mut self,
        shared: &Shared,
        at: u64,
        value: u64,
        mask: u64,
    ) -> Option<MsiMessage> {
        let low = mask as u32 != 0;
        let high = mask >> 32 != 0;
        let (value_low, value_high) = (value as u32, (value >> 32) as u32);
        match at {
            offset::GCMD_GSTS if low => return self.command(shared, value_low),
            offset::RTADDR => self.root = merge(self.root, value, mask & !0x3ff),
            offset::CCMD => self.invalidate_contexts(shared, value, mask),
            offset::FSTS if high => return self.clear_fault_status(shared, value_high),
            offset::FECTL_FEDATA => {
                // The data first: unmasking may send it.
                if high {
                    shared.faults.set_event(|event| event.data = value_high);
                }
                if low {
                    shared.faults.set_control(value_low);
                }
            }
            offset::FEADDR_FEUADDR => {
                shared.faults.set_event(|event| write_address(event, value, mask));
            }
            offset::IQT if low => {
                self.queue_tail = value & 0x7fff0;
                return self.run_queue(shared);
            }
            offset::IQA => self.queue_address = merge(self.queue_address, value, mask & !0x7f8),
            offset::ICS if high => self.service_completion(value_high),
            offset::IECTL_IEDATA => {
                if high {
                    self.completion_event.data = value_high;
                }
                if low {
                    return self.completion_event.set_control(value_low);
                }
            }
            offset::IEADDR_IEUADDR => write_address(&mut self.completion_event, value, mask),
            offset::IRTA => {
                self.interrupt_table = merge(self.interrupt_table, value, mask & !0x7f0);
            }
            offset::IVA => self.invalidate_address = merge(self.invalidate_address, value, mask),
            offset::IOTLB => self.invalidate_iotlb(shared, value, mask),
            offset::FRCD.. if high => {
                let half = (at - offset::FRCD) / 8;
                if half % 2 == 1 {
                    shared.faults.clear_record((half / 2) as usize, value & mask);
                }
            }
            _ => {}
        }
        None
    }

    /// Global command (11.4.4.1): one-shot bits act, stateful bits set what status shows.
    fn command(&mut self, shared: &Shared, value: u32) -> Option<MsiMessage> {
        const STATEFUL: u32 = global::TRANSLATION
            | global::QUEUE
            | global::INTERRUPT_REMAPPING
            | global::COMPATIBILITY;
        let before = self.status;
        self.status = self.status & !STATEFUL | value & STATEFUL;
        if value & global::ROOT_POINTER != 0 {
            self.root_in_force = self.root;
            self.status |= global::ROOT_POINTER;
        }
        if value & global::INTERRUPT_POINTER != 0 {
            self.interrupt_table_in_force = self.interrupt_table;
            self.status |= global::INTERRUPT_POINTER;
        }
        if value & (global::ROOT_POINTER | global::INTERRUPT_POINTER) != 0
            || (before ^ self.status) & !global::QUEUE != 0
        {
            shared.publish(self.tables());
        }
        if (before ^ self.status) & global::QUEUE == 0 {
            return None;
        }
        self.queue_head = 0;
        self.run_queue(shared)
    }

    fn tables(&self) -> Tables {
        let table = self.interrupt_table_in_force;
        Tables {
            root: (self.status & global::TRANSLATION != 0)
                .then_some(Gpa(self.root_in_force & !0xfff)),
            interrupts: (self.status & global::INTERRUPT_REMAPPING != 0).then_some(Table {
                base: Gpa(table & !0xfff),
                entries: 2 << (table & 0xf),
                extended: table & 1 << 11 != 0,
                compatibility: self.status & global::COMPATIBILITY != 0,
            }),
        }
    }

    /// Clears faults; a queue that was stopped by an error goes on where it stopped.
    fn clear_fault_status(&mut self, shared: &Shared, value: u32) -> Option<MsiMessage> {
        let stopped = shared.faults.has_queue_error();
        shared.faults.clear_status(value);
        if stopped && value & fault_status::QUEUE_ERROR != 0 {
            self.run_queue(shared)
        } else {
            None
        }
    }

    /// Register-based context invalidation (11.4.5): done at once, ICC reads 0, CAIG as asked.
    fn invalidate_contexts(&mut self, shared: &Shared, value: u64, mask: u64) {
        const INVALIDATE: u64 = 1 << 63;
        self.context_command = merge(self.context_command, value, mask & !(3 << 59));
        if value & mask & INVALIDATE != 0 {
            shared.epochs.synchronize();
            let granularity = self.context_command >> 61 & 3;
            self.context_command =
                self.context_command & !(INVALIDATE | 3 << 59) | granularity << 59;
        }
    }

    /// Register-based IOTLB invalidation (11.4.6.1): done at once, IVT reads 0, IAIG as asked or wider.
    fn invalidate_iotlb(&mut self, shared: &Shared, value: u64, mask: u64) {
        const INVALIDATE: u64 = 1 << 63;
        self.iotlb = merge(self.iotlb, value, mask & !(3 << 57));
        if value & mask & INVALIDATE != 0 {
            let asked = self.iotlb >> 60 & 3;
            let scope = scope(asked, (self.iotlb >> 32) as u16, self.invalidate_address);
            shared.iotlb.invalidate(&[scope.unwrap_or(Scope::Global)], &shared.epochs);
            let done = if scope.is_some() { asked } else { 1 };
            self.iotlb = self.iotlb & !(INVALIDATE | 3 << 57) | done << 57;
        }
    }

    fn service_completion(&mut self, value: u32) {
        if value & 1 != 0 {
            self.completion = false;
            self.completion_event.serviced();
        }
    }

    /// Works off the queue from head to tail, or to the first descriptor that isn't one.
    fn run_queue(&mut self, shared: &Shared) -> Option<MsiMessage> {
        let mut message = None;
        if self.status & global::QUEUE == 0 || shared.faults.has_queue_error() {
            return None;
        }
        let bytes = 4096u64 << (self.queue_address & 7);
        let wide = self.queue_address & 1 << 11 != 0;
        if wide || self.queue_tail >= bytes {
            shared.faults.queue_error();
            return None;
        }
        while self.queue_head != self.queue_tail {
            let address = (self.queue_address & !0xfff).wrapping_add(self.queue_head);
            let Some(command) = fetch(shared, address) else {
                shared.faults.queue_error();
                break;
            };
            message = self.execute(shared, command).or(message);
            self.queue_head = (self.queue_head + 16) % bytes;
        }
        // What no wait follows takes effect now too.
        self.finish(shared);
        message
    }

    fn execute(&mut self, shared: &Shared, command: Command) -> Option<MsiMessage> {
        match command {
            Command::Translations(scope) => self.note(scope),
            Command::Entries => self.unfinished_entries = true,
            Command::Wait { status, interrupt } => {
                self.finish(shared);
                if let Some((data, address)) = status
                    && let Some(run) = shared.ram.run(address, 4)
                {
                    // A status outside RAM goes nowhere, as any write there does.
                    let _ = run.slice().store(data, 0, Ordering::Release);
                }
                if interrupt && !self.completion {
                    self.completion = true;
                    return self.completion_event.raise();
                }
            }
        }
        None
    }

    fn note(&mut self, scope: Scope) {
        if self.unfinished.len() >= SCOPES {
            self.unfinished = vec![Scope::Global];
        }
        self.unfinished.push(scope);
    }

    /// Waits until nobody uses what was invalidated.
    fn finish(&mut self, shared: &Shared) {
        if self.unfinished_entries || !self.unfinished.is_empty() {
            shared.iotlb.invalidate(&self.unfinished, &shared.epochs);
            self.unfinished.clear();
            self.unfinished_entries = false;
        }
    }
}

fn fetch(shared: &Shared, address: u64) -> Option<Command> {
    decode(load(shared.ram, address)?, load(shared.ram, address.checked_add(8)?)?)
}

fn write_address(event: &mut Event, value: u64, mask: u64) {
    if mask as u32 != 0 {
        event.address = value as u32 & !3;
    }
    if mask >> 32 != 0 {
        event.upper = (value >> 32) as u32;
    }
}

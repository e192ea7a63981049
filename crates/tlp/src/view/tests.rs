use std::sync::Mutex;

use super::*;
use crate::{Epochs, Gpa, GuestRam, RequesterId};

/// Identity to RAM, counting questions; `open` is the gate.
struct Flat {
    ram: GuestRam,
    asked: Mutex<u32>,
    open: Mutex<bool>,
}

impl Dma for Flat {
    fn requester(&self) -> RequesterId {
        RequesterId(0)
    }

    fn resolve(&self, address: Iova, access: Access) -> Result<Target, Fault> {
        *self.asked.lock().unwrap() += 1;
        if !*self.open.lock().unwrap() {
            return Err(Fault::Gated);
        }
        if access == Access::Write && address.0 >= 0x3000 {
            return Err(Fault::Translation);
        }
        let run = self.ram.region(Gpa(address.0)).ok_or(Fault::UnsupportedRequest)?;
        Ok(Target::Ram { start: Iova(run.gpa.0), run, read: true, write: false })
    }

    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn write(&self, _: Iova, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }
}

fn flat() -> Arc<Flat> {
    let ram = GuestRam::anonymous(&[(Gpa(0x1000), 0x3000)]).unwrap();
    Arc::new(Flat { ram, asked: Mutex::new(0), open: Mutex::new(true) })
}

#[test]
fn a_page_is_asked_for_once_an_epoch() {
    let flat = flat();
    let epochs = Epochs::new();
    let mut participant = epochs.join();
    let mut view = DmaView::new(flat.clone());
    for expected in 1..=2 {
        let guard = participant.enter();
        for offset in 0..16 {
            assert_eq!(
                view.slice(&guard, Iova(0x1000 + offset), 8, Access::Read).unwrap().len(),
                8
            );
        }
        assert_eq!(*flat.asked.lock().unwrap(), expected);
        drop(guard);
        epochs.advance();
    }
}

#[test]
fn a_closed_gate_is_seen_in_the_next_epoch() {
    let flat = flat();
    let epochs = Epochs::new();
    let mut participant = epochs.join();
    let mut view = DmaView::new(flat.clone());
    assert!(view.slice(&participant.enter(), Iova(0x1000), 8, Access::Read).is_ok());
    *flat.open.lock().unwrap() = false;
    epochs.synchronize();
    assert_eq!(
        view.slice(&participant.enter(), Iova(0x1000), 8, Access::Read).unwrap_err(),
        Fault::Gated
    );
}

#[test]
fn slices_end_with_the_run_and_respect_permissions() {
    let epochs = Epochs::new();
    let mut participant = epochs.join();
    let guard = participant.enter();
    let mut view = DmaView::new(flat());
    assert_eq!(view.slice(&guard, Iova(0x3ff0), 64, Access::Read).unwrap().len(), 16);
    assert_eq!(
        view.slice(&guard, Iova(0x3ff0), 64, Access::Read).unwrap().len(),
        16,
        "from the cache too"
    );
    assert!(view.slice(&guard, Iova(0x1000), 8, Access::Write).is_err());
    assert_eq!(view.slice(&guard, Iova(0x3000), 8, Access::Write).unwrap_err(), Fault::Translation);
    assert_eq!(
        view.slice(&guard, Iova(0x4000), 8, Access::Read).unwrap_err(),
        Fault::UnsupportedRequest
    );
    assert_eq!(
        view.slice(&guard, Iova(u64::MAX), 8, Access::Read).unwrap_err(),
        Fault::UnsupportedRequest
    );
    assert_eq!(view.slice(&guard, Iova(0x1000), 0, Access::Read).unwrap().len(), 0);
}

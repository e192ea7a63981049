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

/// Pages of 4 KiB, as an IOMMU scatters them: page number n of the function lies at `pages[n]`, and may be written if that says so.
struct Scattered {
    ram: GuestRam,
    pages: Mutex<Vec<(u64, bool)>>,
}

impl Dma for Scattered {
    fn requester(&self) -> RequesterId {
        RequesterId(0)
    }

    fn resolve(&self, address: Iova, _: Access) -> Result<Target, Fault> {
        let page = address.0 / PAGE;
        let pages = self.pages.lock().unwrap();
        let (gpa, write) = *pages.get(page as usize).ok_or(Fault::Translation)?;
        let run = self.ram.run(Gpa(gpa), PAGE).ok_or(Fault::UnsupportedRequest)?;
        Ok(Target::Ram { start: Iova(page * PAGE), run, read: true, write })
    }

    fn read(&self, _: Iova, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }

    fn write(&self, _: Iova, _: &[u8]) -> Result<(), Fault> {
        Err(Fault::UnsupportedRequest)
    }
}

#[test]
fn bytes_across_pages_are_one_slice_while_the_pages_are_neighbours_and_the_epoch_lasts() {
    let ram = GuestRam::anonymous(&[(Gpa(0), 0x8000), (Gpa(0x8000), 0x1000)]).unwrap();
    // 0 to 2 in a row, 3 elsewhere, 4 to 6 in a row, 5 may not be written, 7 in another region.
    let places = [0x2000, 0x3000, 0x4000, 0x1000, 0x5000, 0x6000, 0x7000, 0x8000];
    let pages = places.map(|gpa| (gpa, gpa != 0x6000)).to_vec();
    let tree = Arc::new(Scattered { ram, pages: Mutex::new(pages) });
    let epochs = Epochs::new();
    let mut participant = epochs.join();
    let mut view = DmaView::new(tree.clone());
    {
        let guard = participant.enter();
        for page in [0, 1, 3, 4, 5, 6, 7] {
            view.slice(&guard, Iova(page * PAGE), 1, Access::Read).unwrap();
        }
        let known = view.known_to(&guard).unwrap();
        let whole = |address, len, access| {
            let slice = known.whole(Iova(address), len, access)?;
            assert_eq!(slice.len(), len);
            let start = ram.region(Gpa(0)).unwrap().slice().ptr_guard().as_ptr() as usize;
            Some(slice.ptr_guard().as_ptr() as usize - start)
        };
        assert_eq!(whole(0xfff, 2, Access::Write), Some(0x2fff));
        assert_eq!(whole(0x800, 0x1800, Access::Read), Some(0x2800));
        assert_eq!(whole(0x800, 0x1801, Access::Read), None, "page 2 isn't known");
        assert_eq!(whole(0x3fff, 2, Access::Read), None, "page 4 doesn't follow page 3");
        assert_eq!(whole(0x4fff, 2, Access::Read), Some(0x5fff));
        assert_eq!(whole(0x4fff, 2, Access::Write), None, "page 5 may not be written");
        assert_eq!(whole(0x5000, 2, Access::Write), None);
        assert_eq!(whole(0x5fff, 0x1001, Access::Read), Some(0x6fff));
        assert_eq!(whole(0x6fff, 2, Access::Read), None, "another region");
        assert_eq!(whole(0x7fff, 2, Access::Read), None, "nothing behind page 7");
        assert_eq!(whole(0xfff, usize::MAX, Access::Read), None);
    }
    tree.pages.lock().unwrap()[1].0 = 0;
    epochs.synchronize();
    let guard = participant.enter();
    assert!(view.known_to(&guard).is_none(), "nothing is known in a new epoch");
    for page in 0..2 {
        view.slice(&guard, Iova(page * PAGE), 1, Access::Read).unwrap();
    }
    let known = view.known_to(&guard).unwrap();
    assert!(known.whole(Iova(0xfff), 2, Access::Read).is_none(), "page 1 has moved");
}

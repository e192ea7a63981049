//! Doorbells follow their registers: armed late, disarmed before the write that moved them returns.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use pando_pci::Region;

use super::support::{BAR0_SIZE, Fake, Guest, Machine, Outside, VF_BAR_SIZE};
use crate::Fabric;

/// Any descriptor does.
fn event() -> Arc<OwnedFd> {
    Arc::new(std::fs::File::open("/dev/null").unwrap().into())
}

fn wood() -> (Fabric, Arc<Outside>, Arc<Fake>) {
    let mut machine = Machine::plain();
    machine.root_port("rp");
    let device = machine.device("rp");
    let (fabric, outside) = machine.build();
    Guest(&fabric).enumerate();
    (fabric, outside, device)
}

fn armed(outside: &Outside) -> Vec<(u64, i32)> {
    let mut armed = outside.armed.lock().unwrap().clone();
    armed.sort_unstable();
    armed
}

#[test]
fn a_doorbell_is_armed_when_the_event_loop_comes_round() {
    let (fabric, outside, device) = wood();
    fabric.reconcile_doorbells();
    let woken = outside.woken.load(SeqCst);
    let events = [event(), event()];
    let bells = events.clone().map(|event| (Region::Bar(0), 0x100, event));
    device.wants_doorbells(bells[..1].to_vec());
    device.wants_doorbells(bells[..1].to_vec());
    assert_eq!(outside.woken.load(SeqCst), woken + 1, "woken once for many changes");
    assert!(armed(&outside).is_empty(), "nothing happens in the device's call");
    fabric.reconcile_doorbells();
    let at = device.bar() + 0x100;
    assert_eq!(armed(&outside), [(at, events[0].as_raw_fd())]);
    fabric.reconcile_doorbells();
    assert!(outside.disarmed.lock().unwrap().is_empty());
    device.wants_doorbells(bells[1..].to_vec());
    fabric.reconcile_doorbells();
    assert_eq!(armed(&outside), [(at, events[1].as_raw_fd())], "another event at the same place");
    device.wants_doorbells(vec![]);
    fabric.reconcile_doorbells();
    assert!(armed(&outside).is_empty());
    assert_eq!(fabric.report().armed_doorbells, 0);
}

#[test]
fn a_doorbell_that_moved_is_disarmed_at_once_and_armed_later() {
    let (fabric, outside, device) = wood();
    let event = event();
    device.wants_doorbells(vec![(Region::Bar(0), 0x100, event.clone())]);
    fabric.reconcile_doorbells();
    let guest = Guest(&fabric);
    let (old, fd) = (device.bar(), event.as_raw_fd());
    let woken = outside.woken.load(SeqCst);
    guest.write(device.id(), 0x10, (old + 4 * BAR0_SIZE) as u32);
    assert!(armed(&outside).is_empty(), "before the write returns");
    assert!(outside.woken.load(SeqCst) > woken);
    fabric.reconcile_doorbells();
    assert_eq!(armed(&outside), [(old + 4 * BAR0_SIZE + 0x100, fd)]);
    let port = guest.find_port("rp");
    for (id, off, on) in [(port, 0x0404, 0x0406), (device.id(), 0x0404, 0x0406)] {
        guest.write16(id, 0x04, off);
        assert!(armed(&outside).is_empty());
        guest.write16(id, 0x04, on);
        fabric.reconcile_doorbells();
        assert_eq!(armed(&outside).len(), 1);
    }
    fabric.reset();
    assert!(armed(&outside).is_empty());
}

#[test]
fn doorbells_of_vfs_lie_in_the_vf_windows() {
    let (fabric, outside, device) = wood();
    let guest = Guest(&fabric);
    let window = device.bar() + (1 << 16);
    guest.write(device.id(), 0x44, window as u32);
    guest.write(device.id(), 0x48, (window >> 32) as u32);
    let bells: Vec<_> =
        (0..8).map(|vf| (Region::VfBar(0), vf * VF_BAR_SIZE + 0x40, event())).collect();
    device.wants_doorbells(bells);
    fabric.reconcile_doorbells();
    assert!(armed(&outside).is_empty(), "no VF yet");
    guest.write(device.id(), 0x40, 3);
    fabric.reconcile_doorbells();
    let at: Vec<_> = armed(&outside).iter().map(|(address, _)| *address).collect();
    assert_eq!(at, [0, 1, 2].map(|vf| window + vf * VF_BAR_SIZE + 0x40));
    guest.write(device.id(), 0x40, 1);
    assert_eq!(armed(&outside).len(), 1, "only what is gone is disarmed");
    assert_eq!(outside.disarmed.lock().unwrap().len(), 2);
}

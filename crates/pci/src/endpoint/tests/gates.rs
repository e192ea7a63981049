//! Gates: what has returned has stopped.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use pando_tlp::Link;

use super::*;

#[test]
fn a_gate_needs_bus_master_and_d0_of_function_and_pf() {
    let card = Card::new(config(7));
    card.enable_vfs(1);
    card.model.take();
    let gate = |function, open| Call::BusMaster(function, open);
    let (pf_id, vf_id) = (FunctionId::Pf, FunctionId::Vf(0));
    card.write16(pf(), 0x04, 0x4);
    card.write16(vf(0), 0x04, 0x4);
    assert_eq!(card.model.take(), [gate(pf_id, true), gate(vf_id, true)]);
    card.write(vf(0), 0x44, 3);
    assert_eq!((card.model.take(), card.is_open(1)), (vec![gate(vf_id, false)], false));
    card.write(vf(0), 0x44, 2);
    assert_eq!((card.model.take(), card.read(vf(0), 0x44)), (vec![], 0xb));
    card.write(vf(0), 0x44, 0);
    assert_eq!((card.model.take(), card.is_open(1)), (vec![gate(vf_id, true)], true));
    card.write(pf(), 0x44, 3);
    assert_eq!(card.model.take(), [gate(pf_id, false), gate(vf_id, false)]);
    assert_eq!((card.is_open(0), card.is_open(1)), (false, false));
    assert_eq!(card.read(vf(0), 8), 0x0200_0001, "its configuration space answers");
    card.write(pf(), 0x44, 0);
    assert_eq!(card.model.take(), [gate(pf_id, true), gate(vf_id, true)]);
    card.write16(pf(), 0x04, 0);
    assert_eq!((card.model.take(), card.is_open(1)), (vec![gate(pf_id, false)], true));
}

#[test]
fn msix_follows_its_control_and_its_gate() {
    let card = Card::new(config(7));
    card.enable_vfs(2);
    let msix = &card.ports[2].msix;
    let table = |offset: u64, value: u32| {
        card.endpoint.write(Region::VfBar(4), 0x4000 + offset, &value.to_le_bytes());
    };
    card.write16(vf(1), 0x86, 0xc000);
    for (offset, value) in [(0, 0xfee0_0000), (4, 0), (8, 0x55), (12, 0)] {
        table(offset, value);
    }
    msix.signal(0);
    card.write16(vf(1), 0x86, 0x8000);
    assert_eq!(card.wire.take(), [], "no bus master");
    let report = card.endpoint.report();
    assert_eq!((report.total_vfs, report.vfs.len()), (7, 2));
    assert_eq!((report.vfs[1].id.as_str(), report.vfs[1].bus_master), ("05:00.2", false));
    assert_eq!((report.vfs[0].pending_vectors, report.vfs[1].pending_vectors), (0, 1));
    card.write16(vf(1), 0x04, 0x4);
    assert_eq!(card.wire.take().len(), 1, "delivered when the gate opens");
    card.write16(vf(1), 0x50, 0x8000);
    msix.signal(0);
    card.write16(vf(1), 0x04, 0x4);
    card.write16(vf(1), 0x86, 0x8000);
    assert_eq!(card.wire.take(), [], "FLR: disabled, nothing pending");
    let mut data = [0; 4];
    card.endpoint.read(Region::VfBar(4), 0x400c, &mut data);
    assert_eq!(data, [1, 0, 0, 0]);
}

#[test]
fn a_reset_of_the_card_is_a_reset_of_all() {
    let card = Card::new(config(7));
    card.enable_vfs(2);
    card.write16(vf(1), 0x04, 0x4);
    card.write16(pf(), 0x04, 0x6);
    card.write(pf(), 0x10c, 0);
    card.model.take();
    card.endpoint.hot_reset();
    assert_eq!(card.model.take().last(), Some(&Call::Reset(FunctionId::Pf)));
    assert_eq!((card.is_open(0), card.is_open(2), card.endpoint.active_vfs()), (false, false, 0));
    assert_eq!(card.ports[0].dma.requester(), RequesterId(0));
    assert_eq!(card.read(pf(), 0x10c), 0, "sticky");
    card.endpoint.reset();
    assert_eq!(card.read(pf(), 0x10c), 0x0046_2030);
}

/// Workers send as long as they may; the guest resets, gates, and removes a VF. When its write has returned, no worker that
/// saw the gate open is still at it.
#[test]
fn no_request_after_the_write_that_stops_it() {
    let card = Card::new(config(7));
    let epochs = WireLink(card.wire.clone()).epochs().clone();
    let (stopped, violations) = (AtomicBool::new(true), AtomicU32::new(0));
    let done = AtomicBool::new(false);
    let sent = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut participant = epochs.join();
                while !done.load(SeqCst) {
                    let _guard = participant.enter();
                    if card.ports[1].dma.write(Iova(0), &[0; 4]).is_ok() {
                        std::thread::yield_now();
                        violations.fetch_add(u32::from(stopped.load(SeqCst)), SeqCst);
                        sent.fetch_add(1, SeqCst);
                    }
                }
            });
        }
        let stops: [(RequesterId, u16, u32); 4] =
            [(vf(0), 0x04, 0), (vf(0), 0x50, 0x8000), (vf(0), 0x44, 3), (pf(), SRIOV + 8, 0x10)];
        for round in 0..80 {
            card.enable_vfs(1);
            card.write16(vf(0), 0x44, 0);
            stopped.store(false, SeqCst);
            card.write16(vf(0), 0x04, 0x4);
            std::thread::yield_now();
            let (target, register, value) = stops[round % stops.len()];
            card.write16(target, register, value);
            stopped.store(true, SeqCst);
        }
        done.store(true, SeqCst);
    });
    assert_eq!(violations.load(SeqCst), 0);
    card.wire.take();
}

/// Two vCPUs switch bus mastering, power and reset of one VF: in the end the gate is what the registers say.
#[test]
fn a_gate_follows_the_last_of_racing_writes() {
    let card = Card::new(config(7));
    card.enable_vfs(1);
    for _ in 0..200 {
        std::thread::scope(|scope| {
            for writes in
                [[(0x04, 4), (0x44, 3), (0x04, 4)], [(0x04, 0), (0x44, 0), (0x50, 0x8000)]]
            {
                let card = &card;
                scope.spawn(move || {
                    for (register, value) in writes {
                        card.write16(vf(0), register, value);
                    }
                });
            }
        });
        let bus_master = card.read(vf(0), 0x04) & 4 != 0;
        let powered = card.read(vf(0), 0x44) & 3 == 0;
        assert_eq!(card.is_open(1), bus_master && powered);
        let told = card.model.take().into_iter().rev().find_map(|call| match call {
            Call::BusMaster(_, open) => Some(open),
            Call::Reset(_) => Some(false),
            _ => None,
        });
        assert!(told.is_none_or(|open| open == (bus_master && powered)));
    }
}

/// Register accesses from one vCPU while another removes the VF: the model never sees one of a VF that isn't there.
#[test]
fn no_access_reaches_a_removed_vf() {
    let card = Card::new(config(7));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                card.endpoint.write(Region::VfBar(0), 0, &[1]);
            }
        });
        for _ in 0..100 {
            card.enable_vfs(1);
            std::thread::yield_now();
            card.write16(pf(), SRIOV + 8, 0x10);
        }
        done.store(true, SeqCst);
    });
    let mut exists = false;
    for call in card.model.take() {
        match call {
            Call::VirtualFunctions(count) => exists = count != 0,
            Call::Reset(_) => exists = false,
            other => assert!(exists, "{other:?}"),
        }
    }
}

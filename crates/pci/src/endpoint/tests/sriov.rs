//! VFs: when they exist, where, and what their windows decode.

use super::*;

const CONTROL: u16 = SRIOV + 0x08;
const NUM_VFS: u16 = SRIOV + 0x10;
const OFFSET_STRIDE: u16 = SRIOV + 0x14;
const PAGE_SIZE: u16 = SRIOV + 0x20;
const VF_BAR0: u16 = SRIOV + 0x24;

fn vf_window(card: &Card) -> Vec<Decoded> {
    card.write(pf(), VF_BAR0, 0x8000_0000);
    card.write(pf(), VF_BAR0 + 0x10, 0xc000_0000);
    card.decoded()
}

#[test]
fn num_vfs_is_writable_while_vf_enable_is_clear() {
    let card = Card::new(config(7));
    for (written, size, expected) in
        [(3, 2, 3), (7, 4, 7), (8, 2, 7), (0xffff, 2, 7), (1, 1, 1), (0, 4, 0), (5, 2, 5)]
    {
        card.write_sized(pf(), NUM_VFS, written, size);
        assert_eq!(card.read(pf(), NUM_VFS), expected);
    }
    card.write16(pf(), CONTROL, 1);
    card.write16(pf(), NUM_VFS, 2);
    assert_eq!((card.read(pf(), NUM_VFS), card.endpoint.active_vfs()), (5, 5));
    card.write16(pf(), CONTROL, 0);
    card.write16(pf(), NUM_VFS, 2);
    assert_eq!((card.read(pf(), NUM_VFS), card.endpoint.active_vfs()), (2, 0));
}

#[test]
fn vfs_come_and_go_with_vf_enable() {
    let card = Card::new(config(7));
    card.enable_vfs(3);
    assert_eq!(card.model.take(), [Call::VirtualFunctions(3)]);
    assert_eq!([card.read(vf(2), 8), card.read(vf(3), 8)], [0x0200_0001, u32::MAX]);
    card.write16(vf(1), 0x04, 0x4);
    card.write16(vf(1), 0x86, 0x8000);
    card.model.take();
    assert!(card.is_open(2));
    card.write16(pf(), CONTROL, 0x10);
    assert!(!card.is_open(2));
    let reset = |vf| Call::Reset(FunctionId::Vf(vf));
    assert_eq!(card.model.take(), [reset(0), reset(1), reset(2), Call::VirtualFunctions(0)]);
    assert_eq!(card.read(vf(0), 8), u32::MAX);
    card.enable_vfs(3);
    assert_eq!([card.read(vf(1), 4), card.read(vf(1), 0x84)], [0x0011_0000, 0x0002_0011]);
}

#[test]
fn enabling_no_vfs_does_nothing() {
    let card = Card::new(config(7));
    card.write16(pf(), CONTROL, 0x9);
    assert_eq!((card.read(pf(), CONTROL), card.endpoint.active_vfs()), (0x9, 0));
    assert_eq!((card.model.take(), card.read(RequesterId::new(6, 0), 0)), (vec![], u32::MAX));
}

#[test]
fn ari_hierarchy_decides_where_vfs_are() {
    let card = Card::new(config(7));
    assert_eq!(card.read(pf(), OFFSET_STRIDE), 0x0001_0100);
    card.write16(pf(), NUM_VFS, 2);
    card.write16(pf(), CONTROL, 0x1);
    let spilled = RequesterId::new(BUS + 1, 1);
    assert_eq!((card.read(spilled, 8), card.read(vf(1), 8)), (0x0200_0001, u32::MAX));
    assert_eq!(card.ports[2].dma.requester(), spilled);
    assert_eq!(card.endpoint.function(spilled), Some(FunctionId::Vf(1)));
    card.write16(spilled, 0x04, 0x4);
    assert!(card.is_open(2));
    card.write16(pf(), CONTROL, 0x11);
    assert_eq!(card.read(pf(), CONTROL), 1, "locked while VF Enable is set");
    card.write16(pf(), CONTROL, 0);
    card.write16(pf(), CONTROL, 0x10);
    assert_eq!(card.read(pf(), OFFSET_STRIDE), 0x0001_0001);
    card.write16(pf(), CONTROL, 0x11);
    assert_eq!((card.read(spilled, 8), card.read(vf(1), 8)), (u32::MAX, 0x0200_0001));
}

#[test]
fn every_vf_of_a_large_card_answers_across_buses() {
    let mut config = config(300);
    config.sriov.as_mut().unwrap().with_ari = crate::VfPlacement { offset: 0x80, stride: 2 };
    let card = Card::new(config);
    for count in [1, 64, 65, 255, 300] {
        card.enable_vfs(count);
        for index in 0..300 {
            let target = RequesterId(pf().0 + 0x80 + 2 * index);
            let expected = if index < count { 0x0200_0001 } else { u32::MAX };
            assert_eq!(card.read(target, 8), expected, "VF {index} of {count}");
            assert_eq!(card.read(RequesterId(target.0 + 1), 8), u32::MAX);
        }
        card.write16(pf(), CONTROL, 0x10);
    }
}

#[test]
fn other_pfs_follow_the_lowest_ones_ari_hierarchy() {
    let lowest = Card::new(config(2));
    let mut second = config(2);
    second.function = 1;
    let sriov = second.sriov.as_mut().unwrap();
    sriov.ari = crate::AriHierarchy::default();
    sriov.lowest = false;
    sriov.with_ari.offset = 8;
    let ari = sriov.ari.clone();
    let second = Card::new(second);
    let own = RequesterId::new(BUS, 1);
    second.write16(own, CONTROL, 0x10);
    assert_eq!(second.read(own, CONTROL), 0);
    assert_eq!(second.read(own, OFFSET_STRIDE), 0x0001_0100);
    ari.set(true);
    assert_eq!(second.read(own, OFFSET_STRIDE), 0x0001_0008);
    assert_eq!(lowest.read(pf(), OFFSET_STRIDE), 0x0001_0100);
}

#[test]
fn vf_windows_need_vf_enable_and_vf_mse() {
    let card = Card::new(config(7));
    assert_eq!(vf_window(&card), []);
    card.write16(pf(), NUM_VFS, 3);
    assert_eq!(card.write16(pf(), CONTROL, 0x8), Effects::empty());
    assert_eq!(card.write16(pf(), CONTROL, 0x9), Effects::DECODE);
    let windows = [
        decoded(0x8000_0000, 0xc000, Region::VfBar(0)),
        decoded(0xc000_0000, 0xc000, Region::VfBar(4)),
    ];
    assert_eq!(card.decoded(), windows);
    card.write(pf(), VF_BAR0, 0x9000_0000);
    assert_eq!(card.decoded(), windows, "locked");
    assert_eq!(card.write16(pf(), CONTROL, 0x1), Effects::DECODE);
    assert_eq!(card.decoded(), []);
    card.write(pf(), VF_BAR0, 0x9000_0000);
    card.write16(pf(), CONTROL, 0x9);
    assert_eq!(card.decoded()[0].base, Gpa(0x9000_0000));
    card.write(pf(), 0x44, 3);
    assert_eq!(card.decoded(), [], "the PF is in D3hot");
}

#[test]
fn an_access_reaches_the_vf_it_lies_in() {
    let card = Card::new(config(7));
    card.enable_vfs(3);
    card.model.take();
    let mut data = [0; 4];
    card.endpoint.read(Region::VfBar(0), 0x8010, &mut data);
    card.endpoint.write(Region::VfBar(0), 0x4000, &[9]);
    card.endpoint.write(Region::VfBar(4), 0x8008, &[7, 0, 0, 0]);
    card.endpoint.read(Region::VfBar(4), 0x8008, &mut data);
    assert_eq!(data, [7, 0, 0, 0]);
    let expected =
        [Call::Read(FunctionId::Vf(2), 0, 0x10, 4), Call::Write(FunctionId::Vf(1), 0, 0, vec![9])];
    assert_eq!(card.model.take(), expected);
    card.endpoint.read(Region::VfBar(0), 0xc000, &mut data);
    assert_eq!(data, [0xff; 4], "VF 3 doesn't exist");
    card.write(vf(1), 0x44, 3);
    card.endpoint.read(Region::VfBar(0), 0x4000, &mut data);
    assert_eq!((data, card.model.take()), ([0xff; 4], vec![]), "VF 1 is in D3hot");
}

#[test]
fn system_page_size_widens_vf_bars() {
    let card = Card::new(config(7));
    for (written, expected) in [(2, 2), (3, 2), (0, 2), (4, 2), (0x800, 2), (0x10, 0x10)] {
        card.write(pf(), PAGE_SIZE, written);
        assert_eq!(card.read(pf(), PAGE_SIZE), expected);
    }
    card.write(pf(), VF_BAR0, u32::MAX);
    assert_eq!(card.read(pf(), VF_BAR0), 0xffff_000c, "64 KiB");
    card.write(pf(), PAGE_SIZE, 0x400);
    assert_eq!(card.read(pf(), VF_BAR0), 0xffc0_000c, "4 MiB");
    card.write(pf(), PAGE_SIZE, 0x10);
    vf_window(&card);
    card.enable_vfs(2);
    card.model.take();
    assert_eq!(card.decoded()[0], decoded(0x8000_0000, 0x2_0000, Region::VfBar(0)));
    let mut data = [0; 4];
    card.endpoint.read(Region::VfBar(0), 0x1_0004, &mut data);
    assert_eq!(card.model.take(), [Call::Read(FunctionId::Vf(1), 0, 4, 4)]);
    card.endpoint.read(Region::VfBar(0), 0x4000, &mut data);
    assert_eq!((data, card.model.take()), ([0xff; 4], vec![]), "behind VF 0's registers");
    card.write(pf(), PAGE_SIZE, 1);
    assert_eq!(card.read(pf(), PAGE_SIZE), 0x10, "locked while VF Enable is set");
}

#[test]
fn a_pf_reset_takes_its_vfs_a_vf_reset_is_its_own() {
    let card = Card::new(config(7));
    vf_window(&card);
    card.enable_vfs(2);
    card.write16(vf(0), 0x04, 0x4);
    card.write16(vf(1), 0x04, 0x4);
    card.write16(pf(), 0x04, 0x6);
    card.model.take();
    assert_eq!(card.write16(vf(0), 0x50, 0x8000), Effects::empty());
    assert_eq!(card.model.take(), [Call::Reset(FunctionId::Vf(0))]);
    assert_eq!((card.read(vf(0), 4), card.read(vf(1), 4)), (0x0011_0000, 0x0011_0004));
    assert_eq!((card.is_open(0), card.is_open(1), card.is_open(2)), (true, false, true));
    assert_eq!(card.read(pf(), CONTROL), 0x19);
    assert_eq!(card.write16(pf(), 0x50, 0x8000), Effects::DECODE);
    let reset = |vf| Call::Reset(FunctionId::Vf(vf));
    let gone = [reset(0), reset(1), Call::VirtualFunctions(0), Call::Reset(FunctionId::Pf)];
    assert_eq!(card.model.take(), gone);
    assert_eq!((card.is_open(0), card.is_open(1), card.is_open(2)), (false, false, false));
    for (register, value) in [(CONTROL, 0), (NUM_VFS, 0), (VF_BAR0, 0xc), (PAGE_SIZE, 1)] {
        assert_eq!(card.read(pf(), register), value);
    }
    assert_eq!((card.read(vf(0), 8), card.decoded()), (u32::MAX, vec![]));
    assert_eq!(card.ports[0].dma.requester(), pf());
    let mut data = [0];
    card.endpoint.read(Region::Bar(2), 0, &mut data);
    assert_eq!(data, [0x5a], "present again");
}

//! Random configuration and register accesses: nothing panics, and what must hold holds after each.

use proptest::prelude::*;

use super::*;

/// One access of a hostile guest.
#[derive(Clone, Debug)]
enum Access {
    Config { distance: u16, dword: u16, value: u32, enables: u8 },
    Write { region: Region, offset: u64, len: usize, byte: u8 },
    Reset(bool),
}

fn region() -> impl Strategy<Value = Region> {
    prop_oneof![(0..7u8).prop_map(Region::Bar), (0..7u8).prop_map(Region::VfBar)]
}

/// Registers that matter more often than others.
fn dword() -> impl Strategy<Value = u16> {
    let mut hot = vec![0x04, 0x44, 0x50, 0x84, 0xa4];
    hot.extend((0x18..0x28).step_by(4));
    hot.extend((SRIOV..SRIOV + 0x40).step_by(4));
    prop_oneof![4 => prop::sample::select(hot).prop_map(|register| register / 4), 1 => 0..1024u16]
}

fn value() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), 0..0x20u32, Just(u32::MAX), (0..32u32).prop_map(|bit| 1 << bit)]
}

fn access() -> impl Strategy<Value = Access> {
    let distance =
        prop_oneof![6 => Just(0u16), 3 => 1..12u16, 2 => 0x100..0x10cu16, 1 => any::<u16>()];
    let offset = prop_oneof![0..0x2_0000u64, any::<u64>()];
    prop_oneof![
        30 => (distance, dword(), value(), 0..16u8).prop_map(|(distance, dword, value, enables)| {
            Access::Config { distance, dword, value, enables }
        }),
        10 => (region(), offset, prop::sample::select(vec![1usize, 2, 4, 8]), any::<u8>())
            .prop_map(|(region, offset, len, byte)| Access::Write { region, offset, len, byte }),
        1 => any::<bool>().prop_map(Access::Reset),
    ]
}

fn perform(card: &Card, access: &Access) {
    match *access {
        Access::Config { distance, dword, value, enables } => {
            let target = RequesterId(pf().0.wrapping_add(distance));
            let kind = Card::kind(target);
            card.endpoint.config_write(kind, target, dword * 4, value, ByteEnables(enables));
        }
        Access::Write { region, offset, len, byte } => {
            let mut data = [0; 8];
            card.endpoint.write(region, offset, &[byte; 8][..len]);
            card.endpoint.read(region, offset, &mut data[..len]);
        }
        Access::Reset(true) => card.endpoint.reset(),
        Access::Reset(false) => card.endpoint.hot_reset(),
    }
}

/// Read-only registers and bits of a PF: (register, bits, value).
const FIXED: [(u16, u32, u32); 9] = [
    (0x00, u32::MAX, 0x1041_1af4),
    (0x04, 0x04ff_fab9, 0x0011_0000),
    (0x08, u32::MAX, 0x0200_0001),
    (0x18, 0x0000_3fff, 0xc),
    (0x34, u32::MAX, 0x40),
    (SRIOV, u32::MAX, 0x0001_0010),
    (SRIOV + 0x0c, u32::MAX, 0x0007_0007),
    (SRIOV + 0x1c, u32::MAX, 0x553),
    (SRIOV + 0x24, 0x0000_3fff, 0xc),
];

fn check(card: &Card) -> Result<(), TestCaseError> {
    let read = |register| card.read(pf(), register);
    for (register, bits, value) in FIXED {
        prop_assert_eq!(read(register) & bits, value, "{:#x}", register);
    }
    let (control, num_vfs) = (read(SRIOV + 8), read(SRIOV + 0x10) & 0xffff);
    let active = card.endpoint.active_vfs();
    prop_assert!(num_vfs <= 7);
    prop_assert_eq!(u32::from(active), if control & 1 != 0 { num_vfs } else { 0 });
    let page = read(SRIOV + 0x20);
    prop_assert!(page.is_power_of_two() && page & 0x553 != 0);
    let size = 0x4000.max(u64::from(page) << 12);
    prop_assert_eq!(u64::from(read(SRIOV + 0x24) & !0xf) % size, 0);

    let powered = read(0x44) & 3 == 0;
    for range in card.decoded() {
        prop_assert!(powered);
        prop_assert!(range.len != 0 && range.base.checked_add(range.len).is_some());
        match range.region {
            Region::Bar(_) => {
                prop_assert!(read(0x04) & 2 != 0);
                prop_assert_eq!((range.len, range.base.0 % 0x4000), (0x4000, 0));
            }
            Region::VfBar(_) => {
                prop_assert_eq!(control & 9, 9);
                prop_assert_eq!((range.len, range.base.0 % size), (size * u64::from(active), 0));
            }
        }
    }
    check_gates(card, powered, active)
}

fn check_gates(card: &Card, powered: bool, active: u16) -> Result<(), TestCaseError> {
    let pair = card.read(pf(), SRIOV + 0x14);
    prop_assert_eq!(card.is_open(0), powered && card.read(pf(), 4) & 4 != 0);
    for index in 0..7u16 {
        let id = RequesterId(pf().0 + (pair as u16) + (pair >> 16) as u16 * index);
        let exists = index < active;
        prop_assert_eq!(card.read(id, 8) == 0x0200_0001, exists);
        let own = exists && card.read(id, 4) & 4 != 0 && card.read(id, 0x44) & 3 == 0;
        prop_assert_eq!(card.is_open(usize::from(index) + 1), powered && own);
    }
    card.wire.take();
    Ok(())
}

proptest! {
    #[test]
    fn a_hostile_guest_breaks_nothing(accesses in prop::collection::vec(access(), 1..60)) {
        let card = Card::new(config(7));
        for access in &accesses {
            perform(&card, access);
            card.write(pf(), 0, 0); // captures the bus number again after a reset
            check(&card)?;
        }
    }
}

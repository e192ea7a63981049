//! Linux's own programming order, call by call.

use super::*;

const CONTROL: u16 = SRIOV + 0x08;

/// `__pci_size_bars`, then `pci_std_update_resource`.
fn size_and_place(card: &Card, register: u16, address: u64) -> u64 {
    let read = |at| u64::from(card.read(pf(), at));
    let original = (card.read(pf(), register), card.read(pf(), register + 4));
    card.write(pf(), register, u32::MAX);
    let low = read(register);
    card.write(pf(), register, original.0);
    card.write(pf(), register + 4, u32::MAX);
    let high = read(register + 4);
    card.write(pf(), register + 4, original.1);
    assert_eq!(low & 0xf, 0xc);
    let size = !(high << 32 | low & !0xf) + 1;
    card.write(pf(), register, address as u32);
    card.write(pf(), register + 4, (address >> 32) as u32);
    assert_eq!(read(register + 4) << 32 | read(register) & !0xf, address, "read-back");
    size
}

/// `pci_setup_device`, `sriov_init`, `sriov_enable`, `pci_iov_add_virtfn`, `sriov_disable`.
#[test]
fn scan_then_enable_then_disable() {
    let card = Card::new(config(63));
    card.write16(pf(), 0x04, 0x400);
    assert_eq!(card.read(pf(), 0x04) & 0xffff, 0x400, "INTx masking works");
    card.write16(pf(), 0x04, 0);
    assert_eq!(size_and_place(&card, 0x18, 0x80_0000_0000), 0x4000);
    assert_eq!(size_and_place(&card, 0x20, 0x80_0000_4000), 0x4000);

    assert_eq!(card.read(pf(), CONTROL) & 1, 0);
    card.write16(pf(), CONTROL, 0x10);
    let page_sizes = card.read(pf(), SRIOV + 0x1c);
    card.write(pf(), SRIOV + 0x20, page_sizes & page_sizes.wrapping_neg());
    for (register, address) in [(0x24, 0x81_0000_0000), (0x34, 0x82_0000_0000)] {
        assert_eq!(size_and_place(&card, SRIOV + register, address), 0x4000);
    }
    for count in (1..=63).rev() {
        card.write16(pf(), SRIOV + 0x10, count);
        let pair = card.read(pf(), SRIOV + 0x14);
        let (offset, stride) = (pair & 0xffff, pair >> 16);
        assert!(offset != 0 && stride != 0);
    }
    card.write16(pf(), SRIOV + 0x10, 0);
    card.write16(pf(), 0x04, 0x6);

    for _ in 0..2 {
        card.write16(pf(), SRIOV + 0x10, 63);
        assert_eq!(card.read(pf(), SRIOV + 0x0c), 63 << 16 | 63);
        assert_eq!(card.write16(pf(), CONTROL, 0x19), Effects::DECODE);
        for index in 0..63 {
            let vf = vf(index);
            assert_eq!(card.read(vf, 0x08), 0x0200_0001);
            assert_eq!(card.read(vf, 0x0c), 0);
            assert_eq!(card.read(vf, 0x2c), 0x1101_1af4);
            assert_eq!(card.read(vf, 0x3c), 0);
            assert_ne!(card.read(vf, 0x4c) & 1 << 28, 0, "FLR");
        }
        assert_eq!(card.decoded().len(), 4);
        assert_eq!(card.write16(pf(), CONTROL, 0x10), Effects::DECODE);
        card.write16(pf(), SRIOV + 0x10, 0);
        assert_eq!(card.decoded().len(), 2);
    }
}

/// `msix_capability_init`.
#[test]
fn msix_capability_init() {
    let card = Card::new(config(0));
    let table = |offset: u64, value: u32| {
        card.endpoint.write(Region::Bar(4), offset, &value.to_le_bytes());
    };
    card.write16(pf(), 0x86, 0xc000);
    for vector in 0..5u32 {
        let entry = u64::from(vector) * 16;
        table(entry, 0xfee0_0000);
        table(entry + 4, 0);
        table(entry + 8, 0x4020 + vector);
        table(entry + 12, 1);
    }
    card.write16(pf(), 0x04, 0x406);
    card.write16(pf(), 0x86, 0x8000);
    card.ports[0].msix.signal(3);
    assert_eq!(card.wire.take(), []);
    table(3 * 16 + 12, 0);
    card.ports[0].msix.signal(3);
    let sent: Vec<_> = card.wire.take().iter().map(|(id, message)| (*id, message.data)).collect();
    assert_eq!(sent, [(pf(), 0x4023), (pf(), 0x4023)]);
}

/// `pci_dev_save_and_disable`, `pcie_flr`, `pci_dev_restore` with `sriov_restore_state` on a PF with VFs.
#[test]
fn function_level_reset_and_restore() {
    let card = Card::new(config(7));
    card.write(pf(), 0x18, 0x8000_0000);
    card.write16(pf(), 0x04, 0x6);
    for register in [0x24, 0x34] {
        card.write(pf(), SRIOV + register, 0x9000_0000 + u32::from(register) * 0x10_0000);
    }
    card.enable_vfs(5);
    let header: Vec<_> = (0..16).map(|dword| card.read(pf(), dword * 4)).collect();
    let bars: Vec<_> = (0..6).map(|bar| card.read(pf(), SRIOV + 0x24 + bar * 4)).collect();
    let decoded = card.decoded();
    let device_control = card.read(pf(), 0x50) & 0xffff;

    card.write16(pf(), 0x04, 0x400);
    assert_eq!(card.read(pf(), 0x50) & 0x0020_0000, 0, "no transactions pending");
    card.write16(pf(), 0x50, device_control | 0x8000);
    assert_eq!(card.read(pf(), 0x04), 0x0011_0000, "ready at once");
    assert_eq!(card.read(pf(), 0x50) & 0x8000, 0);

    card.write16(pf(), 0x50, device_control);
    for dword in (4..16).rev() {
        card.write(pf(), dword * 4, header[usize::from(dword)]);
    }
    for (bar, value) in (0..).zip(&bars) {
        card.write(pf(), SRIOV + 0x24 + bar * 4, *value);
    }
    card.write16(pf(), CONTROL, 0x10);
    card.write(pf(), SRIOV + 0x20, 1);
    card.write16(pf(), SRIOV + 0x10, 5);
    card.write16(pf(), CONTROL, 0x19);
    card.write(pf(), 0x04, header[1]);
    assert_eq!(card.decoded(), decoded);
    assert_eq!((card.endpoint.active_vfs(), card.read(vf(4), 8)), (5, 0x0200_0001));
}

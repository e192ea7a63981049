mod errors;
mod gates;
mod interrupts;
mod linux;
mod random;
mod sriov;

use pando_tlp::{Gpa, Iova, RequesterId};

use super::*;
use crate::testing::{BUS, Call, Card, SRIOV, Wire, WireLink, bar, config, msix, pf, vf};

fn decoded(base: u64, len: u64, region: Region) -> Decoded {
    Decoded { base: Gpa(base), len, region }
}

#[test]
fn only_its_own_functions_answer() {
    let card = Card::new(config(7));
    assert_eq!(card.read(pf(), 0), 0x1041_1af4);
    assert_eq!(card.read(vf(0), 0), u32::MAX);
    assert_eq!(card.endpoint.config_read(ConfigKind::Type0, vf(0), 0), None);
    assert_eq!(card.endpoint.config_read(ConfigKind::Type1, pf(), 0), None);
    let elsewhere = RequesterId::new(9, 0);
    assert_eq!(card.endpoint.config_read(ConfigKind::Type0, elsewhere, 0), Some(0x1041_1af4));
    assert_eq!(card.endpoint.config_read(ConfigKind::Type1, elsewhere, 0), None);
    assert_eq!(card.endpoint.function(RequesterId(0)), Some(FunctionId::Pf));
}

#[test]
fn the_bus_number_is_captured_by_type_0_writes_alone() {
    let card = Card::new(config(7));
    assert_eq!(card.ports[0].dma.requester(), RequesterId(0));
    card.read(pf(), 0);
    assert_eq!(card.ports[0].dma.requester(), RequesterId(0));
    card.write(pf(), 0, 0);
    assert_eq!(card.ports[0].dma.requester(), pf());
    card.enable_vfs(7);
    assert_eq!(card.ports[7].dma.requester(), vf(6));
    let moved = RequesterId::new(8, 0);
    card.endpoint.config_write(ConfigKind::Type0, moved, 0, 0, ByteEnables(0));
    assert_eq!(card.ports[0].dma.requester(), moved);
    assert_eq!(card.ports[7].dma.requester(), RequesterId::new(8, 7));
}

#[test]
fn bars_decode_with_memory_space_enable_and_d0() {
    let card = Card::new(config(0));
    card.write(pf(), 0x18, 0x4000_0000);
    card.write(pf(), 0x1c, 0x1);
    card.write(pf(), 0x20, 0xffff_ffff);
    card.write(pf(), 0x24, 0xffff_ffff);
    assert_eq!(card.decoded(), []);
    assert_eq!(card.write16(pf(), 0x04, 0x2), Effects::DECODE);
    assert_eq!(
        card.decoded(),
        [decoded(0x1_4000_0000, 0x4000, Region::Bar(2))],
        "BAR 4 would wrap"
    );
    card.write(pf(), 0x24, 0x2);
    card.write(pf(), 0x20, 0x8000_0000);
    let both = [
        decoded(0x1_4000_0000, 0x4000, Region::Bar(2)),
        decoded(0x2_8000_0000, 0x4000, Region::Bar(4)),
    ];
    assert_eq!(card.decoded(), both);
    assert_eq!(card.write(pf(), 0x44, 3), Effects::DECODE);
    assert_eq!(card.decoded(), []);
    let mut data = [0; 4];
    card.endpoint.read(Region::Bar(2), 0, &mut data);
    assert_eq!((data, card.model.take()), ([0xff; 4], vec![]));
    assert_eq!(card.write(pf(), 0x44, 0), Effects::DECODE);
    assert_eq!(card.decoded(), both);
}

#[test]
fn accesses_are_parted_between_msix_and_model() {
    let card = Card::new(config(0));
    let mut data = [0; 4];
    card.endpoint.read(Region::Bar(4), 12, &mut data);
    assert_eq!(data, [1, 0, 0, 0]);
    card.endpoint.write(Region::Bar(4), 8, &[7, 0, 0, 0]);
    card.endpoint.read(Region::Bar(4), 8, &mut data);
    assert_eq!(data, [7, 0, 0, 0]);
    card.endpoint.read(Region::Bar(4), 0x1000, &mut data);
    assert_eq!(data, [0; 4]);
    card.endpoint.write(Region::Bar(4), 0x1000, &[0xff; 8]);
    assert_eq!(card.model.take(), []);
    card.endpoint.read(Region::Bar(4), 5 * 16, &mut data);
    card.endpoint.write(Region::Bar(2), 0x3ffc, &[1, 2, 3, 4]);
    let expected = [
        Call::Read(FunctionId::Pf, 4, 80, 4),
        Call::Write(FunctionId::Pf, 2, 0x3ffc, vec![1, 2, 3, 4]),
    ];
    assert_eq!(card.model.take(), expected);
    for (region, offset) in [
        (Region::Bar(2), 0x3ffd),
        (Region::Bar(2), 0x4000),
        (Region::Bar(2), u64::MAX),
        (Region::Bar(3), 0),
        (Region::Bar(200), 0),
        (Region::VfBar(0), 0),
    ] {
        card.endpoint.read(region, offset, &mut data);
        card.endpoint.write(region, offset, &data);
        assert_eq!((data, card.model.take()), ([0xff; 4], vec![]), "{region:?} {offset:#x}");
    }
}

#[test]
fn vendor_capabilities_belong_to_the_model() {
    let card = Card::new(config(0));
    assert_eq!(card.read(pf(), 0xb0), 0xfeed_f00d);
    card.write_sized(pf(), 0xa4, 4, 1);
    let calls = card.model.take();
    let Some(Call::VendorWrite(FunctionId::Pf, 1, 4, bytes)) = calls.first() else {
        panic!("{calls:?}")
    };
    assert_eq!((bytes.len(), &bytes[..8]), (20, &[9, 0, 20, 0, 4, 0, 0, 0][..]));
}

#[test]
fn doorbells_of_present_functions_in_their_windows() {
    let card = Card::new(config(7));
    let event = Arc::new(std::fs::File::open("/dev/null").unwrap().into());
    *card.model.doorbells.lock().unwrap() = vec![(4, 0x2000, event)];
    card.enable_vfs(2);
    card.write(vf(0), 0x44, 3);
    let mut doorbells = Vec::new();
    card.endpoint.doorbells(&mut doorbells);
    let places: Vec<_> = doorbells.iter().map(|bell| (bell.region, bell.offset)).collect();
    assert_eq!(places, [(Region::Bar(4), 0x2000), (Region::VfBar(4), 0x6000)]);
    assert!(*card.wire.doorbells.lock().unwrap() >= 2);
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let build = |config| {
        let model = Arc::new(crate::testing::Recorder::default());
        Endpoint::new(config, Arc::new(WireLink(Wire::new())), |_| model).err()
    };
    let with = |change: fn(&mut EndpointConfig)| {
        let mut config = config(7);
        change(&mut config);
        build(config)
    };
    assert_eq!(with(|_| ()), None);
    assert!(matches!(with(|c| c.link.lanes = 3), Some(ConfigError::Link { .. })));
    assert!(matches!(with(|c| c.resources.bars[0].size = 3), Some(ConfigError::Bar { .. })));
    assert_eq!(with(|c| c.resources.msi = Some(0)), Some(ConfigError::Msi(0)));
    assert_eq!(with(|c| c.resources.msi = Some(3)), Some(ConfigError::Msi(3)));
    assert_eq!(with(|c| c.resources.msi = Some(64)), Some(ConfigError::Msi(64)));
    assert!(matches!(with(|c| c.resources.msix = msix(0)), Some(ConfigError::Msix(_))));
    assert!(matches!(with(|c| c.resources.msix = msix(257)), Some(ConfigError::Msix(_))));
    assert!(matches!(
        with(|c| {
            c.resources.bars.pop();
        }),
        Some(ConfigError::Msix(_))
    ));
    let sriov = |change: fn(&mut crate::SriovConfig)| {
        let mut config = config(7);
        change(config.sriov.as_mut().unwrap());
        build(config)
    };
    assert!(matches!(sriov(|s| s.total_vfs = 0), Some(ConfigError::Sriov(_))));
    assert!(matches!(sriov(|s| s.with_ari.stride = 0), Some(ConfigError::Sriov(_))));
    assert!(matches!(sriov(|s| s.without_ari.offset = 2), Some(ConfigError::Sriov(_))));
    assert_eq!(sriov(|s| s.without_ari.offset = 1), None);
    assert!(matches!(sriov(|s| s.with_ari.offset = 0xfffe), Some(ConfigError::Sriov(_))));
    let small = sriov(|s| s.resources.bars = vec![bar(0, 0x800)]);
    assert!(matches!(small, Some(ConfigError::Bar { .. })));
    let late = with(|c| c.resources.offsets.aer = Some(0x140));
    assert_eq!(late, Some(ConfigError::Layout(crate::LayoutError::NoFirstExtended)));
}

#[test]
fn capabilities_lie_where_they_are_wanted() {
    let mut config = config(7);
    config.resources.vendor.clear();
    config.resources.offsets = crate::CapabilityOffsets {
        power_management: Some(0x40),
        pci_express: Some(0xa0),
        msi: Some(0x50),
        msix: Some(0x70),
        aer: Some(0x100),
        ari: Some(0x150),
        sriov: Some(0x160),
        ..Default::default()
    };
    (config.acs, config.serial_number) = (None, None);
    let card = Card::new(config);
    assert_eq!(card.read(pf(), 0x40) & 0xffff, 0xa001);
    assert_eq!(card.read(pf(), 0xa0) & 0xffff, 0x5010);
    assert_eq!(card.read(pf(), 0x50) & 0xffff, 0x7005);
    assert_eq!(card.read(pf(), 0x70) & 0xffff, 0x0011);
    assert_eq!(card.read(pf(), 0x150), 0x1601_000e);
    assert_eq!(card.read(pf(), 0x160), 0x0001_0010);
}

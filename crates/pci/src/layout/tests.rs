use super::*;

fn capability(id: u8, dwords: usize) -> Capability {
    Capability { id, registers: vec![Register::default(); dwords] }
}

fn extended(id: u16, dwords: usize) -> ExtendedCapability {
    ExtendedCapability { id, version: 1, registers: vec![Register::default(); dwords] }
}

#[test]
fn both_lists_are_linked_in_order() {
    let mut list = LayoutBuilder::new([Register::default(); 16]);
    assert_eq!(list.capability(None, capability(1, 2)), Ok(0x40));
    assert_eq!(list.capability(Some(0xa0), capability(0x10, 15)), Ok(0xa0));
    assert_eq!(list.capability(None, capability(0x11, 3)), Ok(0x48));
    assert_eq!(list.extended(None, extended(1, 11)), Ok(0x100));
    assert_eq!(list.extended(Some(0x160), extended(0x10, 16)), Ok(0x160));
    let layout = list.build();
    assert_eq!(layout.register(0x34).reset, 0x40);
    assert_eq!(layout.register(0x40).reset, 0xa001);
    assert_eq!(layout.register(0xa0).reset, 0x4810);
    assert_eq!(layout.register(0x48).reset, 0x0011);
    assert_eq!(layout.register(0x100).reset, 0x1601_0001);
    assert_eq!(layout.register(0x160).reset, 0x0001_0010);
    assert_eq!(layout.register(0xffc).reset, 0);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut list = LayoutBuilder::new([Register::default(); 16]);
    assert_eq!(
        list.capability(Some(0x3c), capability(1, 2)),
        Err(LayoutError::NoRoom { id: 1, offset: 0x3c })
    );
    assert_eq!(
        list.capability(Some(0x42), capability(1, 2)),
        Err(LayoutError::NoRoom { id: 1, offset: 0x42 })
    );
    assert_eq!(list.capability(Some(0x44), capability(1, 2)), Ok(0x44));
    assert_eq!(
        list.capability(Some(0x40), capability(5, 2)),
        Err(LayoutError::Overlap { id: 5, offset: 0x40 })
    );
    assert_eq!(
        list.capability(None, capability(9, 60)),
        Err(LayoutError::NoRoom { id: 9, offset: 0x100 })
    );
    assert_eq!(list.extended(Some(0x140), extended(1, 4)), Err(LayoutError::NoFirstExtended));
}

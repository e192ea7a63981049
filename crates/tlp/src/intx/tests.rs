use super::*;

/// Table 2-20: device number modulo 4, INTA to INTD.
#[test]
fn a_bridge_turns_wires_by_the_device_number() {
    let rows = [[0, 1, 2, 3], [1, 2, 3, 0], [2, 3, 0, 1], [3, 0, 1, 2]];
    for device in 0..32u8 {
        let turned = [0, 1, 2, 3].map(|wire| IntxWire::new(wire).swizzled(device).number());
        assert_eq!(turned, rows[usize::from(device % 4)], "device {device}");
    }
    assert_eq!([0, 3, 4, 255].map(|number| IntxWire::new(number).pin()), [1, 4, 1, 4]);
}

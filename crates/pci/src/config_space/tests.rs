use super::*;
use crate::layout::{LayoutBuilder, Register};

fn space(register: Register) -> ConfigSpace {
    let mut header = [Register::default(); 16];
    header[1] = register;
    ConfigSpace::new(LayoutBuilder::new(header).build())
}

#[test]
fn a_write_obeys_masks_and_byte_enables() {
    let register = Register::rw(0x1111_1111, 0x00ff_ff00).with_rw1c(0xf000_0000);
    for (value, enables, expected) in [
        (0xffff_ffff, 0b1111, 0x01ff_ff11),
        (0xffff_ffff, 0b0001, 0x1111_1111),
        (0xffff_ffff, 0b0010, 0x1111_ff11),
        (0xffff_ffff, 0b1000, 0x0111_1111),
        (0x0000_0000, 0b1111, 0x1100_0011),
        (0x2000_0000, 0b1000, 0x1111_1111),
        (0x0000_0000, 0b0000, 0x1111_1111),
    ] {
        let mut space = space(register);
        assert_eq!(space.write(4, value, ByteEnables(enables)), 0x1111_1111);
        assert_eq!(space.read(4), expected, "{value:#x} {enables:#b}");
    }
}

#[test]
fn each_reset_keeps_what_it_must() {
    let register = Register::rw(0, 0xff).with_sticky(0xf0).with_link(0x0c);
    for (reset, expected) in [(Reset::Cold, 0), (Reset::Hot, 0xf0), (Reset::Function, 0xfc)] {
        let mut space = space(register);
        space.write(4, 0xff, ByteEnables::ALL);
        space.reset(reset);
        assert_eq!(space.read(4), expected, "{reset:?}");
    }
}

#[test]
fn what_is_not_there_reads_zero_and_swallows_writes() {
    let mut space = space(Register::default());
    space.write(0xffc, u32::MAX, ByteEnables::ALL);
    assert_eq!(space.read(0xffc), 0);
}

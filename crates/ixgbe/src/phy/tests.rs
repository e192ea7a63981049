use super::*;

/// Linux's way: an address cycle, then a read or, with the data before it, a write.
fn read(phy: &Phy, address: u32, device: u32, register: u32) -> u16 {
    for cycle in [CYCLE_ADDRESS, 3] {
        let at = register | device << 16 | address << 21;
        phy.write(MSCA, at | cycle << CYCLE_SHIFT | MSCA_COMMAND).unwrap();
        assert_eq!(phy.read(MSCA).unwrap() & MSCA_COMMAND, 0);
    }
    (phy.read(MSRWD).unwrap() >> 16) as u16
}

fn write(phy: &Phy, device: u32, register: u32, value: u16) {
    phy.write(MSRWD, value.into()).unwrap();
    for cycle in [CYCLE_ADDRESS, CYCLE_WRITE] {
        phy.write(MSCA, register | device << 16 | cycle << CYCLE_SHIFT | MSCA_COMMAND).unwrap();
    }
}

#[test]
fn it_says_who_it_is() {
    let phy = Phy::default();
    let identifier = [2, 3].map(|register| read(&phy, 0, 1, register));
    assert_eq!(identifier, [0x0154, 0x0200]);
    assert_eq!(read(&phy, 0, 1, 8) >> 14, 0b10, "a device");
    assert_eq!(read(&phy, 0, 1, 4) & 1, 1, "10 Gbit/s");
    assert_eq!(read(&phy, 1, 1, 2), 0xffff, "nobody");
    assert_eq!(read(&phy, 0, 2, 8), 0, "no such device");
}

#[test]
fn it_keeps_what_drivers_set_and_no_more() {
    let phy = Phy::default();
    write(&phy, 7, 32, 0);
    write(&phy, 7, 0, 0x3200);
    assert_eq!((read(&phy, 0, 7, 32), read(&phy, 0, 7, 0)), (0, 0x3000), "restart is done");
    for register in 0..0x10000 {
        write(&phy, 30, register, 7);
    }
    assert_eq!((read(&phy, 0, 30, 0), read(&phy, 0, 30, 1)), (7, 0));
    write(&phy, 1, 2, 7);
    assert_eq!(read(&phy, 0, 1, 2), 0x0154);
    phy.reset();
    assert_eq!(read(&phy, 0, 7, 32), 0x1000);
}

use proptest::prelude::*;

use super::*;

/// The driver's BAR test: every dword of BARs 1 to 5, and the first of BAR 0.
#[test]
fn every_bar_keeps_what_is_written() {
    let registers = Registers::new(true);
    let value = 0xa0a0_a0a0_u32.to_le_bytes();
    let mut data = [0; 4];
    for bar in 1..6 {
        for offset in (0..MEMORY_SIZE).step_by(4) {
            registers.write(bar, offset, &value);
        }
    }
    registers.write(0, MAGIC, &value);
    for (bar, end) in [(0, 4), (1, MEMORY_SIZE), (5, MEMORY_SIZE)] {
        for offset in (0..end).step_by(4) {
            registers.read(bar, offset, &mut data);
            assert_eq!(data, value, "BAR {bar} at {offset:#x}");
        }
    }
    registers.reset();
    registers.read(3, 8, &mut data);
    assert_eq!(data, [0; 4]);
}

#[test]
fn registers_take_accesses_of_every_size() {
    let registers = Registers::new(true);
    registers.write(0, SOURCE, &0x1122_3344_5566_7788_u64.to_le_bytes());
    registers.write(0, SOURCE + 1, &[0xaa]);
    registers.write(0, SOURCE + 6, &[0xbb, 0xcc]);
    let mut data = [0; 8];
    registers.read(0, SOURCE, &mut data);
    assert_eq!(u64::from_le_bytes(data), 0xccbb_3344_5566_aa88);
    let mut capabilities = [0; 4];
    registers.write(0, CAPABILITIES, &[0xff; 4]);
    registers.read(0, CAPABILITIES, &mut capabilities);
    assert_eq!(u32::from_le_bytes(capabilities), CAPABLE | CAPABLE_PIN);
}

#[test]
fn a_command_that_is_none_begins_nothing() {
    let registers = Registers::new(true);
    assert!(!registers.write(0, COMMAND, &[0xc0, 0xff, 0xff, 0xff]));
    let mut data = [0; 4];
    registers.read(0, COMMAND, &mut data);
    assert_eq!((data, registers.job()), ([0; 4], None));
    assert!(registers.write(0, COMMAND, &COPY.to_le_bytes()));
    assert!(!registers.write(0, COMMAND, &READ.to_le_bytes()), "in line already");
}

#[test]
fn a_job_of_before_a_reset_changes_nothing() {
    let registers = Registers::new(true);
    registers.write(0, SIZE, &[16]);
    assert!(registers.write(0, COMMAND, &WRITE.to_le_bytes()));
    let (life, job) = registers.job().unwrap();
    registers.reset();
    registers.proceed(life, job);
    assert_eq!(registers.job(), None);
    assert!(!registers.write(0, COMMAND, &WRITE.to_le_bytes()), "still in line");
    assert_eq!(registers.end(life, End { status: 1, ..End::default() }), None);
    assert!(registers.job().is_some());
    assert!(registers.stays());
    registers.end(life + 1, End::default());
    assert!(!registers.stays());
}

/// The pin is asserted until the driver reads STATUS, or writes it without the bit, or a new command clears it.
#[test]
fn the_pin_stays_until_the_driver_has_seen_it() {
    let registers = Registers::new(true);
    let raise = || {
        registers.write(0, COMMAND, &RAISE_INTX.to_le_bytes());
        let (life, _) = registers.job().unwrap();
        assert_eq!(registers.end(life, End::default()), Some(Interrupt::Pin));
        registers.stays();
        assert!(registers.asserts_pin());
    };
    raise();
    registers.write(0, STATUS, &(IRQ_RAISED | READ_SUCCESS).to_le_bytes());
    assert!(registers.asserts_pin());
    registers.write(0, STATUS, &READ_SUCCESS.to_le_bytes());
    assert!(!registers.asserts_pin());
    raise();
    for (offset, sees) in [(COMMAND, false), (STATUS + 1, false), (STATUS, true), (STATUS, false)] {
        assert_eq!(registers.read(0, offset, &mut [0; 2]), sees, "at {offset}");
    }
    assert!(!registers.asserts_pin());
    raise();
    registers.write(0, COMMAND, &RAISE_INTX.to_le_bytes());
    assert!(!registers.asserts_pin());
    registers.reset();
    raise();
    registers.reset();
    assert!(!registers.asserts_pin());
}

/// Types and numbers that there are, and those that there aren't.
#[test]
fn interrupts_are_as_type_and_number_say() {
    for (kind, number, with_pin, without) in [
        (IRQ_INTX, 0, Some(Interrupt::Pin), None),
        (IRQ_INTX, 1, Some(Interrupt::Pin), None),
        (IRQ_MSI, 0, None, None),
        (IRQ_MSI, 32, Some(Interrupt::Msi(31)), Some(Interrupt::Msi(31))),
        (IRQ_MSI, 33, None, None),
        (IRQ_MSIX, 8, Some(Interrupt::Msix(7)), Some(Interrupt::Msix(7))),
        (IRQ_MSIX, 9, None, None),
        (IRQ_MSIX, u32::MAX, None, None),
        (3, 1, None, None),
    ] {
        for (has_pin, expected) in [(true, with_pin), (false, without)] {
            let registers = Registers::new(has_pin);
            registers.write(0, IRQ_TYPE, &kind.to_le_bytes());
            registers.write(0, IRQ_NUMBER, &number.to_le_bytes());
            registers.write(0, COMMAND, &RAISE_MSI.to_le_bytes());
            let (life, _) = registers.job().unwrap();
            assert_eq!(
                registers.end(life, End::default()),
                expected,
                "type {kind} number {number}"
            );
            let mut status = [0; 4];
            registers.read(0, STATUS, &mut status);
            assert_eq!(u32::from_le_bytes(status) == IRQ_RAISED, expected.is_some());
        }
    }
}

proptest! {
    /// No access does anything but keep values; none panics.
    #[test]
    fn any_access_is_survived(
        accesses in prop::collection::vec((0..8_u8, any::<u64>(), any::<bool>(), any::<u64>()), 64),
    ) {
        let registers = Registers::new(true);
        for (bar, offset, near, value) in accesses {
            let offset = if near { offset % 0x40 } else { offset };
            for size in [1, 2, 4, 8] {
                registers.write(bar, offset.min(u64::MAX - 8), &value.to_le_bytes()[..size]);
                registers.read(bar, offset.min(u64::MAX - 8), &mut [0; 8][..size]);
            }
        }
    }
}

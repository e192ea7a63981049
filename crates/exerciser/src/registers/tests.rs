use proptest::prelude::*;

use super::*;

/// The driver's BAR test: every dword of BARs 1 to 5, and the first of BAR 0.
#[test]
fn every_bar_keeps_what_is_written() {
    let registers = Registers::default();
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
    let registers = Registers::default();
    registers.write(0, SOURCE, &0x1122_3344_5566_7788_u64.to_le_bytes());
    registers.write(0, SOURCE + 1, &[0xaa]);
    registers.write(0, SOURCE + 6, &[0xbb, 0xcc]);
    let mut data = [0; 8];
    registers.read(0, SOURCE, &mut data);
    assert_eq!(u64::from_le_bytes(data), 0xccbb_3344_5566_aa88);
    let mut capabilities = [0; 4];
    registers.write(0, CAPABILITIES, &[0xff; 4]);
    registers.read(0, CAPABILITIES, &mut capabilities);
    assert_eq!(u32::from_le_bytes(capabilities), CAPABLE);
}

#[test]
fn a_command_that_is_none_begins_nothing() {
    let registers = Registers::default();
    assert!(!registers.write(0, COMMAND, &[0xc3, 0xff, 0xff, 0xff]));
    let mut data = [0; 4];
    registers.read(0, COMMAND, &mut data);
    assert_eq!((data, registers.job()), ([0; 4], None));
    assert!(registers.write(0, COMMAND, &COPY.to_le_bytes()));
    assert!(!registers.write(0, COMMAND, &READ.to_le_bytes()), "in line already");
}

#[test]
fn a_job_of_before_a_reset_changes_nothing() {
    let registers = Registers::default();
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

proptest! {
    /// No access does anything but keep values; none panics.
    #[test]
    fn any_access_is_survived(
        accesses in prop::collection::vec((0..8_u8, any::<u64>(), any::<bool>(), any::<u64>()), 64),
    ) {
        let registers = Registers::default();
        for (bar, offset, near, value) in accesses {
            let offset = if near { offset % 0x40 } else { offset };
            for size in [1, 2, 4, 8] {
                registers.write(bar, offset.min(u64::MAX - 8), &value.to_le_bytes()[..size]);
                registers.read(bar, offset.min(u64::MAX - 8), &mut [0; 8][..size]);
            }
        }
    }
}

//! Blocks of registers.

use super::*;

#[test]
fn masks() {
    let (tx, rx) = (TxRegisters::default(), RxRegisters::default());
    for offset in [BASE_LOW, BASE_HIGH, LENGTH, DCA, HEAD, TAIL, CONTROL] {
        tx.write(offset, u32::MAX);
        rx.write(offset, u32::MAX);
        assert_eq!(tx.read(offset), rx.read(offset), "{offset:#x}");
    }
    assert_eq!(tx.read(BASE_LOW), 0xffff_ff80);
    assert_eq!(tx.read(LENGTH), 0x000f_ff80);
    assert_eq!((tx.read(HEAD), tx.read(TAIL)), (0xffff, 0xffff));
    assert_eq!(tx.read(CONTROL), !FLUSH);
    assert_eq!(tx.ring(), Ring { base: Iova(0xffff_ffff_ffff_ff80), descriptors: 0xfff8 });
    assert_eq!((tx.read(SRRCTL), rx.read(SRRCTL)), (0, SRRCTL_RESET));
    tx.write(0x30, 5);
    assert_eq!(tx.read(0x30), 0);
}

/// What was in the ring before the queue was enabled isn't work: the driver must say so anew.
#[test]
fn work_needs_a_tail_after_the_enable_bit() {
    let tx = TxRegisters::default();
    assert_eq!(tx.write(TAIL, 5), Touched::Tail);
    assert_eq!(tx.write(CONTROL, ENABLE), Touched::Control);
    assert!(tx.is_enabled() && !tx.has_work());
    tx.write(TAIL, 5);
    assert!(tx.has_work());
    tx.write(CONTROL, 0);
    assert!(!tx.has_work());
    tx.write(CONTROL, ENABLE);
    assert!(!tx.has_work(), "an enable pulse");
    tx.write(TAIL, 6);
    tx.reset();
    assert!(!tx.has_work());
    assert_eq!((tx.tail(), tx.head()), (0, 0));
}

#[test]
fn head_write_back() {
    let tx = TxRegisters::default();
    tx.write(WRITE_BACK_HIGH, 1);
    tx.write(WRITE_BACK_LOW, 0x1000);
    assert_eq!(tx.write_back(), None);
    tx.write(WRITE_BACK_LOW, 0x1001);
    assert_eq!(tx.write_back(), Some(Iova(0x1_0000_1000)));
}

#[test]
fn indices() {
    assert_eq!(QueueIndex::all().count(), QUEUES);
    assert_eq!(QueueIndex::new(127).map(QueueIndex::get), Some(127));
    assert_eq!(QueueIndex::new(128), None);
    assert_eq!(QueueIndex::new(0x1_0000), None);
}

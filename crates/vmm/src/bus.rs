//! Who answers at a guest physical address: a fixed, sorted table, asked without a lock.
//!
//! What isn't there reads all ones and swallows writes.

use std::sync::Arc;

use pando_firmware::Range;
use pando_tlp::Mmio;

/// The table; built once, before the first vCPU runs.
#[derive(Default)]
pub struct Bus {
    windows: Vec<(Range, Arc<dyn Mmio>)>,
}

impl Bus {
    /// A table of non-overlapping windows.
    pub fn new(mut windows: Vec<(Range, Arc<dyn Mmio>)>) -> Self {
        windows.sort_by_key(|(range, _)| range.base);
        debug_assert!(windows.windows(2).all(|pair| pair[0].0.end() <= pair[1].0.base));
        Self { windows }
    }

    /// A guest's read.
    pub fn read(&self, address: u64, data: &mut [u8]) {
        match self.find(address, data.len()) {
            Some((window, offset)) if data.len().is_power_of_two() => window.read(offset, data),
            _ if data.len() > 1 => self.read_bytes(address, data),
            _ => data.fill(0xff),
        }
    }

    /// A guest's write.
    pub fn write(&self, address: u64, data: &[u8]) {
        match self.find(address, data.len()) {
            Some((window, offset)) if data.len().is_power_of_two() => window.write(offset, data),
            _ if data.len() > 1 => self.write_bytes(address, data),
            _ => {}
        }
    }

    /// Accesses of odd length, or across the end of a window: byte by byte.
    #[cold]
    fn read_bytes(&self, address: u64, data: &mut [u8]) {
        for (index, byte) in data.iter_mut().enumerate() {
            self.read(address.wrapping_add(index as u64), std::slice::from_mut(byte));
        }
    }

    #[cold]
    fn write_bytes(&self, address: u64, data: &[u8]) {
        for (index, byte) in data.iter().enumerate() {
            self.write(address.wrapping_add(index as u64), std::slice::from_ref(byte));
        }
    }

    fn find(&self, address: u64, length: usize) -> Option<(&dyn Mmio, u64)> {
        let behind = self.windows.partition_point(|(range, _)| range.base <= address);
        let (range, window) = &self.windows[behind.checked_sub(1)?];
        let end = address.checked_add(length as u64)?;
        (end <= range.end()).then(|| (&**window, address - range.base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<(u64, Vec<u8>)>>);

    impl Mmio for Recorder {
        fn read(&self, offset: u64, data: &mut [u8]) {
            data.fill(offset as u8);
        }
        fn write(&self, offset: u64, data: &[u8]) {
            self.0.lock().unwrap().push((offset, data.to_vec()));
        }
    }

    fn bus() -> (Bus, Arc<Recorder>) {
        let recorder = Arc::new(Recorder::default());
        let window = Range { base: 0x1000, size: 0x100 };
        (Bus::new(vec![(window, recorder.clone())]), recorder)
    }

    #[test]
    fn a_hole_reads_all_ones() {
        let (bus, recorder) = bus();
        for address in [0, 0xfff, 0x1100, u64::MAX - 1, u64::MAX] {
            let mut data = [0; 1];
            bus.read(address, &mut data);
            assert_eq!(data, [0xff], "{address:#x}");
            bus.write(address, &[1]);
        }
        assert_eq!(*recorder.0.lock().unwrap(), []);
    }

    #[test]
    fn whole_accesses_reach_the_window_in_one_piece() {
        let (bus, recorder) = bus();
        bus.write(0x10fc, &[1, 2, 3, 4]);
        assert_eq!(*recorder.0.lock().unwrap(), [(0xfc, vec![1, 2, 3, 4])]);
    }

    #[test]
    fn odd_lengths_and_the_windows_edge_are_split() {
        let (bus, recorder) = bus();
        let mut data = [0; 4];
        bus.read(0x10fe, &mut data);
        assert_eq!(data, [0xfe, 0xff, 0xff, 0xff]);
        bus.write(0x1000, &[7, 8, 9]);
        let expected = [(0, vec![7]), (1, vec![8]), (2, vec![9])];
        assert_eq!(*recorder.0.lock().unwrap(), expected);
    }
}

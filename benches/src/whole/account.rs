//! What a VMM's process uses, as the kernel counts it: memory beside the guest's, and time beside the guest's (proc(5)).

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Ticks of the times in /proc/PID/stat, per second.
const TICKS: u64 = 100;

/// Memory in KiB, without the guest's RAM.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) proportional: u64,
    pub(crate) resident: u64,
}

impl Memory {
    /// Of process `id`: every mapping but the memory file that is the guest's RAM.
    pub(crate) fn of(id: u32) -> Result<Self> {
        let text = fs::read_to_string(format!("/proc/{id}/smaps"));
        Ok(Self::count(&text.context("cannot read the VMM's memory map")?))
    }

    fn count(smaps: &str) -> Self {
        let mut memory = Self::default();
        let mut is_guest = false;
        for line in smaps.lines() {
            let mut words = line.split_whitespace();
            let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
            if !first.ends_with(':') {
                is_guest = line.contains("/memfd:");
            } else if !is_guest {
                let size = || second.parse().unwrap_or(0);
                match first {
                    "Pss:" => memory.proportional += size(),
                    "Rss:" => memory.resident += size(),
                    _ => {}
                }
            }
        }
        memory
    }
}

/// Time that process `id` has spent in its own code, in all threads: user time without the guest's, which the kernel counts into it.
pub(crate) fn own_time(id: u32) -> Result<Duration> {
    let tasks =
        fs::read_dir(format!("/proc/{id}/task")).context("cannot list the VMM's threads")?;
    let mut ticks = 0;
    for task in tasks.flatten() {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        ticks += own_ticks(&stat).unwrap_or(0);
    }
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// Fields 14 (utime) and 43 (guest_time) of a stat line; the name in field 2 may hold blanks.
fn own_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(field(14)?.saturating_sub(field(43)?))
}

#[cfg(test)]
mod tests {
    use super::{Memory, own_ticks};

    #[test]
    fn guest_memory_does_not_count() {
        let smaps = "55a0-55b0 r-xp 0 00:00 1 /bin/pando\nRss: 100 kB\nPss: 50 kB\n\
                     7f00-7f10 rw-s 0 00:01 2 /memfd:guest (deleted)\nRss: 9000 kB\nPss: 9000 kB\n\
                     7f20-7f30 rw-p 0 00:00 0\nRss: 8 kB\nPss: 8 kB\n";
        let memory = Memory::count(smaps);
        assert_eq!((memory.proportional, memory.resident), (58, 108));
    }

    #[test]
    fn guest_time_is_part_of_user_time() {
        let rest: Vec<_> = (3..=52).map(|field| field.to_string()).collect();
        let stat = format!("1 (a (b) c) {}", rest.join(" "));
        assert_eq!(own_ticks(&stat), Some(0), "14 - 43");
        let stat = stat.replace(" 43 ", " 4 ");
        assert_eq!(own_ticks(&stat), Some(10));
    }
}

//! Decides whether this machine can run a guest itself or needs the nested L1.
//!
//! The CPU flags decide: a /dev/kvm may open and yet only interpret guest kernels, far too slowly to boot one.

use std::fs::OpenOptions;

use rustix::thread::CpuSet;

use crate::ui;

/// How guests run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// On this machine's own KVM.
    Direct,
    /// Inside an L1 Linux under QEMU's TCG, whose emulated CPU has SVM.
    Nested,
}

impl Way {
    /// Looks at this machine, says in one line which way it is and why.
    pub(crate) fn choose() -> Self {
        let (way, why) = Self::find();
        match way {
            Self::Direct => ui::say(&format!("guests run directly: {why}")),
            Self::Nested => ui::say(&format!("guests run nested in an emulated machine: {why}")),
        }
        way
    }

    /// The way, and the reason for it.
    pub(crate) fn find() -> (Self, String) {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        judge(virtualization_flag(&cpuinfo), open_kvm())
    }
}

/// Whether bare-metal payloads can run here, though kernels may be too much.
pub(crate) fn kvm_opens() -> bool {
    open_kvm().is_ok()
}

/// The processors that this process may run on.
pub(crate) fn cores() -> Vec<usize> {
    let allowed = rustix::thread::sched_getaffinity(None);
    let allowed =
        allowed.map(|set| (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect());
    allowed.unwrap_or_else(|_| vec![0])
}

/// Memory that programs could have now, in MiB.
pub(crate) fn free_memory() -> u64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

fn open_kvm() -> std::io::Result<()> {
    OpenOptions::new().read(true).write(true).open("/dev/kvm").map(drop)
}

fn judge(flag: Option<&str>, kvm: std::io::Result<()>) -> (Way, String) {
    match (flag, kvm) {
        (Some(flag), Ok(())) => (Way::Direct, format!("the CPU has {flag} and /dev/kvm opens")),
        (Some(flag), Err(error)) => (
            Way::Nested,
            format!(
                "the CPU has {flag}, but /dev/kvm does not open ({error}); is your user in group kvm?"
            ),
        ),
        (None, Ok(())) => (
            Way::Nested,
            "the CPU has neither svm nor vmx, so its /dev/kvm only interprets".to_owned(),
        ),
        (None, Err(_)) => (Way::Nested, "the CPU has neither svm nor vmx".to_owned()),
    }
}

fn virtualization_flag(cpuinfo: &str) -> Option<&'static str> {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    ["svm", "vmx"].into_iter().find(|flag| flags.split_whitespace().any(|word| word == *flag))
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::{Way, judge, virtualization_flag};

    #[test]
    fn only_a_whole_word_is_a_flag() {
        assert_eq!(virtualization_flag("flags\t: fpu svm_lock vmx_not\n"), None);
        assert_eq!(virtualization_flag("model name: svm\nflags\t: fpu vmx\n"), Some("vmx"));
        assert_eq!(virtualization_flag("flags\t: fpu svm npt\n"), Some("svm"));
    }

    #[test]
    fn a_device_that_opens_is_not_enough() {
        let refused = || Err(Error::from(ErrorKind::PermissionDenied));
        assert_eq!(judge(Some("svm"), Ok(())).0, Way::Direct);
        assert_eq!(judge(None, Ok(())).0, Way::Nested);
        assert_eq!(judge(None, refused()).0, Way::Nested);
        let (way, why) = judge(Some("vmx"), refused());
        assert_eq!(way, Way::Nested);
        assert!(why.contains("group kvm"), "{why}");
    }
}

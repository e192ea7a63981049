//! A host that lacks something: the message says what, and what to do next.
//!
//! Each test makes such a host out of this one, in a mount namespace of its own: with other files in /dev, with a /proc/cpuinfo
//! of another processor, or without capabilities.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use super::said;
use crate::suite::{nic, payload};
use crate::test::{Context, Test, alone};

/// Nothing is in /dev but /dev/shm, where the test's own files may be.
const BARE: &str = "mount -t tmpfs none /mnt && mkdir /mnt/shm && mount --bind /dev/shm /mnt/shm && mount --move /mnt /dev";

/// The devices that Pando needs, open to everyone.
const OPEN: &str =
    "mkdir /dev/net && mknod -m 666 /dev/kvm c 10 232 && mknod -m 666 /dev/net/tun c 10 200";

/// What follows runs without capabilities, though as the files' owner.
const POWERLESS: &str = "exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";

const ALMIGHTY: &str = "exec \"$@\"";

pub(super) fn tests() -> Vec<Test> {
    vec![
        alone("input::no_kvm", |context| {
            let words = ["there is no /dev/kvm", "cargo xtask nested"];
            refused(context, &[BARE, ALMIGHTY], &payload_run(context)?, &words)
        }),
        alone("input::kvm_without_permission", |context| {
            let setup = [BARE, "mknod -m 000 /dev/kvm c 10 232", POWERLESS];
            let words = ["/dev/kvm cannot be opened", "Permission denied", "usermod -aG kvm"];
            refused(context, &setup, &payload_run(context)?, &words)
        }),
        alone("input::kvm_only_interprets", |context| {
            let cpuinfo = context.folder.join("cpuinfo");
            fs::write(&cpuinfo, "processor\t: 0\nflags\t\t: fpu sse2 hypervisor\n")?;
            let setup = format!("mount --bind '{}' /proc/cpuinfo", cpuinfo.display());
            let kernel = context.kernel.to_string_lossy();
            let words = ["neither svm nor vmx", "cargo xtask nested", "ELF payloads run here"];
            refused(context, &[&setup, ALMIGHTY], &["--kernel", &kernel], &words)
        }),
        alone("input::initrd_beyond_memory", |context| {
            let initrd = context.folder.join("initrd");
            fs::File::create(&initrd)?.set_len(1 << 30)?;
            let initrd = initrd.to_string_lossy().into_owned();
            let mut run = payload_run(context)?;
            run.extend(["--initrd".into(), initrd.clone(), "--memory".into(), "128MiB".into()]);
            refused(context, &[ALMIGHTY], &run, &[&initrd, "1024 MiB", "give more --memory"])
        }),
        alone("input::tap_without_permission", |context| {
            let words = ["no permission", "`tap9`", "ip tuntap add dev tap9 mode tap user"];
            with_tap(context, &[BARE, OPEN, POWERLESS], &words)
        }),
        alone("input::no_tun", |context| {
            let kvm = "mknod -m 666 /dev/kvm c 10 232";
            with_tap(context, &[BARE, kvm, ALMIGHTY], &["/dev/net/tun", "modprobe tun"])
        }),
        alone("input::uplink_is_no_tap", |context| {
            // every network namespace has an interface of this name
            let platform = nic("vfs = 7\nuplink = { tap = \"lo\" }");
            fs::write(context.folder.join("tap.toml"), platform)?;
            let words = ["`lo` exists, but is no tap", "choose another name"];
            refused(context, &[BARE, OPEN, ALMIGHTY], &tap_run(context)?, &words)
        }),
    ]
}

/// The options that boot a payload, which runs on any KVM.
fn payload_run(context: &Context) -> Result<Vec<String>> {
    let elf = context.folder.join("payload.elf");
    fs::write(&elf, payload::POWER_ON)?;
    Ok(vec!["--kernel".into(), elf.to_string_lossy().into_owned()])
}

/// The same with the platform file `tap.toml`.
fn tap_run(context: &Context) -> Result<Vec<String>> {
    let mut run = payload_run(context)?;
    let platform = context.folder.join("tap.toml");
    run.extend(["--platform".into(), platform.to_string_lossy().into_owned()]);
    Ok(run)
}

/// A platform with an uplink to `tap9` is not started.
fn with_tap(context: &Context, setup: &[&str], words: &[&str]) -> Result<()> {
    fs::write(context.folder.join("tap.toml"), nic("vfs = 7\nuplink = { tap = \"tap9\" }"))?;
    refused(context, setup, &tap_run(context)?, words)
}

/// `pando run` with these options, on a host made by these lines of sh, gives one line with all these words.
fn refused(
    context: &Context,
    setup: &[&str],
    options: &[impl AsRef<std::ffi::OsStr>],
    words: &[&str],
) -> Result<()> {
    let mut run = Command::new("unshare");
    run.args(["--mount", "sh", "-c", &setup.join(" && "), "sh"]);
    run.args(["timeout", "--kill-after=1", "60"]).arg(context.pando);
    let (success, said) = said(run.args(["run", "--serial", "none"]).args(options))?;
    ensure!(!success, "`pando run` ended with status 0: {said}");
    ensure!(said.starts_with("pando: "), "not only Pando's own message: {said}");
    ensure!(said.trim_end().lines().count() == 1, "more than one line: {said}");
    for word in words {
        ensure!(said.contains(word), "no '{word}' in: {said}");
    }
    Ok(())
}

//! A user's mistake gives a non-zero exit status and a message that says what is wrong.

mod host;

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::{PLATFORM, nic};
use crate::test::{Context, Test, alone};

pub(super) fn tests() -> Vec<Test> {
    let mut tests = vec![
        alone("input::check_accepts", |context| {
            let (success, said) = check(context, PLATFORM)?;
            ensure!(success && said.contains("nic0"), "`pando check` said: {said}");
            Ok(())
        }),
        alone("input::unknown_key", |context| {
            refused(context, &nic("vfs = 7\nspeed = 3"), "speed")
        }),
        alone("input::wrong_type", |context| refused(context, &nic("vfs = \"many\""), "vfs")),
        alone("input::too_many_vfs", |context| refused(context, &nic("vfs = 100000"), "vfs")),
        alone("input::unknown_parent", |context| {
            refused(context, &PLATFORM.replace("at = \"dp0\"", "at = \"dp9\""), "dp9")
        }),
        alone("input::two_at_one_port", |context| {
            let (_, card) = PLATFORM.split_once("[[nic]]").context("the platform has a NIC")?;
            refused(context, &format!("{PLATFORM}\n[[nic]]{}", card.replace("nic0", "nic1")), "dp0")
        }),
        alone("input::no_kernel", |context| {
            start_fails(context, "/nowhere/vmlinuz", "/nowhere/vmlinuz")
        }),
        alone("input::not_a_kernel", |context| {
            let file = context.folder.join("text");
            fs::write(&file, "this is no kernel\n".repeat(1000))?;
            start_fails(context, &file.to_string_lossy(), "kernel")
        }),
        alone("input::half_a_kernel", |context| {
            let file = context.folder.join("half");
            let whole = fs::read(context.kernel)?;
            fs::write(&file, &whole[..whole.len() / 2])?;
            start_fails(context, &file.to_string_lossy(), "half")
        }),
    ];
    tests.extend(host::tests());
    tests
}

/// Exit status and words of `pando check`.
fn check(context: &Context, platform: &str) -> Result<(bool, String)> {
    let file = context.folder.join("platform.toml");
    fs::write(&file, platform)?;
    said(Command::new(context.pando).arg("check").arg(&file))
}

/// The platform file is refused, with its name and line, and a word that names the mistake.
fn refused(context: &Context, platform: &str, word: &str) -> Result<()> {
    let (success, said) = check(context, platform)?;
    ensure!(!success, "`pando check` accepted it: {said}");
    ensure!(said.contains("platform.toml:"), "no file and line in: {said}");
    ensure!(said.contains(word), "no '{word}' in: {said}");
    ensure!(!said.contains("panicked"), "a panic: {said}");
    Ok(())
}

/// `pando run` does not start this kernel, and says so with this word.
fn start_fails(context: &Context, kernel: &str, word: &str) -> Result<()> {
    let file = context.folder.join("platform.toml");
    fs::write(&file, PLATFORM)?;
    let mut run = Command::new("timeout");
    run.args(["--kill-after=1", "60"]).arg(context.pando).arg("run").arg("--platform").arg(&file);
    let (success, said) = said(run.args(["--kernel", kernel]).args(["--serial", "none"]))?;
    ensure!(!success, "`pando run` ended with status 0: {said}");
    ensure!(said.contains(word), "no '{word}' in: {said}");
    ensure!(!said.contains("panicked"), "a panic: {said}");
    Ok(())
}

fn said(command: &mut Command) -> Result<(bool, String)> {
    let output = command.stdin(Stdio::null()).output().context("cannot run pando")?;
    ensure!(output.status.code() != Some(124), "it hangs"); // timeout's own status
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

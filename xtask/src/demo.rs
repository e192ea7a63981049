//! `cargo xtask demo`: Debian's own kernel on Pando, its VFs and their traffic, as it goes.

use std::ffi::OsString;
use std::fs;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use guest_tests::overlay;

use crate::host::{self, Way};
use crate::kernels::{self, Series};
use crate::ui::{self, Step};
use crate::{build, cli, initramfs, nested, packages, paths};

const PLATFORM: &str = include_str!("demo/platform.toml");
const GUEST: &str = include_str!("demo/guest.sh");
const HOST: &str = include_str!("demo/host.sh");

/// Runs the demo, or its shell.
pub(crate) fn run(options: &cli::Demo) -> Result<ExitCode> {
    let start = Instant::now();
    build::release_pando()?;
    packages::ensure(packages::GUEST)?;
    let command = command(options.shell)?;
    let status = match Way::choose() {
        Way::Direct => directly(&command)?,
        Way::Nested => {
            let stdout = Box::new(stdout());
            nested::run(nested::Job {
                command,
                memory: nested::MEMORY.into(),
                core: host::cores().pop(), // surer; with one vCPU it is fast enough
                with_stdin: options.shell,
                stdout,
            })?
        }
    };
    ensure!(status == 0, "the demo failed; its last lines say where");
    ui::say(&format!(
        "done in {:.0} s; `cargo xtask demo --shell` lets you look around",
        start.elapsed().as_secs_f32()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The host's part of the demo: a tap for the uplink, and Pando.
fn command(shell: bool) -> Result<Vec<OsString>> {
    let kernel = kernels::get(Series::Stable, false)?;
    let folder = paths::guest("demo")?;
    let place = |name: &str| folder.join(name);
    fs::write(place("platform.toml"), PLATFORM)?;
    fs::write(place("host.sh"), HOST)?;
    fs::write(place("initrd"), initrd(&kernel.guest_modules(), shell)?)?;
    let files =
        [place("host.sh"), build::pando(), kernel.image(), place("initrd"), place("platform.toml")];
    Ok(["bash".into()].into_iter().chain(files.map(PathBuf::into_os_string)).collect())
}

fn initrd(modules: &Path, shell: bool) -> Result<Vec<u8>> {
    let step = Step::start("preparing the guest");
    let colours = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let script = format!("shell={} colours={}\n{GUEST}", u8::from(shell), u8::from(colours));
    let mut initrd = fs::read(initramfs::tools()?)?;
    initrd.extend(fs::read(modules)?);
    initrd.extend(overlay::build(&script, &[], None));
    step.done();
    Ok(initrd)
}

/// In a network namespace of its own, so that the tap disturbs nothing; anyone but root gets the right to it from a user
/// namespace.
fn directly(command: &[OsString]) -> Result<i32> {
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.args(["--user", "--map-root-user"]);
    }
    let status = unshare.arg("--net").args(command).status();
    status
        .context("cannot run unshare of Debian's package util-linux")?
        .code()
        .context("the demo was killed")
}

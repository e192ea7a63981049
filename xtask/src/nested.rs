//! `cargo xtask nested`: runs a command in an L1 Linux with KVM, on a machine whose CPU has no virtualization.
//!
//! L1 is Debian's 6.1 kernel under QEMU's TCG, which emulates a CPU with SVM. It sees the host's whole file system over
//! 9p, so host programs run in it unchanged; the job's stdio travels through virtio-serial ports byte by byte.

mod job;
mod streams;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, IsTerminal, Write, stderr, stdin, stdout};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use guest_tests::cpio::Archive;

use self::job::Folder;
use self::streams::Port;
use crate::kernels::{self, Kernel, Series};
use crate::ui::{self, Step};
use crate::{initramfs, packages, qemu};

const INIT: &str = include_str!("nested/init.sh");

/// mitigations=off saves a third of the boot time; nothing in L1 needs protection from the job.
/// The time stamp counter is the host's own and to be relied on. Where the host is busy the kernel would come to doubt it, and read the time
/// from an emulated HPET instead: a processor of L1 then waits for QEMU's lock each time anybody asks what time it is.
const COMMAND_LINE: &str =
    "console=ttyS0 mitigations=off tsc=reliable loglevel=3 panic=-1 rdinit=/init";

/// L1 takes 3 s on a quiet machine.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// QEMU says this of each feature of the CPU model that TCG lacks, at every start.
const MISSING_FEATURE: &str = "TCG doesn't support requested feature";

/// L1 gives a sign of life every 20 s. Under TCG it happens that it doesn't any more: both processors then wait for an
/// interrupt that QEMU never delivers.
const SILENCE: Duration = Duration::from_secs(180);

/// What to run in L1, and with which stdio.
pub(crate) struct Job {
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
    /// L1's memory, as QEMU writes it.
    pub(crate) memory: String,
    /// The host's processor that L1's only one runs on; without it, L1 has two that run anywhere, and [the newest QEMU](qemu::newest)
    /// emulates them: with this machine's, older one a few guests in a hundred die or wait for ever unless all of QEMU's threads
    /// are on one processor.
    pub(crate) core: Option<usize>,
    /// Whether the job reads this process's stdin; without it, it reads an empty one.
    pub(crate) with_stdin: bool,
    /// Where its stdout goes.
    pub(crate) stdout: Box<dyn Write + Send>,
}

/// L1's memory unless the developer says otherwise.
pub(crate) const MEMORY: &str = "3G";

/// Gets what nested machines need, and returns their kernel. Whoever runs several at once calls it before.
pub(crate) fn prepare() -> Result<Kernel> {
    packages::ensure(packages::GUEST)?;
    packages::ensure(packages::NESTED)?;
    kernels::get(Series::Stable, false)
}

/// Runs the job and returns its exit status.
pub(crate) fn run(job: Job) -> Result<i32> {
    let kernel = prepare()?;
    let folder = Folder::new(&job.command)?;
    let initrd = folder.path().join("initrd");
    fs::write(&initrd, [initrd_head()?, fs::read(kernel.nested_modules())?].concat())?;
    let interactive = job.with_stdin && stdin().is_terminal() && stdout().is_terminal();
    let mut machine = Machine { qemu: qemu(&kernel, &folder, &job)?, folder };
    if interactive { machine.on_terminal() } else { machine.on_pipes(job) }
}

/// Init and the shell it runs in.
fn initrd_head() -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    archive.character_device("dev/console", 5, 1);
    archive.symlink("lib", "usr/lib");
    archive.file("bin/busybox", 0o755, &fs::read(initramfs::busybox()?)?);
    archive.file("init", 0o755, INIT.as_bytes());
    Ok(archive.finish())
}

/// QEMU without its ports. It dies with this process, whatever ends that.
fn qemu(kernel: &Kernel, folder: &Folder, job: &Job) -> Result<Command> {
    let mut qemu = Command::new("setpriv");
    qemu.args(["--pdeathsig", "TERM", "--"]);
    if let Some(core) = job.core {
        qemu.args(["taskset", "--cpu-list", &core.to_string()]);
    }
    match job.core {
        Some(_) => qemu.arg("qemu-system-x86_64"),
        None => qemu.arg(qemu::newest()?),
    };
    qemu.args(["-nodefaults", "-display", "none", "-no-reboot"]);
    qemu.args(["-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm,+npt", "-machine", "q35"]);
    qemu.args(["-smp", if job.core.is_some() { "1" } else { "2" }, "-m", &job.memory]);
    qemu.args(["-virtfs", "local,path=/,mount_tag=host,security_model=none,multidevs=remap"]);
    qemu.args(["-device", "virtio-serial", "-serial", "file:console"]);
    qemu.arg("-kernel").arg(kernel.image()).args(["-initrd", "initrd"]);
    let job = folder.path().to_str().context("the path of target/ is not UTF-8")?;
    qemu.args(["-append", &format!("{COMMAND_LINE} pando.job={job}")]);
    qemu.current_dir(folder.path());
    Ok(qemu)
}

/// QEMU and the job's folder.
struct Machine {
    qemu: Command,
    folder: Folder,
}

impl Machine {
    /// The job gets a terminal of its own in L1; QEMU puts this one into raw mode and restores it.
    fn on_terminal(&mut self) -> Result<i32> {
        self.qemu.args([
            "-chardev",
            "stdio,id=terminal,signal=off",
            "-device",
            "virtconsole,chardev=terminal",
        ]);
        let [control] = self.ports(["control"])?;
        let mut running = self.start()?;
        let control = running.accept(control)?;
        running.wait(control)
    }

    fn on_pipes(&mut self, job: Job) -> Result<i32> {
        let [control, input, output, errors] =
            self.ports(["control", "stdin", "stdout", "stderr"])?;
        self.qemu.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.folder.create("qemu")?);
        let mut running = self.start()?;
        let control = running.accept(control)?;
        let input = running.accept(input)?;
        streams::feed(&input, job.with_stdin)?;
        let output = streams::drain(running.accept(output)?, job.stdout, &control)?;
        let errors = streams::drain(running.accept(errors)?, Box::new(stderr()), &control)?;
        let status = running.wait(control);
        for copy in [output, errors] {
            let result = copy
                .join()
                .map_err(|_| anyhow!("the thread that passes on the job's output panicked"))?;
            result.context("cannot pass on the job's output")?;
        }
        status
    }

    fn ports<const N: usize>(&mut self, names: [&'static str; N]) -> Result<[Port; N]> {
        let ports = names.iter().map(|name| Port::listen(self.folder.path(), name));
        let ports = ports.collect::<Result<Vec<_>>>()?;
        self.qemu.args(ports.iter().flat_map(Port::options));
        ports.try_into().ok().context("one port per name")
    }

    fn start(&mut self) -> Result<Running<'_>> {
        let step = Step::start("booting the nested machine");
        let qemu = self.qemu.spawn().context("cannot start QEMU")?;
        Ok(Running { qemu, folder: &self.folder, step: Some(step) })
    }
}

/// A started L1. QEMU is gone when this is.
struct Running<'a> {
    qemu: Child,
    folder: &'a Folder,
    step: Option<Step>,
}

impl Running<'_> {
    /// QEMU connects at once, or ends and says why.
    fn accept(&mut self, port: Port) -> Result<UnixStream> {
        while self.qemu.try_wait()?.is_none() {
            if let Some(stream) = port.accept(Duration::from_millis(10))? {
                return Ok(stream);
            }
        }
        Err(self.failure("could not be started"))
    }

    /// Follows L1 through its boot and the job's life.
    fn wait(mut self, control: UnixStream) -> Result<i32> {
        control.set_read_timeout(Some(BOOT_LIMIT))?;
        let mut lines = BufReader::new(control.try_clone()?).lines();
        match lines.next() {
            Some(Ok(line)) if line == "started" => self.step.take().map(Step::done),
            Some(Err(error)) => return Err(self.failure(&format!("does not come up ({error})"))),
            _ => return Err(self.failure("ended while it booted")),
        };
        control.set_read_timeout(Some(SILENCE))?;
        let last = match lines.find(|line| !matches!(line, Ok(line) if line == "alive")) {
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => {
                return Err(self.failure("gives no sign of life any more"));
            }
            last => last.and_then(Result::ok).unwrap_or_default(),
        };
        let status = last.strip_prefix("exit ").and_then(|status| status.parse().ok());
        status.ok_or_else(|| self.failure("ended before the job did"))
    }

    fn failure(&mut self, what: &str) -> anyhow::Error {
        let _ = self.qemu.kill(); // it may have ended by itself
        let _ = self.qemu.wait();
        let said = [self.folder.read("qemu"), self.folder.read("console")].concat();
        let lines = said.lines().filter(|line| !line.contains(MISSING_FEATURE));
        let said = lines.collect::<Vec<_>>().join("\n");
        anyhow!("the nested machine {what}; the last it said:\n{}", ui::tail(&said))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.qemu.kill(); // it may have ended by itself
        let _ = self.qemu.wait();
    }
}

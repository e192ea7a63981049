//! What a guest test is: a setup and a script with checks, and what else the host side does meanwhile.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::guest::Guest;

/// A function that plays the host side while the guest runs.
pub type HostSide = fn(&mut Guest) -> Result<()>;

/// A test without a guest of its own making; it gets the binary under test.
pub type Alone = fn(&Context) -> Result<()>;

/// One test of the list.
#[derive(Clone, Debug)]
pub struct Test {
    /// `module::name`, unique.
    pub name: &'static str,
    /// What it does.
    pub body: Body,
}

/// What a test does.
#[derive(Clone, Debug)]
pub enum Body {
    /// Boots a guest that runs a script.
    Guest(Setup),
    /// Runs Pando in its own way.
    Alone(Alone),
}

/// What a test without a guest of its own making finds.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The `pando` binary.
    pub pando: &'a Path,
    /// A stock kernel.
    pub kernel: &'a Path,
    /// An empty folder for the test's files.
    pub folder: &'a Path,
}

/// A guest to boot.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The platform file.
    pub platform: String,
    /// Number of vCPUs.
    pub cpus: u32,
    /// Memory, as the command line writes it.
    pub memory: &'static str,
    /// Further arguments of `pando run`.
    pub args: &'static [&'static str],
    /// Further kernel parameters.
    pub cmdline: &'static str,
    /// The bash script that runs inside, with the helpers of `guest/lib`.
    pub script: String,
    /// Programs of our own that the script uses, by their names in the guest's PATH.
    pub programs: &'static [(&'static str, &'static [u8])],
    /// An archive of further programs, by its name on the command line.
    pub archive: Option<&'static str>,
    /// Whether the guest finds its own kernel's image as /pando/kernel.
    pub with_kernel: bool,
    /// An ELF to boot instead of a kernel with a script.
    pub payload: Option<&'static [u8]>,
    /// The host side.
    pub host: Option<HostSide>,
    /// Whether a reset restarts the guest, as it does for a user; a guest that only should power off would go round.
    pub restarts: bool,
    /// Whether the VMM's exit status must be 0 (the guest powered off), or must not be.
    pub succeeds: bool,
    /// When the guest counts as hanging.
    pub limit: Duration,
    /// Whether the test makes sense without Pando's devices.
    pub any_vmm: bool,
}

/// A test that boots a guest of 1 vCPU and 512 MiB with the suite's usual platform and runs the script in it.
pub fn guest(name: &'static str, script: impl Into<String>) -> Test {
    let setup = Setup {
        platform: crate::suite::PLATFORM.to_owned(),
        cpus: 1,
        memory: "512MiB",
        args: &[],
        cmdline: "",
        script: script.into(),
        programs: &[],
        archive: None,
        with_kernel: false,
        payload: None,
        host: None,
        restarts: false,
        succeeds: true,
        limit: Duration::from_secs(300),
        any_vmm: false,
    };
    Test { name, body: Body::Guest(setup) }
}

/// A test that boots a bare-metal payload, which makes the checks.
#[must_use]
pub fn payload(name: &'static str, elf: &'static [u8]) -> Test {
    guest(name, "").edit(|setup| setup.payload = Some(elf))
}

/// A test that runs Pando in its own way.
#[must_use]
pub const fn alone(name: &'static str, body: Alone) -> Test {
    Test { name, body: Body::Alone(body) }
}

impl Test {
    /// Whether it boots a payload instead of a kernel.
    #[must_use]
    pub fn is_payload(&self) -> bool {
        matches!(&self.body, Body::Guest(setup) if setup.payload.is_some())
    }

    /// With this platform file.
    #[must_use]
    pub fn platform(self, platform: impl Into<String>) -> Self {
        self.edit(|setup| setup.platform = platform.into())
    }

    /// With this many vCPUs.
    #[must_use]
    pub fn cpus(self, cpus: u32) -> Self {
        self.edit(|setup| setup.cpus = cpus)
    }

    /// With this much memory, as the command line writes it.
    #[must_use]
    pub fn memory(self, memory: &'static str) -> Self {
        self.edit(|setup| setup.memory = memory)
    }

    /// With further arguments of `pando run`.
    #[must_use]
    pub fn args(self, args: &'static [&'static str]) -> Self {
        self.edit(|setup| setup.args = args)
    }

    /// With further kernel parameters.
    #[must_use]
    pub fn cmdline(self, cmdline: &'static str) -> Self {
        self.edit(|setup| setup.cmdline = cmdline)
    }

    /// With these programs in the guest's PATH.
    #[must_use]
    pub fn programs(self, programs: &'static [(&'static str, &'static [u8])]) -> Self {
        self.edit(|setup| setup.programs = programs)
    }

    /// With the programs of this archive.
    #[must_use]
    pub fn archive(self, name: &'static str) -> Self {
        self.edit(|setup| setup.archive = Some(name))
    }

    /// Whether it wants this archive.
    #[must_use]
    pub fn needs(&self, archive: &str) -> bool {
        matches!(&self.body, Body::Guest(setup) if setup.archive == Some(archive))
    }

    /// With the guest's own kernel in /pando/kernel, for it to start again.
    #[must_use]
    pub fn with_kernel(self) -> Self {
        self.edit(|setup| setup.with_kernel = true)
    }

    /// With a host side.
    #[must_use]
    pub fn host(self, host: HostSide) -> Self {
        self.edit(|setup| setup.host = Some(host))
    }

    /// A reset restarts it.
    #[must_use]
    pub fn restarts(self) -> Self {
        self.edit(|setup| setup.restarts = true)
    }

    /// Pando must end with a non-zero status.
    #[must_use]
    pub fn fails(self) -> Self {
        self.edit(|setup| setup.succeeds = false)
    }

    /// For a guest that needs more time than usual.
    #[must_use]
    pub fn minutes(self, minutes: u64) -> Self {
        self.edit(|setup| setup.limit = Duration::from_secs(60 * minutes))
    }

    /// Runs on QEMU as well.
    #[must_use]
    pub fn any_vmm(self) -> Self {
        self.edit(|setup| setup.any_vmm = true)
    }

    fn edit(mut self, change: impl FnOnce(&mut Setup)) -> Self {
        if let Body::Guest(setup) = &mut self.body {
            change(setup);
        }
        self
    }
}

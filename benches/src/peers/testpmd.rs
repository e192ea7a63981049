//! DPDK's testpmd, which sends on at one vhost-user port what arrives at the other (its mode `io`) and looks at no byte of it.
//!
//! It polls on the engine's processor, and is therefore stopped while others are measured. Left out: several queues.

mod port;
mod process;

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::driver::{RingPlace, Shape};
use crate::machine::Layout;
use crate::memory::Memory;
use crate::pin::Processors;
use port::Port;
use process::Process;

/// From its start to each step of what is awaited from it; all of it takes a second on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// Drivers that it loads: of its ports, and of where its buffers come from.
const DRIVERS: [&str; 2] = ["librte_net_vhost", "librte_mempool_ring"];

/// Its buffers; a burst of 32 is copied out of them as soon as it is in them.
const BUFFERS: u32 = 2048;

/// Bytes of a buffer that lie before a frame, of a buffer as it is by itself, and of the longest.
const HEADROOM: u32 = 128;
const USUAL: u32 = 2176;
const LONGEST: u32 = 0xffc0;

/// MiB that it may allocate.
const MEMORY: u32 = 192;

/// The program on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Installed {
    /// Program and libraries.
    folder: PathBuf,
    /// The folder of its sockets and its output.
    scratch: PathBuf,
}

/// A testpmd at work between two ports. It is stopped except while it is measured.
pub(crate) struct Testpmd {
    /// A port goes down when this end of it is closed.
    _ports: [Port; 2],
    process: Process,
}

/// Lets it run, until this is dropped.
pub(crate) struct Running<'a>(&'a Process);

impl Installed {
    pub(crate) fn at((folder, scratch): (PathBuf, PathBuf)) -> Self {
        Self { folder, scratch }
    }

    /// Starts it, with the receive and the transmit ring of each port in `memory`.
    pub(crate) fn start(
        &self,
        processors: Processors,
        shape: Shape,
        layout: Layout,
        memory: &Memory,
        rings: [[RingPlace; 2]; 2],
    ) -> Result<Testpmd> {
        let mut process = self.spawn(processors, shape)?;
        let ports = open(&mut process, memory, rings, layout, shape.is_long());
        let _ports = ports.map_err(|error| process.explain(error))?;
        process.take_our_priority(WORKER)?;
        process.stop()?;
        Ok(Testpmd { _ports, process })
    }

    fn spawn(&self, processors: Processors, shape: Shape) -> Result<Process> {
        for name in SOCKETS {
            let _ = fs::remove_file(self.scratch.join(name)); // of the one before
        }
        let mut command = process::command();
        command.arg(self.folder.join("dpdk-testpmd")).args(arguments(processors, shape));
        for driver in DRIVERS {
            command.arg("-d").arg(self.library(driver)?);
        }
        command.args(["--", "--forward-mode=io", "--nb-cores=1"]);
        if shape.is_long() {
            // A burst is more than the receiver's ring holds, and half of it would be lost.
            fs::write(self.scratch.join(COMMANDS), "set fwd io retry\nstart\n")?;
            command.args(["--interactive", &format!("--cmdline-file={COMMANDS}")]);
        }
        command.arg(format!("--total-num-mbufs={BUFFERS}"));
        command.arg(format!("--mbuf-size={}", buffer(shape)));
        command.env("LD_LIBRARY_PATH", &self.folder).env("RUNTIME_DIRECTORY", ".");
        Process::start(command, &self.scratch)
    }

    /// The file name of a library, which the loader finds by itself: DPDK takes no path below a folder that everybody may write to.
    fn library(&self, name: &str) -> Result<String> {
        let start = format!("{name}.so.");
        let files = fs::read_dir(&self.folder).context("there is no testpmd")?;
        let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
        let mut found = names.filter(|file| file.starts_with(&start));
        found.next().with_context(|| format!("{} holds no {name}", self.folder.display()))
    }
}

/// Its sockets.
const SOCKETS: [&str; 2] = ["port0", "port1"];

/// What it is told to do if its options don't suffice.
const COMMANDS: &str = "commands";

/// The thread that forwards.
const WORKER: &str = "rte-worker";

fn open(
    process: &mut Process,
    memory: &Memory,
    [here, there]: [[RingPlace; 2]; 2],
    layout: Layout,
    offload: bool,
) -> Result<[Port; 2]> {
    let [first, second] = SOCKETS.map(|name| process.connect(name));
    let open = |stream, rings| Port::open(stream, memory, rings, layout, offload);
    Ok([open(first?, here)?, open(second?, there)?])
}

/// What its environment layer is told: memory without huge pages, no devices but the two ports, one idle and one busy processor.
fn arguments(processors: Processors, shape: Shape) -> Vec<String> {
    let Processors { driver, engine, .. } = processors;
    let lcores = format!("--lcores=0@{driver},1@{engine}");
    let all =
        "--main-lcore=0 --no-huge --no-pci --no-shconf --no-telemetry --file-prefix=pando-bench";
    let mut arguments: Vec<_> = all.split(' ').map(str::to_owned).collect();
    arguments.extend([lcores, "-m".to_owned(), MEMORY.to_string()]);
    // What a frame's header asks for is passed on only with the older meaning of a buffer's flags.
    let offload = if shape.is_long() { ",tso=1,legacy-ol-flags=1" } else { "" };
    for (number, socket) in SOCKETS.into_iter().enumerate() {
        arguments.push(format!("--vdev=net_vhost{number},iface={socket},queues=1{offload}"));
    }
    arguments
}

/// Bytes of its buffers: a frame in one if that is possible.
fn buffer(shape: Shape) -> u32 {
    (shape.frame + HEADROOM).next_multiple_of(64).clamp(USUAL, LONGEST)
}

impl Testpmd {
    /// Lets it run until `gets_through` says that a frame did; it may still be at what it was told.
    pub(crate) fn wait_for(&self, mut gets_through: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        let running = self.run()?;
        while !gets_through() {
            if start.elapsed() > PATIENCE {
                drop(running);
                let error = anyhow!("no frame gets through within {PATIENCE:?}");
                return Err(self.process.explain(error));
            }
            sleep(Duration::from_millis(20)); // for what shares the driver's processor
        }
        Ok(())
    }

    /// Lets it run.
    pub(crate) fn run(&self) -> Result<Running<'_>> {
        self.process.resume()?;
        Ok(Running(&self.process))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.0.stop(); // one that has ended is noticed by its frames
    }
}

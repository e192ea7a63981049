//! One machine: its parts wired together, its life from power-on to power-off.
//!
//! [`tree`] makes the PCI tree with all that hangs in it; everything else here is the same for every machine.
//! Order: KVM, memory, interrupts, tree, ports, vCPUs.

mod captures;
mod cards;
mod follower;
mod functions;
mod host;
mod iommu;
pub(crate) mod reports;
pub mod tree;
mod uplinks;

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context, Result};
use event_manager::{EventManager, EventOps, EventSet, Events, MutEventSubscriber, SubscriberOps};
use pando_firmware::{Range, layout};
use pando_tlp::{Epochs, IntxSink, Mmio};

use self::host::Host;
use self::reports::Reports;
use self::tree::{FabricWindow, Parts, Tree};
use crate::bus::Bus;
use crate::com1::Com1;
use crate::console::input::Input;
use crate::console::output::Output;
use crate::control::{Control, Request};
use crate::crew::Crew;
use crate::doorbells::{DoorbellWake, Rearm};
use crate::irq::ioapic::IoApic;
use crate::irq::msi::KvmInterrupts;
use crate::load::Payload;
use crate::platform::Platform;
use crate::ports::Ports;
use crate::ram::Ram;
use crate::signals::Signals;
use crate::vcpu::Exits;

/// What a machine is made from.
pub struct Config {
    /// CPUs, memory, IOMMU and the PCI tree.
    pub platform: Platform,
    /// Threads that move packets; `None` leaves it to the host's size.
    pub workers: Option<usize>,
    /// How long they poll for nothing before they sleep; `None` leaves it to the host.
    pub poll: Option<Duration>,
    /// What it boots.
    pub payload: Payload,
    /// The console's output side.
    pub output: Output,
    /// Where standard input goes.
    pub input: InputKind,
    /// What a reset does.
    pub on_reset: OnReset,
    /// Where the machine's report goes at its end and on SIGUSR1; `None`: standard error, on SIGUSR1 only.
    pub report: Option<PathBuf>,
}

/// Where standard input goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Nowhere.
    None,
    /// To COM1, byte for byte.
    Plain,
    /// To COM1, from a raw terminal with Ctrl-A commands.
    Terminal,
}

/// What a guest's reset does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnReset {
    /// The machine starts over from its power-on state.
    Restart,
    /// The machine ends.
    Exit,
}

/// How a machine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The guest switched itself off.
    PoweredOff,
    /// The guest did this to reset itself, and a reset ends the machine.
    Reset(&'static str),
    /// By the user at the console.
    Quit,
    /// By a signal.
    Signal(i32),
}

type Loop = EventManager<Box<dyn MutEventSubscriber>>;

/// A machine that is wired and waits for power.
pub struct Machine {
    crew: Crew,
    events: Loop,
    tree: Tree,
    ram: Ram,
    com1: Arc<Com1>,
    control: Arc<Control>,
    layout: pando_firmware::Platform,
    payload: Payload,
    output: Output,
    on_reset: OnReset,
    reports: Arc<Reports>,
}

/// How long an end waits for a slow reader of the console.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

impl Machine {
    /// Wires a machine.
    pub fn new(config: Config) -> Result<Self> {
        let control = Arc::new(Control::new()?);
        let host = Host::open(&config.platform)?;
        let epochs = Epochs::new();
        let interrupts = Arc::new(KvmInterrupts::new(host.vm.clone()));
        let wake = DoorbellWake::new()?;
        let mut tree = tree::build_tree(&Parts {
            platform: &config.platform,
            layout: &host.layout,
            ram: host.ram.guest(),
            msi: interrupts.clone(),
            epochs: &epochs,
            vm: &host.vm,
            wake: wake.clone(),
            workers: config.workers,
            poll: config.poll,
        })?;
        let mut reports = std::mem::take(&mut tree.reports);
        reports.go_to(config.report);
        let reports = Arc::new(reports);
        let id = host.layout.ioapic.id;
        let ioapic = Arc::new(IoApic::new(id, tree.ioapic.clone(), interrupts, &epochs));
        let intx: Weak<dyn IntxSink> = Arc::<IoApic>::downgrade(&ioapic);
        tree.fabric.connect_intx(intx);
        let com1 = Arc::new(Com1::new(ioapic.clone(), config.output.clone())?);
        let exits = Exits {
            bus: bus(&host.layout, &tree, ioapic.clone()),
            ports: Ports::new(com1.clone(), control.clone()),
            ioapic,
            control: control.clone(),
        };
        let crew = Crew::new(host.vcpus()?, exits)?;
        let mut events: Loop = EventManager::new().context("creating the event loop")?;
        events.add_subscriber(Box::new(Wake(control.clone())));
        events.add_subscriber(Box::new(Signals::new(control.clone(), reports.clone())?));
        events.add_subscriber(Box::new(Rearm { wake, fabric: tree.fabric.clone() }));
        if config.input != InputKind::None {
            let terminal = config.input == InputKind::Terminal;
            let (com1, control) = (com1.clone(), control.clone());
            let input = Input::new(com1, control, config.output.clone(), terminal)?;
            events.add_subscriber(Box::new(input));
        }
        let Host { ram, layout, .. } = host;
        let Config { payload, output, on_reset, .. } = config;
        Ok(Self {
            crew,
            events,
            tree,
            ram,
            com1,
            control,
            layout,
            payload,
            output,
            on_reset,
            reports,
        })
    }

    /// Switches the machine on and returns when it has ended.
    pub fn run(mut self) -> Result<Ended> {
        let ended = loop {
            let entry = self.payload.load(self.ram.guest().memory(), &self.layout)?;
            self.crew.start(entry);
            let request = self.wait_for_request();
            self.crew.stop();
            match self.decide(request?)? {
                Some(ended) => break ended,
                None => self.power_on_state()?,
            }
        };
        self.reports.write_last();
        self.reset_devices();
        self.output.flush_within(LAST_OUTPUT);
        Ok(ended)
    }

    fn wait_for_request(&mut self) -> Result<Request> {
        loop {
            if let Some(request) = self.control.take() {
                return Ok(request);
            }
            self.events.run().context("waiting for events")?;
        }
    }

    /// `None` starts over.
    fn decide(&self, request: Request) -> Result<Option<Ended>> {
        Ok(Some(match request {
            Request::PowerOff => Ended::PoweredOff,
            Request::Quit => Ended::Quit,
            Request::Signal(number) => Ended::Signal(number),
            Request::Failed(reason) => {
                self.output.flush_within(LAST_OUTPUT);
                anyhow::bail!(reason)
            }
            Request::Reset(how) if self.on_reset == OnReset::Exit => Ended::Reset(how),
            Request::Reset(how) => {
                tracing::info!("the guest {how}: the machine starts over");
                return Ok(None);
            }
        }))
    }

    /// Every device and all memory as at power-on; no CPU runs. Devices come first: they may still write memory.
    fn power_on_state(&self) -> Result<()> {
        self.reset_devices();
        self.crew.exits().ioapic.reset();
        self.com1.reset();
        self.ram.clear()
    }

    /// When this returns, no device reads or writes memory.
    fn reset_devices(&self) {
        self.tree.fabric.reset();
        self.tree.reset.iter().for_each(|reset| reset());
    }
}

/// Who answers where.
fn bus(layout: &pando_firmware::Platform, tree: &Tree, ioapic: Arc<IoApic>) -> Bus {
    let mut ranges = vec![layout.ecam.range()];
    ranges.extend(layout.windows.iter().map(|window| window.range));
    ranges.extend(layout.dmar.map(|_| layout::DMAR));
    let window = |range: Range| {
        let window = FabricWindow { fabric: tree.fabric.clone(), base: range.base };
        (range, Arc::new(window) as Arc<dyn Mmio>)
    };
    let mut windows: Vec<_> = ranges.into_iter().map(window).collect();
    windows.push((layout::IOAPIC, ioapic));
    Bus::new(windows)
}

/// Wakes the loop when somebody asks for something.
struct Wake(Arc<Control>);

impl MutEventSubscriber for Wake {
    fn process(&mut self, _: Events, _: &mut EventOps) {
        // The loop looks at the request itself; only the wake-up has to be taken.
        let _ = self.0.wake().read();
    }

    fn init(&mut self, ops: &mut EventOps) {
        if let Err(error) = ops.add(Events::new(self.0.wake(), EventSet::IN)) {
            tracing::error!(%error, "the machine can't be stopped");
        }
    }
}

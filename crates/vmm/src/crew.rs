//! The vCPU threads: started once, set running and stopped together as often as the machine starts over.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use vmm_sys_util::signal::{Killable, SIGRTMIN, register_signal_handler};

use crate::control::Request;
use crate::vcpu::{Entry, Exits, Vcpu};

/// How often a stop repeats its signal: one that comes just before KVM_RUN is lost.
const KICK_INTERVAL: Duration = Duration::from_millis(2);

/// All vCPU threads of a machine.
pub struct Crew {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    exits: Exits,
    /// Asked between two exits; the mutex decides.
    running: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    order: Order,
    /// Counts the starts, so that a thread follows each once.
    start: u64,
    /// Threads that wait for an order.
    parked: usize,
}

#[derive(Clone, Copy, Debug, Default)]
enum Order {
    #[default]
    Wait,
    Run(Entry),
    End,
}

impl Crew {
    /// One waiting thread per vCPU.
    pub fn new(vcpus: Vec<Vcpu>, exits: Exits) -> Result<Self> {
        extern "C" fn interrupt_only(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}
        register_signal_handler(SIGRTMIN(), interrupt_only)
            .context("installing the kick signal")?;
        let shared = Arc::new(Shared {
            exits,
            running: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let mut crew = Self { shared, threads: Vec::new() };
        for vcpu in vcpus {
            let shared = crew.shared.clone();
            let thread = std::thread::Builder::new().name(format!("vcpu{}", vcpu.id()));
            let thread =
                thread.spawn(move || shared.work(vcpu)).context("starting a vCPU thread")?;
            crew.threads.push(thread);
        }
        Ok(crew)
    }

    /// Sets every CPU to its power-on state and runs; the boot CPU begins at `entry`.
    pub fn start(&self, entry: Entry) {
        let mut state = self.shared.lock();
        state.start += 1;
        state.order = Order::Run(entry);
        self.shared.running.store(true, Relaxed);
        self.shared.changed.notify_all();
    }

    /// Returns when no CPU runs and none will before the next start.
    pub fn stop(&self) {
        self.give(Order::Wait);
        let mut state = self.shared.lock();
        while state.parked < self.threads.len() {
            self.kick();
            state = self.shared.wait(state, KICK_INTERVAL);
        }
    }

    /// The machine's registers and ports.
    pub fn exits(&self) -> &Exits {
        &self.shared.exits
    }

    fn give(&self, order: Order) {
        self.shared.lock().order = order;
        self.shared.running.store(false, Relaxed);
        self.shared.changed.notify_all();
    }

    fn kick(&self) {
        for thread in &self.threads {
            // A thread that has ended needs no kick.
            let _ = thread.kill(SIGRTMIN());
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop();
        self.give(Order::End);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn work(&self, mut vcpu: Vcpu) {
        let mut followed = 0;
        while let Some(entry) = self.next_start(&mut followed) {
            if let Err(error) = self.run(&mut vcpu, entry) {
                let id = vcpu.id();
                self.exits.control.request(Request::Failed(format!("vCPU {id}: {error:#}")));
            }
        }
    }

    fn run(&self, vcpu: &mut Vcpu, entry: Entry) -> Result<()> {
        vcpu.power_on(&entry)?;
        while self.running.load(Relaxed) {
            vcpu.step(&self.exits)?;
        }
        tracing::info!(
            vcpu = vcpu.id(),
            rip = format_args!("{:#x}", vcpu.instruction_pointer()),
            "stopped"
        );
        Ok(())
    }

    /// Parks until a start that this thread hasn't followed; `None` ends the thread.
    fn next_start(&self, followed: &mut u64) -> Option<Entry> {
        let mut state = self.lock();
        state.parked += 1;
        self.changed.notify_all();
        let idle = |state: &mut State| match state.order {
            Order::Wait => true,
            Order::Run(_) => state.start == *followed,
            Order::End => false,
        };
        state = self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        state.parked -= 1;
        *followed = state.start;
        match state.order {
            Order::Run(entry) => Some(entry),
            Order::Wait | Order::End => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

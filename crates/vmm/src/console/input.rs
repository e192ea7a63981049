//! Console input: standard input to COM1, at the pace the guest reads.
//!
//! A terminal or pipe is watched only while COM1 has room; a file or /dev/null, which can't be watched, is read when there is room.
//! At its end nothing is watched any more.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use anyhow::{Context, Result};
use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};

use super::escape::{Command, Escape, HELP};
use super::output::Output;
use crate::com1::Com1;
use crate::control::{Control, Request};

/// Standard input on its way to the guest.
pub struct Input {
    com1: Arc<Com1>,
    control: Arc<Control>,
    output: Output,
    /// Present on a raw terminal only: a pipe's bytes are all the guest's.
    escape: Option<Escape>,
    pending: VecDeque<u8>,
    /// Standard input without the library's buffer, whose content no event would tell of.
    stdin: File,
    source: Source,
}

/// What is known of standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Registered with the event loop.
    Watched,
    /// Could be, but COM1 is full.
    Paused,
    /// The event loop refuses it; reading never blocks.
    Unwatchable,
    /// At its end, or broken.
    Ended,
}

impl Input {
    /// `terminal` says that standard input is a raw terminal.
    pub fn new(
        com1: Arc<Com1>,
        control: Arc<Control>,
        output: Output,
        terminal: bool,
    ) -> Result<Self> {
        let escape = terminal.then(Escape::default);
        let stdin = io::stdin().as_fd().try_clone_to_owned().context("opening standard input")?;
        let (pending, source) = (VecDeque::new(), Source::Paused);
        Ok(Self { com1, control, output, escape, pending, stdin: stdin.into(), source })
    }

    /// Gives COM1 what is pending, and reads on while there is room.
    fn pump(&mut self, mut readable: bool, ops: &mut EventOps) {
        loop {
            self.deliver();
            if !self.pending.is_empty() {
                return self.pause(ops);
            }
            match self.source {
                Source::Ended => return,
                Source::Paused => return self.watch(ops),
                Source::Watched if !readable => return,
                Source::Watched | Source::Unwatchable => self.read(ops),
            }
            readable = false;
        }
    }

    fn deliver(&mut self) {
        let taken = self.com1.receive(self.pending.make_contiguous());
        self.pending.drain(..taken);
    }

    fn read(&mut self, ops: &mut EventOps) {
        let mut bytes = [0; 64];
        match self.stdin.read(&mut bytes) {
            Ok(0) => self.end(ops),
            Ok(count) => bytes[..count].iter().for_each(|byte| self.key(*byte)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.end(ops),
        }
    }

    fn key(&mut self, byte: u8) {
        let Some(escape) = &mut self.escape else { return self.pending.push_back(byte) };
        match escape.key(byte, &mut self.pending) {
            Some(Command::Quit) => self.control.request(Request::Quit),
            Some(Command::Help) => {
                let _ = self.output.write_all(HELP.as_bytes());
            }
            None => {}
        }
    }

    fn watch(&mut self, ops: &mut EventOps) {
        let watched = ops.add(Events::new(&self.stdin, EventSet::IN));
        self.source = if watched.is_ok() { Source::Watched } else { Source::Unwatchable };
        if self.source == Source::Unwatchable {
            self.pump(true, ops);
        }
    }

    fn pause(&mut self, ops: &mut EventOps) {
        if self.source == Source::Watched {
            let _ = ops.remove(Events::new(&self.stdin, EventSet::IN));
            self.source = Source::Paused;
        }
    }

    fn end(&mut self, ops: &mut EventOps) {
        self.pause(ops);
        self.source = Source::Ended;
    }
}

impl MutEventSubscriber for Input {
    fn process(&mut self, events: Events, ops: &mut EventOps) {
        let readable = events.fd() != self.com1.room().as_raw_fd();
        if !readable {
            let _ = self.com1.room().read();
        }
        self.pump(readable, ops);
    }

    fn init(&mut self, ops: &mut EventOps) {
        if let Err(error) = ops.add(Events::new(&**self.com1.room(), EventSet::IN)) {
            tracing::error!(%error, "console input is off");
            return;
        }
        self.pump(false, ops);
    }
}

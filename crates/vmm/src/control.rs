//! What should become of the machine: anyone asks, the event loop's thread acts.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

/// A change of the machine's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Back to the power-on state; says what the guest did.
    Reset(&'static str),
    /// The guest switched itself off.
    PowerOff,
    /// The user at the console wants out.
    Quit,
    /// A signal wants us out.
    Signal(i32),
    /// The machine can't go on.
    Failed(String),
}

impl Request {
    /// An end wins over a reset, and a failure or a user over a guest.
    fn rank(&self) -> u8 {
        match self {
            Self::Reset(_) => 0,
            Self::PowerOff => 1,
            Self::Quit | Self::Signal(_) => 2,
            Self::Failed(_) => 3,
        }
    }
}

/// The pending request.
#[derive(Debug)]
pub struct Control {
    pending: Mutex<Option<Request>>,
    wake: EventFd,
}

impl Control {
    /// Nothing asked yet.
    pub fn new() -> Result<Self> {
        let wake = EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC).context("creating an eventfd")?;
        Ok(Self { pending: Mutex::new(None), wake })
    }

    /// Asks; the first of several wins unless a later one ranks higher.
    pub fn request(&self, request: Request) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.as_ref().is_none_or(|old| old.rank() < request.rank()) {
            *pending = Some(request);
        }
        drop(pending);
        // Fails only when the counter is full, and then the loop wakes anyway.
        let _ = self.wake.write(1);
    }

    /// Takes what was asked, once.
    pub fn take(&self) -> Option<Request> {
        let _ = self.wake.read();
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Readable while something may be pending.
    pub fn wake(&self) -> &EventFd {
        &self.wake
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_higher_rank_wins_and_the_first_among_equals() {
        let control = Control::new().unwrap();
        assert_eq!(control.take(), None);
        control.request(Request::Reset("a"));
        control.request(Request::Reset("b"));
        assert_eq!(control.take(), Some(Request::Reset("a")));
        control.request(Request::Failed("x".into()));
        control.request(Request::PowerOff);
        assert_eq!(control.take(), Some(Request::Failed("x".into())));
        assert_eq!(control.take(), None);
    }
}

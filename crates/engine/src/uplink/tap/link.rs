//! Whether the host has a tap up (Linux, rtnetlink(7): the kernel tells of every change of an interface).
//!
//! What it tells is not read, only that something changed; the state is then asked for. Left out: a tap that was moved to another
//! network namespace keeps the state it had.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};

use super::device;
use crate::uplink::Carrier;

/// Messages taken at once at most.
const MESSAGES: usize = 64;

/// News of the host's interfaces.
pub(super) struct LinkNews {
    socket: OwnedFd,
}

impl LinkNews {
    /// News from now on.
    pub(super) fn open() -> rustix::io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // No protocol is NETLINK_ROUTE.
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        let socket = rustix::net::socket_with(family, kind, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, libc::RTMGRP_LINK as u32))?;
        Ok(Self { socket })
    }

    /// A descriptor that is readable when `tap` is or there are news.
    pub(super) fn readable_with(&self, tap: &File) -> rustix::io::Result<OwnedFd> {
        let both = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&both, tap, EventData::new_u64(0), EventFlags::IN)?;
        epoll::add(&both, &self.socket, EventData::new_u64(0), EventFlags::IN)?;
        Ok(both)
    }

    /// Takes the news there are and sets `carrier` to what holds of `tap` now. Returns whether there may be more.
    pub(super) fn follow(&self, tap: &File, carrier: &Carrier) -> bool {
        let mut taken = 0;
        while taken < MESSAGES {
            match rustix::net::recv(&self.socket, &mut [0; 16], RecvFlags::TRUNC) {
                // Some were lost: all the more reason to ask.
                Ok(_) | Err(Errno::NOBUFS) => taken += 1,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        if taken > 0 {
            refresh(tap, carrier);
        }
        taken == MESSAGES
    }
}

/// Sets `carrier` to whether the host has `tap` up. One that is gone is left to whoever reads from it.
pub(super) fn refresh(tap: &File, carrier: &Carrier) {
    if let Ok(up) = device::is_up(tap) {
        carrier.set(up);
    }
}

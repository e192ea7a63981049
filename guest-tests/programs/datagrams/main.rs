//! A program for guests: sends many UDP datagrams with one call, as QUIC does, and counts those that arrive; or sends as many as
//! the card takes.
//!
//! `datagrams send ADDRESS SIZE COUNT`, `datagrams receive ADDRESS SIZE COUNT`, `datagrams flood ADDRESS SIZE SECONDS`; the status
//! is 0 if all went well. Static, so that it runs alone in an initramfs.

#![deny(unsafe_code)]

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Datagrams of a flood that one call sends.
const AT_ONCE: usize = 40;

/// What went wrong, for people.
type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", arguments.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Outcome {
    match words {
        ["send", address, size, count] => send(address, size.parse()?, count.parse()?),
        ["receive", address, size, count] => receive(address, size.parse()?, count.parse()?),
        ["flood", address, size, seconds] => flood(address, size.parse()?, seconds.parse()?),
        _ => Err("datagrams send|receive ADDRESS SIZE COUNT, datagrams flood ADDRESS SIZE SECONDS".into()),
    }
}

/// What datagram number `number` consists of.
fn content(number: usize) -> u8 {
    number as u8 ^ 0x5a
}

fn send(address: &str, size: usize, count: usize) -> Outcome {
    let any = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any)?;
    cut_into(&socket, size)?;
    let bytes: Vec<u8> = (0..size * count).map(|at| content(at / size)).collect();
    if socket.send_to(&bytes, address)? != bytes.len() {
        return Err("not all of it was sent".into());
    }
    Ok(())
}

fn receive(address: &str, size: usize, count: usize) -> Outcome {
    let socket = UdpSocket::bind(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut bytes = vec![0; 65_536];
    for number in 0..count {
        let len = socket.recv(&mut bytes).map_err(|error| format!("after {number}: {error}"))?;
        if len != size || bytes[..len].iter().any(|byte| *byte != content(number)) {
            return Err(format!("number {number} has {len} bytes, or others").into());
        }
    }
    Ok(())
}

/// Nobody needs to listen.
fn flood(address: &str, size: usize, seconds: u64) -> Outcome {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    cut_into(&socket, size)?;
    let (bytes, start) = (vec![0; size * AT_ONCE], Instant::now());
    while start.elapsed() < Duration::from_secs(seconds) {
        socket.send_to(&bytes, address)?;
    }
    Ok(())
}

/// Lets the kernel make datagrams of `size` bytes of whatever is sent (udp(7), UDP_SEGMENT).
#[allow(unsafe_code, reason = "std doesn't know the option")]
fn cut_into(socket: &UdpSocket, size: usize) -> std::io::Result<()> {
    const SOL_UDP: i32 = 17;
    const UDP_SEGMENT: i32 = 103;
    unsafe extern "C" {
        fn setsockopt(socket: i32, level: i32, name: i32, value: *const i32, len: u32) -> i32;
    }
    let size = size as i32;
    // SAFETY: the option is an int, given by its address and its length.
    match unsafe { setsockopt(socket.as_raw_fd(), SOL_UDP, UDP_SEGMENT, &raw const size, 4) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

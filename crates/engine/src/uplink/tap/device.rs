//! Opening a tap device: names, flags, offloads, and what to say when it fails (Linux, include/uapi/linux/if_tun.h).

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;

use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, Setter, Updater, opcode};
use rustix::net::{AddressFamily, SocketType};

use crate::Accepts;
use crate::uplink::{UplinkError, io_error};
use crate::vnet::VnetHeader;

/// `struct ifreq` as far as flags need it.
#[derive(Clone, Copy)]
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: u16,
    rest: [u8; 22],
}

const _: () = assert!(size_of::<InterfaceRequest>() == size_of::<libc::ifreq>());

const TUNSETIFF: u32 = opcode::write::<libc::c_int>(b'T', 202);
const TUNSETOFFLOAD: u32 = opcode::write::<libc::c_uint>(b'T', 208);
const TUNGETIFF: u32 = opcode::read::<libc::c_uint>(b'T', 210);
const TUNSETVNETHDRSZ: u32 = opcode::write::<libc::c_int>(b'T', 216);
const SIOCGIFFLAGS: u32 = libc::SIOCGIFFLAGS as u32;
const SIOCSIFFLAGS: u32 = libc::SIOCSIFFLAGS as u32;

const TAP: u16 = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as u16;
const MULTI_QUEUE: u16 = libc::IFF_MULTI_QUEUE as u16;
const PERSIST: u16 = libc::IFF_PERSIST as u16;
const UP: u16 = libc::IFF_UP as u16;
const OFFLOADS: u32 = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;

/// Datagrams to be cut, over IPv4 and IPv6: one isn't had without the other (since Linux 6.2).
const DATAGRAMS: u32 = 0x20 | 0x40;

/// Opens `queues` queues of tap `name`, one file each, and tells what they take unfinished. A tap that isn't there is made and brought up, and goes with the last file.
pub(super) fn open(name: &str, queues: u16) -> Result<(Vec<File>, Accepts), UplinkError> {
    let request = request(name)?;
    let ((first, mut accepts), flags) =
        match attach(name, request, queues, TAP | multi_queue(queues)) {
            // One queue of a tap that can have several is fine too.
            Err(UplinkError::TapKind { .. }) if queues == 1 => {
                (attach(name, request, queues, TAP | MULTI_QUEUE)?, TAP | MULTI_QUEUE)
            }
            other => (other?, TAP | multi_queue(queues)),
        };
    let ours = attached(&first).map_err(io_error(label(name)))?.flags & PERSIST == 0;
    let mut files = vec![first];
    for _ in 1..queues {
        let (file, too) = attach(name, request, queues, flags)?;
        files.push(file);
        accepts &= too;
    }
    if ours {
        bring_up(request).map_err(io_error(format!("tap `{name}`: bringing it up")))?;
    }
    Ok((files, accepts))
}

fn multi_queue(queues: u16) -> u16 {
    if queues > 1 { MULTI_QUEUE } else { 0 }
}

fn label(name: &str) -> String {
    format!("tap `{name}`")
}

fn request(name: &str) -> Result<InterfaceRequest, UplinkError> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"/:%".contains(&byte);
    let fits = (1..libc::IFNAMSIZ).contains(&name.len());
    if !fits || !name.bytes().all(allowed) || name == "." || name == ".." {
        return Err(UplinkError::TapName(name.into()));
    }
    let mut request = InterfaceRequest { name: [0; libc::IFNAMSIZ], flags: 0, rest: [0; 22] };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    Ok(request)
}

/// Opens one queue.
fn attach(
    name: &str,
    request: InterfaceRequest,
    queues: u16,
    flags: u16,
) -> Result<(File, Accepts), UplinkError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => UplinkError::NoTun,
            ErrorKind::PermissionDenied => UplinkError::TunPermission,
            _ => io_error("/dev/net/tun")(error),
        })?;
    set_interface(&file, InterfaceRequest { flags, ..request }).map_err(|error| match error {
        Errno::PERM | Errno::ACCESS => UplinkError::TapPermission(name.into()),
        Errno::BUSY => UplinkError::TapBusy(name.into()),
        Errno::INVAL => UplinkError::TapKind { name: name.into(), queues },
        error => io_error(label(name))(error),
    })?;
    let accepts = set_header(&file).map_err(io_error(label(name)))?;
    Ok((file, accepts))
}

#[expect(unsafe_code, reason = "no crate in use wraps the tun driver's ioctls")]
fn set_interface(file: &File, request: InterfaceRequest) -> rustix::io::Result<()> {
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq` at the address given; the request has its size and layout.
    unsafe {
        let mut request = request;
        rustix::ioctl::ioctl(file, Updater::<TUNSETIFF, InterfaceRequest>::new(&mut request))
    }
}

/// Sets the header's length and as many offloads as the kernel knows.
fn set_header(file: &File) -> rustix::io::Result<Accepts> {
    let len = VnetHeader::LEN as libc::c_int;
    #[expect(unsafe_code, reason = "as above")]
    // SAFETY: TUNSETVNETHDRSZ reads one int at the address given.
    unsafe {
        rustix::ioctl::ioctl(file, Setter::<TUNSETVNETHDRSZ, libc::c_int>::new(len))?;
    }
    if set_offloads(file, OFFLOADS | DATAGRAMS).is_ok() {
        return Ok(Accepts::all());
    }
    set_offloads(file, OFFLOADS)?;
    Ok(Accepts::all() - Accepts::UDP4 - Accepts::UDP6)
}

#[expect(unsafe_code, reason = "as above")]
fn set_offloads(file: &File, offloads: u32) -> rustix::io::Result<()> {
    // SAFETY: TUNSETOFFLOAD takes its argument by value.
    unsafe {
        rustix::ioctl::ioctl(file, IntegerSetter::<TUNSETOFFLOAD>::new_usize(offloads as usize))
    }
}

#[expect(unsafe_code, reason = "as above")]
fn attached(file: &File) -> rustix::io::Result<InterfaceRequest> {
    let mut request = InterfaceRequest { name: [0; libc::IFNAMSIZ], flags: 0, rest: [0; 22] };
    // SAFETY: TUNGETIFF writes one `struct ifreq` at the address given; the request has its size and layout.
    unsafe {
        rustix::ioctl::ioctl(file, Updater::<TUNGETIFF, InterfaceRequest>::new(&mut request))?;
    }
    Ok(request)
}

/// Whether the host has the tap up, under whatever name it has now.
pub(super) fn is_up(file: &File) -> rustix::io::Result<bool> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    Ok(interface_flags(&socket, attached(file)?)?.flags & UP != 0)
}

#[expect(unsafe_code, reason = "interface flags have no safe wrapper")]
fn interface_flags(
    socket: &OwnedFd,
    mut request: InterfaceRequest,
) -> rustix::io::Result<InterfaceRequest> {
    // SAFETY: SIOCGIFFLAGS reads and writes one `struct ifreq` at the address given; the request has its size and layout.
    unsafe {
        let get = Updater::<SIOCGIFFLAGS, InterfaceRequest>::new(&mut request);
        rustix::ioctl::ioctl(socket, get)?;
    }
    Ok(request)
}

#[expect(unsafe_code, reason = "interface flags have no safe wrapper")]
fn bring_up(request: InterfaceRequest) -> io::Result<()> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    let mut request = interface_flags(&socket, request)?;
    request.flags |= UP;
    // SAFETY: SIOCSIFFLAGS reads one `struct ifreq` at the address given; the request has its size and layout.
    unsafe {
        let set = Updater::<SIOCSIFFLAGS, InterfaceRequest>::new(&mut request);
        rustix::ioctl::ioctl(&socket, set)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_kernel_would_not_take() {
        for name in ["", "a-name-of-16-by.", "a/b", "a b", "a:1", "tap%d", ".", "..", "é"] {
            assert!(matches!(open(name, 1), Err(UplinkError::TapName(_))), "{name}");
        }
        assert!(request("a-name-of-15-by").is_ok());
    }

    #[test]
    fn ioctl_numbers_are_the_kernels() {
        assert_eq!((TUNSETIFF, TUNSETOFFLOAD), (0x4004_54ca, 0x4004_54d0));
        assert_eq!((TUNGETIFF, TUNSETVNETHDRSZ), (0x8004_54d2, 0x4004_54d8));
    }

    #[test]
    fn messages_say_what_to_do() {
        let message = UplinkError::TapPermission("tap0".into()).to_string();
        assert!(message.contains("ip tuntap add dev tap0 mode tap user"), "{message}");
        let message = UplinkError::TapKind { name: "tap0".into(), queues: 4 }.to_string();
        assert!(message.contains("multi_queue"), "{message}");
        let message = UplinkError::TapKind { name: "eth0".into(), queues: 1 }.to_string();
        assert!(!message.contains("multi_queue"), "{message}");
    }
}

//! With real taps where that is allowed: the kernel's network stack is the peer. Each test says so if it has to be left out.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;

use super::*;
use crate::uplink::UplinkConfig;
use crate::uplink::testing::{Hand, PATIENCE, only, wait};
use crate::{Finisher, Segmentation, SegmentationKind};

const US: [u8; 6] = [2, 0, 0, 0, 0, 0x11];

/// A name that no other run of these tests uses at the same time.
fn name(number: u32) -> String {
    format!("pt{}n{number}", std::process::id())
}

/// A network of this run.
fn net(host: u8) -> [u8; 4] {
    [198, 18, std::process::id() as u8, host]
}

fn dotted(host: u8) -> std::net::Ipv4Addr {
    net(host).into()
}

/// A tap, or `None` and a word why not.
fn tap(name: &str, queues: u16) -> Option<Uplink> {
    match UplinkConfig::Tap(name.into()).open(queues) {
        Ok(uplink) => Some(uplink),
        Err(
            error @ (UplinkError::NoTun
            | UplinkError::TunPermission
            | UplinkError::TapPermission(_)),
        ) => {
            println!("left out: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn ip(words: &str) -> bool {
    let status = Command::new("ip")
        .args(words.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Waits for something that may take a moment: a program that another test is just starting still has our files open.
fn soon(mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

fn exists(name: &str) -> bool {
    std::path::Path::new("/sys/class/net").join(name).exists()
}

/// Network namespaces that are removed in the end.
struct Namespaces([String; 2]);

impl Namespaces {
    fn new(names: [String; 2]) -> Option<Self> {
        let this = Self(names);
        if !this.0.iter().all(|name| ip(&format!("netns add {name}"))) {
            println!("left out: no network namespaces here");
            return None;
        }
        Some(this)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.0 {
            ip(&format!("netns del {name}"));
        }
    }
}

#[test]
fn a_tap_we_make_goes_with_us() {
    let Some(uplink) = tap(&name(0), 2) else { return };
    assert_eq!(uplink.queues.len(), 2);
    assert!(exists(&name(0)));
    let flags = std::fs::read_to_string(format!("/sys/class/net/{}/flags", name(0))).unwrap();
    let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap();
    assert_eq!(flags & 1, 1, "up");
    drop(uplink);
    assert!(soon(|| !exists(&name(0))));
}

#[test]
fn a_tap_that_was_there_stays() {
    if tap(&name(1), 1).is_none() || !ip("-V") {
        return;
    }
    assert!(soon(|| ip(&format!("tuntap add dev {} mode tap", name(1)))));
    let uplink = tap(&name(1), 1).unwrap();
    let busy = UplinkConfig::Tap(name(1)).open(1);
    assert!(matches!(busy, Err(UplinkError::TapBusy(_))), "{:?}", busy.err());
    drop(uplink);
    assert!(exists(&name(1)));
    let several = UplinkConfig::Tap(name(1)).open(4);
    assert!(matches!(several, Err(UplinkError::TapKind { .. })), "{:?}", several.err());
    assert!(soon(|| ip(&format!("tuntap del dev {} mode tap", name(1)))));
    // One queue of a tap that may have several.
    assert!(ip(&format!("tuntap add dev {} mode tap multi_queue", name(1))));
    drop(tap(&name(1), 1).unwrap());
    assert!(soon(|| ip(&format!("tuntap del dev {} mode tap multi_queue", name(1)))));
    // Not a tap at all.
    let loopback = UplinkConfig::Tap("lo".into()).open(1);
    assert!(matches!(loopback, Err(UplinkError::TapKind { .. })), "{:?}", loopback.err());
}

#[test]
fn a_tap_that_vanishes_takes_the_link_down_and_no_more() {
    let Some(mut uplink) = tap(&name(2), 1) else { return };
    if !ip(&format!("link del {}", name(2))) {
        return;
    }
    let mut hand = Hand::new();
    assert!(wait(&only(&mut uplink).readable, PATIENCE), "the engine is told");
    hand.send(&mut *only(&mut uplink).receive, &[frame(US, US, 1), frame(US, US, 2)]);
    assert_eq!(uplink.counters.out_dropped_down.get(), 2);
    assert!(!uplink.carrier.is_up());
    let fetched = hand.fetch(&mut *only(&mut uplink).transmit);
    assert_eq!(fetched, Err(QueueError::Driver("the tap was removed")));
}

fn frame(from: [u8; 6], to: [u8; 6], fill: u8) -> (Vec<u8>, Offload) {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ethernet2(from, to).ipv4(net(2), net(1), 64);
    builder.udp(7, 4000).write(&mut bytes, &[fill; 100]).unwrap();
    (bytes, Offload::default())
}

#[test]
fn a_frame_while_the_interface_is_down_is_dropped() {
    let Some(mut uplink) = tap(&name(3), 1) else { return };
    if !ip(&format!("link set {} down", name(3))) {
        return;
    }
    let mut hand = Hand::new();
    hand.send(&mut *only(&mut uplink).receive, &[frame(US, US, 1)]);
    assert_eq!(uplink.counters.out_dropped_down.get(), 1);
}

#[test]
fn the_link_is_up_while_the_host_has_the_tap_up() {
    let Some(mut uplink) = tap(&name(4), 2) else { return };
    let changes = Arc::new(AtomicUsize::new(0));
    let seen = changes.clone();
    uplink.carrier.watch(move || {
        seen.fetch_add(1, SeqCst);
    });
    assert!(uplink.carrier.is_up());
    let mut hand = Hand::new();
    for (words, up, total) in
        [("down", false, 1), ("down", false, 1), ("up", true, 2), ("mtu 1400", true, 2)]
    {
        if !ip(&format!("link set {} {words}", name(4))) {
            return;
        }
        assert!(soon(|| {
            hand.arm(&mut *uplink.queues[0].transmit);
            uplink.carrier.is_up() == up
        }));
        assert_eq!(changes.load(SeqCst), total, "{words}");
    }
}

#[test]
fn a_tap_that_is_down_at_first_has_no_link() {
    if tap(&name(5), 1).is_none() || !soon(|| ip(&format!("tuntap add dev {} mode tap", name(5)))) {
        return;
    }
    let mut uplink = tap(&name(5), 1).unwrap();
    assert!(!uplink.carrier.is_up());
    while Hand::new().arm(&mut *only(&mut uplink).transmit) {}
    assert!(ip(&format!("link set {} up", name(5))));
    assert!(wait(&only(&mut uplink).readable, PATIENCE), "the engine is told");
    Hand::new().arm(&mut *only(&mut uplink).transmit);
    assert!(uplink.carrier.is_up());
    drop(uplink);
    assert!(soon(|| ip(&format!("tuntap del dev {} mode tap", name(5)))));
}

/// The kernel answers a ping, and completes a checksum that we leave to it.
#[test]
fn the_kernel_is_a_peer() {
    let Some(mut uplink) = tap(&name(4), 1) else { return };
    if !ip(&format!("addr add {}/24 dev {}", dotted(1), name(4))) {
        return;
    }
    let mac = std::fs::read_to_string(format!("/sys/class/net/{}/address", name(4))).unwrap();
    let mac: Vec<u8> =
        mac.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let mac: [u8; 6] = mac.try_into().unwrap();
    assert!(ip(&format!("neigh replace {} lladdr 02:00:00:00:00:11 dev {}", dotted(2), name(4))));
    let mut hand = Hand::new();

    let mut ping = Vec::new();
    let builder = PacketBuilder::ethernet2(US, mac).ipv4(net(2), net(1), 64);
    builder.icmpv4_echo_request(1, 2).write(&mut ping, &[5; 56]).unwrap();
    hand.send(&mut *only(&mut uplink).receive, &[(ping, Offload::default())]);
    let pong =
        |frame: &Vec<u8>| frame[..6] == US && frame.len() > 34 && frame[23] == 1 && frame[34] == 0;
    let end = Instant::now() + PATIENCE;
    let mut seen = false;
    while !seen && Instant::now() < end {
        seen = hand.fetch_some(only(&mut uplink), 1).iter().any(pong);
    }
    assert!(seen, "no answer to the ping");

    let socket = UdpSocket::bind((dotted(1), 4000)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut bytes, _) = frame(US, mac, 9);
    bytes[40..42].copy_from_slice(&[0x12, 0x34]); // wrong
    let wrong = (bytes.clone(), Offload::default());
    let pseudo = crate::finish::Sum::default().add(&bytes[26..34]).add_word(108).add_word(17);
    bytes[40..42].copy_from_slice(&pseudo.checksum().map(|byte| !byte));
    let checksum = Checksum::Partial { start: 34, offset: 6 };
    let partial = (bytes, Offload { checksum, segmentation: None });
    hand.send(&mut *only(&mut uplink).receive, &[wrong, partial]);
    let mut payload = [0; 200];
    assert_eq!(socket.recv(&mut payload).unwrap(), 100);
    assert_eq!(payload[..100], [9; 100]);
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut payload).is_err(), "the wrong one got through");
}

/// Many datagrams in one frame, in both directions; cut by us if this kernel's taps don't take them.
#[test]
fn the_kernel_takes_long_frames_of_datagrams_and_sends_them() {
    let Some(mut uplink) = tap(&name(12), 1) else { return };
    if !ip(&format!("addr add {}/24 dev {}", dotted(3), name(12))) {
        return;
    }
    let mac = std::fs::read_to_string(format!("/sys/class/net/{}/address", name(12))).unwrap();
    let mac: Vec<u8> =
        mac.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    assert!(ip(&format!("neigh replace {} lladdr 02:00:00:00:00:11 dev {}", dotted(4), name(12))));
    let socket = UdpSocket::bind((dotted(3), 4001)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ethernet2(US, mac.try_into().unwrap());
    let builder = builder.ipv4(net(4), net(3), 64).udp(7, 4001);
    builder.write(&mut bytes, &[3; 2500]).unwrap();
    let pseudo = crate::finish::Sum::default().add(&bytes[26..34]).add_word(2508).add_word(17);
    bytes[40..42].copy_from_slice(&pseudo.checksum().map(|byte| !byte));
    let segmentation = Some(Segmentation { kind: SegmentationKind::Udp4, size: 1000, ecn: false });
    let offload = Offload { checksum: Checksum::Partial { start: 34, offset: 6 }, segmentation };
    let takes = only(&mut uplink).receive.accepts().contains(offload.needs());
    println!("this kernel's taps take datagrams to be cut: {takes}");
    let mut hand = Hand::new();
    let receive = &mut *only(&mut uplink).receive;
    hand.deliver(&mut Finisher::new(), receive, &mut bytes, offload);
    let mut payload = [0; 2000];
    for len in [1000, 1000, 500] {
        assert_eq!(socket.recv(&mut payload).unwrap(), len);
        assert_eq!(payload[..len], [3; 1000][..len]);
    }

    let size: libc::c_int = 1000;
    #[expect(unsafe_code, reason = "std and rustix don't know the option")]
    // SAFETY: UDP_SEGMENT is an int, given by its address and its length.
    let set = unsafe {
        let (value, len) = ((&raw const size).cast(), size_of_val(&size) as libc::socklen_t);
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, value, len)
    };
    assert_eq!(set, 0);
    socket.send_to(&[4; 2500], (dotted(4), 9)).unwrap();
    let mut sent = Vec::new();
    let end = Instant::now() + PATIENCE;
    let ours = |(bytes, _): &(Vec<u8>, Offload)| bytes.len() > 42 && bytes[42] == 4;
    while sent.iter().map(|(bytes, _): &(Vec<u8>, _)| bytes.len() - 42).sum::<usize>() < 2500 {
        assert!(Instant::now() < end, "{sent:?}");
        sent.extend(hand.fetch(&mut *only(&mut uplink).transmit).unwrap().into_iter().filter(ours));
    }
    if takes {
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].1.segmentation, segmentation);
    }
}

const AMOUNT: usize = 2_000_000;

fn content() -> impl Iterator<Item = u8> {
    (0..AMOUNT as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
}

/// Not a test by itself: the two ends of a TCP connection, each run in its own namespace by the test below.
#[test]
fn tcp_end() {
    match std::env::var("PANDO_TCP_END").as_deref() {
        Ok("listen") => {
            let listener = TcpListener::bind("[::]:5000").unwrap();
            println!("listening");
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut received = Vec::new();
                stream.read_to_end(&mut received).unwrap();
                assert!(received.iter().copied().eq(content()));
                stream.write_all(b"ok").unwrap();
            }
        }
        Ok("connect") => {
            for address in ["198.51.100.1:5000", "[fd00::1]:5000"] {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(&content().collect::<Vec<_>>()).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                assert_eq!(answer, "ok");
            }
        }
        _ => {}
    }
}

fn tcp_end_in(namespace: &str, role: &str) -> std::process::Child {
    Command::new("ip")
        .args(["netns", "exec", namespace])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "uplink::tap::tests::tcp_end", "--nocapture"])
        .env("PANDO_TCP_END", role)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Two kernels' TCP through two taps and us in between: long frames pass as they are one way round, and cut by us the other.
#[test]
fn tcp_passes_long_and_cut() {
    let Some(_) = tap(&name(9), 1) else { return };
    let Some(namespaces) = Namespaces::new([name(7), name(8)]) else { return };
    for cut in [false, true] {
        let names = if cut { [name(10), name(11)] } else { [name(5), name(6)] };
        let (mut a, mut b) = (tap(&names[0], 1).unwrap(), tap(&names[1], 1).unwrap());
        for (number, (namespace, tap)) in namespaces.0.iter().zip(names).enumerate() {
            let number = number + 1;
            assert!(ip(&format!("link set {tap} netns {namespace}")));
            for words in [
                format!("addr add 198.51.100.{number}/24 dev {tap}"),
                format!("addr add fd00::{number}/64 dev {tap} nodad"),
                format!("link set {tap} up"),
            ] {
                assert!(ip(&format!("-n {namespace} {words}")), "{words}");
            }
        }
        let mut listener = tcp_end_in(&namespaces.0[0], "listen");
        let mut said = vec![0; 4096];
        let mut output = listener.stdout.take().unwrap();
        let mut heard = String::new();
        while !heard.contains("listening") {
            let len = output.read(&mut said).unwrap();
            assert!(len > 0, "the listener has ended");
            heard += &String::from_utf8_lossy(&said[..len]);
        }
        let mut connector = tcp_end_in(&namespaces.0[1], "connect");
        let mut hand = Hand::new();
        let mut finisher = Finisher::new();
        let mut kinds = [false; 2];
        let end = Instant::now() + PATIENCE * 6;
        let status = loop {
            assert!(Instant::now() < end, "the transfer hangs");
            let there =
                forward(&mut hand, &mut finisher, only(&mut a), only(&mut b), cut, &mut kinds);
            let back =
                forward(&mut hand, &mut finisher, only(&mut b), only(&mut a), cut, &mut kinds);
            if there + back == 0 {
                wait(&only(&mut b).readable, Duration::from_millis(1));
            }
            if let Some(status) = connector.try_wait().unwrap() {
                break status;
            }
        };
        assert!(status.success());
        assert!(listener.wait().unwrap().success());
        assert_eq!(kinds, [true, true], "no long frames were seen");
        let segments = finisher.counters().segments.get();
        assert_eq!(segments > 2 * AMOUNT as u64 / 1500, cut, "{segments}");
        for uplink in [&a, &b] {
            assert_eq!(uplink.counters.out_dropped_refused.get(), 0);
            assert_eq!(uplink.counters.in_dropped_header.get(), 0);
        }
        println!("cut: {cut}, segments: {segments}, frames: {:?}", b.counters);
    }
}

/// Hands what `from` has to `to`; returns how many frames that were.
fn forward(
    hand: &mut Hand,
    finisher: &mut Finisher,
    from: &mut UplinkQueue,
    to: &mut UplinkQueue,
    cut: bool,
    kinds: &mut [bool; 2],
) -> usize {
    let frames = hand.fetch(&mut *from.transmit).unwrap();
    let count = frames.len();
    for (mut bytes, offload) in frames {
        if let Some(Segmentation { kind, .. }) = offload.segmentation {
            kinds[usize::from(kind == SegmentationKind::Tcp6)] = true;
        }
        if cut {
            let mut picky = Picky(&mut *to.receive);
            hand.deliver(finisher, &mut picky, &mut bytes, offload);
        } else {
            hand.send(&mut *to.receive, &[(bytes, offload)]);
        }
    }
    count
}

/// A receiver that takes finished frames only.
struct Picky<'r>(&'r mut dyn Receive);

impl Receive for Picky<'_> {
    fn accepts(&self) -> Accepts {
        Accepts::empty()
    }

    fn deliver(
        &mut self,
        guard: &Guard<'_>,
        batch: &Batch<'_>,
        frames: &[u16],
    ) -> Result<usize, QueueError> {
        self.0.deliver(guard, batch, frames)
    }

    fn arm(&mut self, guard: &Guard<'_>) -> Result<bool, QueueError> {
        self.0.arm(guard)
    }
}

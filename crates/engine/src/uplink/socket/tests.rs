use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::SocketConfig;
use crate::uplink::testing::{Hand, PATIENCE, Sleeper, only, plain, wait};
use crate::uplink::{Uplink, UplinkConfig, UplinkError};
use crate::{MAX_FRAME, QueueError};

fn open(config: SocketConfig) -> Result<Uplink, UplinkError> {
    UplinkConfig::Socket(config).open(1)
}

fn directory() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("uplink.sock");
    (directory, path)
}

/// Fetches until the carrier is as wanted.
fn until_carrier(hand: &mut Hand, uplink: &mut Uplink, up: bool) {
    let end = Instant::now() + PATIENCE;
    while uplink.carrier.is_up() != up && Instant::now() < end {
        hand.fetch(&mut *only(uplink).transmit).unwrap();
        wait(&only(uplink).readable, Duration::from_millis(20));
    }
    assert_eq!(uplink.carrier.is_up(), up);
}

/// Sends frames both ways and compares.
fn exchange(hand: &mut Hand, a: &mut Uplink, b: &mut Uplink) {
    let sizes = [14, 60, 1514, 9018, MAX_FRAME];
    let frames: Vec<_> = sizes.iter().enumerate().map(|(i, len)| plain(i as u8, *len)).collect();
    for (from, to) in [(0, 1), (1, 0)] {
        let ends = [&mut *a, &mut *b];
        hand.send(&mut *ends[from].queues[0].receive, &frames);
        let got = hand.fetch_some(only(ends[to]), frames.len());
        assert!(got.iter().eq(frames.iter().map(|(bytes, _)| bytes)), "{from} to {to}");
    }
}

#[test]
fn two_ends_of_a_stream() {
    let (_directory, path) = directory();
    let mut hand = Hand::new();
    // The one that connects is there first, and waits for the other.
    let mut b = open(SocketConfig::Connect(path.clone())).unwrap();
    hand.fetch(&mut *only(&mut b).transmit).unwrap();
    hand.send(&mut *only(&mut b).receive, &[plain(0, 60)]);
    assert_eq!(b.counters.out_dropped_down.get(), 1);
    let mut a = open(SocketConfig::Listen(path.clone())).unwrap();
    until_carrier(&mut hand, &mut b, true);
    until_carrier(&mut hand, &mut a, true);
    exchange(&mut hand, &mut a, &mut b);
    // The listener goes, and another comes.
    drop(a);
    assert!(!path.exists());
    until_carrier(&mut hand, &mut b, false);
    let mut a = open(SocketConfig::Listen(path)).unwrap();
    until_carrier(&mut hand, &mut b, true);
    until_carrier(&mut hand, &mut a, true);
    exchange(&mut hand, &mut a, &mut b);
}

#[test]
fn a_change_of_carrier_is_told() {
    let (_directory, path) = directory();
    let mut hand = Hand::new();
    let mut uplink = open(SocketConfig::Listen(path.clone())).unwrap();
    let (told, changes) = std::sync::mpsc::channel();
    uplink.carrier.watch(move || told.send(()).unwrap());
    let peer = UnixStream::connect(&path).unwrap();
    until_carrier(&mut hand, &mut uplink, true);
    drop(peer);
    until_carrier(&mut hand, &mut uplink, false);
    assert_eq!(changes.try_iter().count(), 2);
}

#[test]
fn two_ends_of_datagrams() {
    let (_directory, path) = directory();
    let mut hand = Hand::new();
    let datagram = |local: Option<&Path>, remote: Option<&Path>| SocketConfig::Datagram {
        local: local.map(Into::into),
        remote: remote.map(Into::into),
    };
    let mut a = open(datagram(Some(&path), None)).unwrap();
    let mut b = open(datagram(None, Some(&path))).unwrap();
    // Nobody has spoken to `a` yet.
    hand.send(&mut *only(&mut a).receive, &[plain(0, 60)]);
    assert_eq!(a.counters.out_dropped_down.get(), 1);
    hand.send(&mut *only(&mut b).receive, &[plain(9, 60)]);
    assert_eq!(hand.fetch_some(only(&mut a), 1), [plain(9, 60).0]);
    exchange(&mut hand, &mut a, &mut b);
    drop(a);
    assert!(!path.exists());
    hand.send(&mut *only(&mut b).receive, &[plain(9, 60)]);
    assert_eq!(b.counters.out_dropped_down.get(), 1);
    // Both with a path, as QEMU wants it.
    let other = path.with_extension("other");
    let mut a = open(datagram(Some(&path), Some(&other))).unwrap();
    let mut b = open(datagram(Some(&other), Some(&path))).unwrap();
    exchange(&mut hand, &mut a, &mut b);
}

#[test]
fn a_stream_peer_may_say_anything() {
    let (_directory, path) = directory();
    let mut hand = Hand::new();
    let mut uplink = open(SocketConfig::Listen(path.clone())).unwrap();
    let mut peer = UnixStream::connect(&path).unwrap();
    until_carrier(&mut hand, &mut uplink, true);

    let framed = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    let good = framed(&plain(7, 100).0);
    let mut bytes = Vec::new();
    bytes.extend(framed(&[])); // no bytes
    bytes.extend(framed(&[0; 13])); // a runt
    bytes.extend(&good);
    bytes.extend(framed(&vec![0xff; MAX_FRAME + 1])); // oversize, and skipped
    bytes.extend(&good);
    let writer = std::thread::spawn({
        let mut peer = peer.try_clone().unwrap();
        move || peer.write_all(&bytes)
    });
    assert_eq!(hand.fetch_some(only(&mut uplink), 2), [plain(7, 100).0, plain(7, 100).0]);
    writer.join().unwrap().unwrap();
    assert_eq!(uplink.counters.in_dropped_runt.get(), 2);
    assert_eq!(uplink.counters.in_dropped_oversize.get(), 1);

    // One byte at a time.
    for byte in &good {
        peer.write_all(&[*byte]).unwrap();
        hand.arm(&mut *only(&mut uplink).transmit);
    }
    assert_eq!(hand.fetch_some(only(&mut uplink), 1), [plain(7, 100).0]);

    // Half a frame, then gone; the next peer starts afresh.
    peer.write_all(&good[..50]).unwrap();
    drop(peer);
    until_carrier(&mut hand, &mut uplink, false);
    let mut peer = UnixStream::connect(&path).unwrap();
    peer.write_all(&good).unwrap();
    assert_eq!(hand.fetch_some(only(&mut uplink), 1), [plain(7, 100).0]);

    // A length of 4 GiB costs nothing.
    peer.write_all(&[0xff; 100_000]).unwrap();
    hand.fetch(&mut *only(&mut uplink).transmit).unwrap();
    assert_eq!(uplink.counters.in_dropped_oversize.get(), 2);
    drop(peer);
    until_carrier(&mut hand, &mut uplink, false);
}

#[test]
fn a_flooding_peer_is_cut_into_batches() {
    let (_directory, path) = directory();
    let mut hand = Hand::new();
    let mut uplink = open(SocketConfig::Listen(path.clone())).unwrap();
    for frame in [plain(7, 60).0, vec![0; 3]] {
        let mut peer = UnixStream::connect(&path).unwrap();
        let flood = [&(frame.len() as u32).to_be_bytes()[..], &frame].concat().repeat(1000);
        let writer = std::thread::spawn(move || while peer.write_all(&flood).is_ok() {});
        until_carrier(&mut hand, &mut uplink, true);
        for _ in 0..200 {
            assert!(hand.fetch(&mut *only(&mut uplink).transmit).unwrap().len() <= 64);
        }
        // The flood ends when its connection does.
        drop(std::mem::replace(&mut uplink, open(SocketConfig::Connect(path.clone())).unwrap()));
        writer.join().unwrap();
        uplink = open(SocketConfig::Listen(path.clone())).unwrap();
    }
}

#[test]
fn a_stalled_peer_costs_frames_only() {
    let (_directory, path) = directory();
    let mut hand = Hand::new();
    let mut uplink = open(SocketConfig::Listen(path.clone())).unwrap();
    let mut peer = UnixStream::connect(&path).unwrap();
    until_carrier(&mut hand, &mut uplink, true);
    let frames: Vec<_> = (0..64).map(|tag| plain(tag, 1514)).collect();
    for _ in 0..100 {
        hand.send(&mut *only(&mut uplink).receive, &frames);
    }
    let (sent, full) = (uplink.counters.out_frames.get(), uplink.counters.out_dropped_full.get());
    assert_eq!(sent + full, 6400);
    assert!(full > 0 && sent > 100, "{sent} {full}");
    // The peer wakes up: what was taken arrives whole, also what was left in the buffer.
    peer.set_nonblocking(true).unwrap();
    let mut received = Vec::new();
    let mut chunk = vec![0; 65536];
    while (received.len() as u64) < sent * (4 + 1514) {
        match peer.read(&mut chunk) {
            Ok(len) => received.extend(&chunk[..len]),
            Err(_) => {
                assert!(wait(&only(&mut uplink).readable, PATIENCE), "nobody writes the rest");
                hand.fetch(&mut *only(&mut uplink).transmit).unwrap();
            }
        }
    }
    assert_eq!(received.len() as u64, sent * (4 + 1514));
    for frame in received.chunks(4 + 1514) {
        assert_eq!(frame[..4], 1514u32.to_be_bytes());
        assert_eq!(frame[4..], plain(frame[40], 1514).0);
    }
}

#[test]
fn a_datagram_peer_may_say_anything() {
    let (directory, path) = directory();
    let mut hand = Hand::new();
    let mut uplink =
        open(SocketConfig::Datagram { local: Some(path.clone()), remote: None }).unwrap();
    let peer = UnixDatagram::bind(directory.path().join("peer")).unwrap();
    let nobody = UnixDatagram::unbound().unwrap();
    for bytes in [vec![], vec![0; 13], vec![0; MAX_FRAME + 1], vec![0; MAX_FRAME + 5000]] {
        peer.send_to(&bytes, &path).unwrap();
    }
    nobody.send_to(&plain(5, 60).0, &path).unwrap();
    peer.send_to(&plain(6, 60).0, &path).unwrap();
    nobody.send_to(&plain(7, 60).0, &path).unwrap();
    let got = hand.fetch_some(only(&mut uplink), 3);
    assert_eq!(got, [plain(5, 60).0, plain(6, 60).0, plain(7, 60).0]);
    assert_eq!(uplink.counters.in_dropped_runt.get(), 2);
    assert_eq!(uplink.counters.in_dropped_oversize.get(), 2);
    // The answer goes to the one that has an address; it doesn't read, and that blocks nobody.
    let frames = vec![plain(1, 1514); 2000];
    hand.send(&mut *only(&mut uplink).receive, &frames);
    assert!(uplink.counters.out_dropped_full.get() > 0);
    let mut bytes = [0; 2000];
    assert_eq!(peer.recv(&mut bytes).unwrap(), 1514);
}

#[test]
fn socket_files_are_taken_over_only_from_the_dead() {
    let (_directory, path) = directory();
    let listen = || open(SocketConfig::Listen(path.clone()));
    let datagram = || open(SocketConfig::Datagram { local: Some(path.clone()), remote: None });
    drop(UnixListener::bind(&path).unwrap()); // leaves its file behind
    let uplink = listen().unwrap();
    assert!(matches!(listen(), Err(UplinkError::SocketBusy(_))));
    assert!(matches!(datagram(), Err(UplinkError::SocketBusy(_))));
    drop(uplink);
    drop(UnixDatagram::bind(&path).unwrap());
    let uplink = datagram().unwrap();
    assert!(matches!(datagram(), Err(UplinkError::SocketBusy(_))));
    // Somebody has put another file there: it isn't ours to remove.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    drop(uplink);
    assert!(matches!(listen(), Err(UplinkError::NotASocket(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    let long = path.with_file_name("x".repeat(120));
    assert!(matches!(open(SocketConfig::Connect(long.clone())), Err(UplinkError::SocketPath(_))));
    assert!(matches!(open(SocketConfig::Listen(long)), Err(UplinkError::SocketPath(_))));
    let nowhere = SocketConfig::Datagram { local: None, remote: None };
    assert!(matches!(open(nowhere), Err(UplinkError::NoAddress)));
    let no_directory = path.with_file_name("no").join("such");
    assert!(matches!(open(SocketConfig::Listen(no_directory)), Err(UplinkError::Io { .. })));
}

#[test]
fn a_lost_peer_is_no_error_of_the_queue() {
    let (_directory, path) = directory();
    let mut hand = Hand::new();
    let mut uplink = open(SocketConfig::Listen(path.clone())).unwrap();
    drop(UnixStream::connect(&path).unwrap());
    for _ in 0..3 {
        let fetched: Result<_, QueueError> = hand.fetch(&mut *only(&mut uplink).transmit);
        assert_eq!(fetched, Ok(vec![]));
        hand.send(&mut *only(&mut uplink).receive, &[plain(1, 60)]);
    }
    assert!(!uplink.carrier.is_up());
}

/// A worker sleeps on edges: whenever it armed in vain, what comes next wakes it.
#[test]
fn no_edge_is_lost() {
    let (_directory, path) = directory();
    let other = path.with_extension("other");
    let pairs = [
        (SocketConfig::Listen(path.clone()), SocketConfig::Connect(path.clone())),
        (
            SocketConfig::Datagram { local: Some(path.clone()), remote: Some(other.clone()) },
            SocketConfig::Datagram { local: Some(other), remote: Some(path) },
        ),
    ];
    for (a, b) in pairs {
        let (mut a, mut b) = (open(a).unwrap(), open(b).unwrap());
        let mut hand = Hand::new();
        until_carrier(&mut hand, &mut a, true);
        let received = Arc::new(AtomicU32::new(0));
        let sender = std::thread::spawn({
            let received = received.clone();
            move || {
                for round in 0..500u32 {
                    hand.send(&mut *only(&mut a).receive, &[plain(round as u8, 60)]);
                    while received.load(SeqCst) == round {
                        std::thread::yield_now();
                    }
                    // Now and then long enough for the other to fall asleep.
                    std::thread::sleep(Duration::from_micros(u64::from(round * 7 % 50)));
                }
                a
            }
        });
        let mut hand = Hand::new();
        let mut sleeper = Sleeper::new(only(&mut b));
        for round in 0..500u32 {
            assert_eq!(hand.fetch_asleep(&mut sleeper, only(&mut b), 1).len(), 1, "{round}");
            received.store(round + 1, SeqCst);
        }
        sender.join().unwrap();
    }
}

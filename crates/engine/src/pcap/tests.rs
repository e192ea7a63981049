use std::collections::HashMap;

use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use vm_memory::VolatileSlice;

use super::*;
use crate::{Batch, Offload};

fn record(port: &CapturePort, direction: Direction, bytes: &mut [u8]) {
    let mut batch = Batch::new();
    let (a, b) = bytes.split_at_mut(70.min(bytes.len() / 2));
    assert!(batch.push(&[VolatileSlice::from(a), VolatileSlice::from(b)], Offload::default()));
    port.frame(direction, batch.frame(0));
}

/// What a reader of the file sees of one frame.
#[derive(Debug, PartialEq)]
struct Seen {
    port: String,
    flags: u32,
    len: u32,
    bytes: Vec<u8>,
}

fn read(path: &Path) -> Vec<Seen> {
    let mut reader = PcapNgReader::new(File::open(path).unwrap()).unwrap();
    let (mut names, mut seen) = (HashMap::new(), Vec::new());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(interface) => {
                let name = interface.options.iter().find_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                });
                assert!(interface.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
                names.insert(names.len() as u32, name.unwrap());
            }
            Block::EnhancedPacket(packet) => {
                let [EnhancedPacketOption::Flags(flags)] = packet.options[..] else {
                    panic!("no flags");
                };
                assert!(
                    packet.timestamp <= now && now - packet.timestamp < Duration::from_secs(600)
                );
                seen.push(Seen {
                    port: names[&packet.interface_id].clone(),
                    flags,
                    len: packet.original_len,
                    bytes: packet.data.to_vec(),
                });
            }
            other => panic!("unexpected block {other:?}"),
        }
    }
    seen
}

#[test]
fn frames_of_several_ports_are_in_the_file_at_the_end() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("out.pcapng");
    let capture = CaptureFile::create(&path, 200).unwrap();
    let (vf, uplink) = (capture.port("nic0.vf3"), capture.port("nic0.uplink"));
    record(&uplink, Direction::Inbound, &mut [1; 60]);
    record(&vf, Direction::Outbound, &mut [2; 1514]);
    let late = capture.port("nic0.pf");
    record(&late, Direction::Inbound, &mut [3; 65]);
    drop(capture);
    record(&late, Direction::Inbound, &mut [4; 65]); // after the end: nothing
    let seen = |port: &str, flags, len, fill, kept| Seen {
        port: port.into(),
        flags,
        len,
        bytes: vec![fill; kept],
    };
    let expected = [
        seen("nic0.uplink", 1, 60, 1, 60),
        seen("nic0.vf3", 2, 1514, 2, 200),
        seen("nic0.pf", 1, 65, 3, 65),
    ];
    assert_eq!(read(&path), expected);
}

#[test]
fn what_the_thread_can_not_keep_up_with_is_counted() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("out.pcapng");
    let capture = CaptureFile::create(&path, crate::MAX_FRAME).unwrap();
    let ports = [capture.port("a"), capture.port("b")];
    std::thread::scope(|scope| {
        for port in &ports {
            scope
                .spawn(|| (0..3000).for_each(|_| record(port, Direction::Inbound, &mut [1; 9000])));
        }
    });
    let (frames, dropped) = (capture.counters().frames.get(), capture.counters().dropped.get());
    assert_eq!(frames + dropped, 6000);
    let shared = capture.shared.clone();
    drop(capture);
    assert_eq!(shared.waiting.load(SeqCst), 0);
    assert_eq!(read(&path).len() as u64, frames);
}

#[test]
fn memory_has_a_bound() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("out.pcapng");
    let capture = CaptureFile::create(&path, crate::MAX_FRAME).unwrap();
    let port = capture.port("a");
    // As if so much were waiting.
    capture.shared.waiting.store(BYTES - 100, SeqCst);
    record(&port, Direction::Inbound, &mut [1; 101]);
    assert_eq!(capture.counters().dropped.get(), 1);
    record(&port, Direction::Inbound, &mut [1; 100]);
    assert_eq!(capture.counters().frames.get(), 1);
}

#[test]
fn a_file_that_can_not_be_written_harms_nobody() {
    let directory = tempfile::TempDir::new().unwrap();
    assert!(CaptureFile::create(&directory.path().join("no/such/place"), 64).is_err());
    if let Ok(capture) = CaptureFile::create(Path::new("/dev/full"), 9000) {
        let port = capture.port("a");
        for _ in 0..200 {
            record(&port, Direction::Inbound, &mut [1; 9000]);
        }
        let shared = capture.shared.clone();
        drop(capture);
        assert!(shared.counters.failed.get() > 0);
    }
}

#[test]
fn an_uplink_that_records() {
    use crate::uplink::testing::{Hand, only, plain};
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("out.pcapng");
    let capture = CaptureFile::create(&path, 64).unwrap();
    let mut uplink = crate::uplink::recorder(capture.port("cable")).unwrap();
    let mut hand = Hand::new();
    hand.send(&mut *only(&mut uplink).receive, &[plain(1, 60), plain(2, 9000)]);
    assert_eq!(hand.fetch(&mut *only(&mut uplink).transmit), Ok(vec![]));
    drop(capture);
    let lens: Vec<u32> = read(&path).iter().map(|seen| seen.len).collect();
    assert_eq!(lens, [60, 9000]);
    assert_eq!((uplink.counters.out_frames.get(), uplink.counters.out_bytes.get()), (2, 9060));
}

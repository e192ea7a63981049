//! Uplinks, faults and captures as a card has them: behind real workers and a switch, through the public interface only.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use etherparse::PacketBuilder;
use pando_engine::fault::{Faults, inject};
use pando_engine::pcap::CaptureFile;
use pando_engine::uplink::{SocketConfig, Uplink, UplinkConfig};
use pando_engine::{Engine, Filter, Port, PortKind, ReceiveHandle, Switch, TaskHandle};
use pando_tlp::Epochs;
use pcap_file::pcapng::{Block, PcapNgReader};

/// Connects an uplink to a port.
fn connect(engine: &Engine, port: &Arc<Port>, uplink: Uplink) -> Vec<(TaskHandle, ReceiveHandle)> {
    let queues = uplink.queues.into_iter().enumerate();
    queues
        .map(|(index, queue)| {
            let index = index as u16;
            let receive = engine.receive(port, index, queue.receive, Box::new(|_| {}));
            let transmit = engine
                .source(port, index, queue.transmit, queue.readable, Box::new(|_| {}))
                .unwrap();
            (transmit, receive)
        })
        .collect()
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

/// The next frame of a stream.
fn next(peer: &mut UnixStream) -> Vec<u8> {
    let mut len = [0; 4];
    peer.read_exact(&mut len).unwrap();
    let mut bytes = vec![0; u32::from_be_bytes(len) as usize];
    peer.read_exact(&mut bytes).unwrap();
    bytes
}

/// Somebody at a socket pings what is behind the mirror, with pauses in which all workers go to sleep.
#[test]
fn a_ping_through_two_uplinks_is_answered_and_recorded() {
    let directory = tempfile::TempDir::new().unwrap();
    let (socket, file) = (directory.path().join("s"), directory.path().join("out.pcapng"));
    let epochs = Epochs::new();
    let engine = Engine::new(2, epochs).unwrap();
    let switch = Switch::new("nic0");
    let (outside, function) =
        (switch.port("uplink", PortKind::Uplink), switch.port("pf", PortKind::Function));
    function.set_filter(Filter { link_up: true, promiscuous: true, ..Filter::default() });
    let capture = CaptureFile::create(&file, 64).unwrap();
    outside.set_capture(Some(Arc::new(capture.port("uplink"))));

    let late = Faults { delay: 0.5, delay_by: Duration::from_millis(3), ..Faults::default() };
    let (mirror, faults) = inject(UplinkConfig::Loopback.open(1).unwrap(), late).unwrap();
    let tap = UplinkConfig::Socket(SocketConfig::Listen(socket.clone())).open(1).unwrap();
    let handles = [connect(&engine, &outside, mirror), connect(&engine, &function, tap)];

    let mut peer = UnixStream::connect(&socket).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    for number in 0..50u16 {
        let mut bytes = Vec::new();
        PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .icmpv4_echo_request(1, number)
            .write(&mut bytes, &[7; 100])
            .unwrap();
        peer.write_all(&framed(&bytes)).unwrap();
        let answer = next(&mut peer);
        assert_eq!((answer[..6].to_vec(), answer[34]), (vec![2, 0, 0, 0, 0, 1], 0));
        assert_eq!(answer[40..42], number.to_be_bytes());
        std::thread::sleep(Duration::from_millis(u64::from(number % 4)));
    }
    assert!(faults.delayed.get() > 20);
    drop(handles);
    assert!(!socket.exists());
    drop(capture);

    let mut reader = PcapNgReader::new(std::fs::File::open(&file).unwrap()).unwrap();
    let mut packets = 0;
    while let Some(block) = reader.next_block() {
        packets += usize::from(matches!(block.unwrap(), Block::EnhancedPacket(_)));
    }
    assert_eq!(packets, 100);
}

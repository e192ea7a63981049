//! Requests of functions: RAM, interrupts, peers, gates; and writes that stop the world they came from.

use pando_pci::Region;
use pando_tlp::{Access, Fault, Gpa, Iova, Target};

use super::support::{Fake, RAM_SIZE, Woods, config, eventually};
use crate::FabricConfig;

fn written(device: &Fake) -> Vec<(Region, u64, Vec<u8>)> {
    device.written.lock().unwrap().clone()
}

#[test]
fn ram_is_reached_by_identity_without_an_iommu_and_ends_where_it_ends() {
    let woods = Woods::new(config(), false);
    let dma = &woods.devices[2].dma;
    dma.write(Iova(0x1234), b"aspen").unwrap();
    let mut data = [0; 5];
    dma.read(Iova(0x1234), &mut data).unwrap();
    assert_eq!(&data, b"aspen");
    let Target::Ram { start, run, .. } = dma.resolve(Iova(0x1234), Access::Read).unwrap() else {
        panic!("not RAM")
    };
    assert_eq!((start, run.gpa, run.len()), (Iova(0), Gpa(0), RAM_SIZE));
    assert_eq!(dma.read(Iova(RAM_SIZE - 2), &mut data), Err(Fault::UnsupportedRequest));
    assert_eq!(dma.write(Iova(u64::MAX - 2), &data), Err(Fault::UnsupportedRequest));
    assert_eq!(dma.read(Iova(super::support::ECAM), &mut data), Err(Fault::UnsupportedRequest));
}

#[test]
fn an_interrupt_is_one_aligned_dword_into_its_range() {
    let woods = Woods::new(config(), true);
    let device = &woods.devices[1];
    device.dma.write(Iova(0xfee0_1004), &0x42_u32.to_le_bytes()).unwrap();
    let messages = woods.outside.messages.lock().unwrap().clone();
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].address, messages[0].data), (0xfee0_1004, 0x1_0042));
    assert_eq!(*woods.outside.asked.lock().unwrap(), [(device.id(), 0xfee0_1004)]);
    for (address, len) in [(0xfee0_1004, 8), (0xfee0_1002, 4), (0xfee0_1004, 1)] {
        assert!(device.dma.write(Iova(address), &[0; 8][..len]).is_err());
    }
    assert!(device.dma.read(Iova(0xfee0_1004), &mut [0; 4]).is_err());
    assert!(matches!(device.dma.resolve(Iova(0xfee0_1004), Access::Write), Ok(Target::Device)));
    assert_eq!(woods.outside.messages.lock().unwrap().len(), 1);
}

#[test]
fn a_sibling_is_reached_across_the_switch_without_the_iommu() {
    let woods = Woods::new(config(), true);
    let [_, sender, target, _] = &woods.devices;
    sender.dma.write(Iova(target.bar() + 0x10), &[1, 2, 3, 4, 5, 6]).unwrap();
    eventually(|| written(target).len() == 2);
    let expected = [(Region::Bar(0), 0x10, vec![1, 2, 3, 4]), (Region::Bar(0), 0x14, vec![5, 6])];
    assert_eq!(written(target), expected);
    let mut data = [0; 8];
    sender.dma.read(Iova(target.bar() + 0x20), &mut data).unwrap();
    assert_eq!(u64::from_le_bytes(data) as u32, 0x20);
    assert!(matches!(sender.dma.resolve(Iova(target.bar()), Access::Read), Ok(Target::Device)));
    assert!(woods.outside.asked.lock().unwrap().is_empty(), "the IOMMU never saw it");
}

#[test]
fn a_device_deeper_or_higher_in_the_switch_is_a_peer_too() {
    let woods = Woods::new(config(), true);
    let [upper, _, deep, _] = &woods.devices;
    upper.dma.write(Iova(deep.bar()), &[1; 4]).unwrap();
    deep.dma.write(Iova(upper.bar()), &[2; 4]).unwrap();
    eventually(|| written(upper).len() + written(deep).len() == 2);
    assert!(woods.outside.asked.lock().unwrap().is_empty());
}

#[test]
fn an_own_window_is_nobodys() {
    let woods = Woods::new(config(), false);
    let device = &woods.devices[1];
    let own = Iova(device.bar());
    assert_eq!(device.dma.read(own, &mut [0; 4]), Err(Fault::UnsupportedRequest));
    assert_eq!(device.dma.write(own, &[0; 4]), Err(Fault::UnsupportedRequest));
}

#[test]
fn root_ports_are_connected_only_if_the_root_complex_is_said_to_route() {
    for peer_to_peer in [false, true] {
        let woods = Woods::new(FabricConfig { peer_to_peer, ..config() }, false);
        let [_, sender, _, target] = &woods.devices;
        let read = sender.dma.read(Iova(target.bar()), &mut [0; 4]);
        assert_eq!(read.is_ok(), peer_to_peer);
    }
}

#[test]
fn what_the_iommu_says_decides_after_redirection() {
    for (mapped, peer_to_peer) in [(false, false), (true, false), (true, true)] {
        let woods = Woods::new(FabricConfig { peer_to_peer, ..config() }, true);
        let [_, sender, sibling, other] = &woods.devices;
        for port in ["rp0", "dp1", "dp2"] {
            woods.control(port, 0x1d);
        }
        let outcome = |target: u64| {
            let pages = if mapped { vec![(sibling.bar(), target)] } else { vec![] };
            *woods.outside.pages.lock().unwrap() = pages;
            let mut data = [0; 4];
            sender.dma.read(Iova(sibling.bar() + 8), &mut data).map(|()| u32::from_le_bytes(data))
        };
        let cases = [
            (0x3000, Ok(0)),
            (sibling.bar(), Ok(8)),
            (other.bar(), if peer_to_peer { Ok(8) } else { Err(Fault::UnsupportedRequest) }),
            (super::support::ECAM, Err(Fault::UnsupportedRequest)),
        ];
        for (target, expected) in cases {
            let expected = if mapped { expected } else { Err(Fault::Translation) };
            assert_eq!(outcome(target), expected, "{target:#x} {mapped} {peer_to_peer}");
        }
        let asked = woods.outside.asked.lock().unwrap();
        assert!(asked.iter().all(|(id, _)| *id == sender.id()));
        assert_eq!(asked.len(), 4);
    }
}

#[test]
fn a_window_over_ram_takes_its_addresses_out_of_a_run() {
    let woods = Woods::new(config(), false);
    let guest = woods.guest();
    // A sibling's window over the upper half of RAM: a switch routes by it before the root complex sees the address.
    guest.set_window(guest.find_port("dp3"), RAM_SIZE, RAM_SIZE * 2);
    let dma = &woods.devices[1].dma;
    assert!(matches!(dma.resolve(Iova(0), Access::Read), Ok(Target::Ram { .. })));
    assert!(dma.resolve(Iova(RAM_SIZE), Access::Read).is_err());
    guest.set_window(guest.find_port("dp3"), 0, RAM_SIZE);
    assert!(dma.resolve(Iova(0), Access::Read).is_err(), "into the window, where nobody is");
    let beside = &woods.devices[0].dma;
    assert!(matches!(beside.resolve(Iova(0), Access::Read), Ok(Target::Ram { .. })));
}

#[test]
fn a_write_that_stops_its_target_does_not_stop_its_sender() {
    let woods = Woods::new(config(), false);
    let [_, sender, target, _] = &woods.devices;
    let mut participant = woods.epochs.join();
    {
        let _guard = participant.enter();
        for value in 0..100_u32 {
            sender.dma.write(Iova(target.bar() + target.stops_at), &value.to_le_bytes()).unwrap();
        }
        let mut data = [0; 4];
        sender.dma.read(Iova(target.bar()), &mut data).unwrap();
        assert!(written(target).len() <= 1, "the first one waits for this guard");
    }
    let counts = || woods.fabric.report().counts;
    eventually(|| counts().peer_writes + counts().dropped_peer_writes == 100);
    assert!(counts().dropped_peer_writes > 0, "a sender has a bounded number on the way");
    assert_eq!(counts().unordered_peer_reads, 1);
    let values: Vec<_> = written(target).iter().map(|(_, _, data)| data[0]).collect();
    assert!(values.is_sorted(), "in order");
}

#[test]
fn a_read_sees_the_senders_own_writes_done() {
    let woods = Woods::new(config(), false);
    let [_, sender, target, _] = &woods.devices;
    for count in 1..=50 {
        sender.dma.write(Iova(target.bar()), &[0; 4]).unwrap();
        sender.dma.read(Iova(target.bar()), &mut [0; 4]).unwrap();
        let late = woods.fabric.report().counts.unordered_peer_reads;
        assert!(written(target).len() as u64 + late >= count);
    }
}

#[test]
fn a_stopped_function_sends_nothing_not_even_what_was_on_its_way() {
    let woods = Woods::new(config(), false);
    let [_, sender, target, _] = &woods.devices;
    let mut participant = woods.epochs.join();
    let guard = participant.enter();
    sender.dma.write(Iova(target.bar() + target.stops_at), &[0; 4]).unwrap();
    eventually(|| written(target).len() == 1);
    sender.dma.write(Iova(target.bar()), &[1; 4]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| woods.guest().write16(sender.id(), 0x04, 0x0402));
        eventually(|| sender.dma.write(Iova(0), &[0]) == Err(Fault::Gated));
        drop(guard);
    });
    let gated = woods.fabric.report().counts.gated;
    eventually(|| woods.fabric.report().counts.gated > gated || gated > 1);
    assert_eq!(written(target).len(), 1);
}

#[test]
fn bus_master_of_every_port_above_counts() {
    let woods = Woods::new(config(), false);
    let guest = woods.guest();
    let deep = &woods.devices[1].dma;
    for port in ["rp0", "sw0", "dp1", "sw1", "dp2"] {
        let id = guest.find_port(port);
        deep.write(Iova(0x1000), &[0; 4]).unwrap();
        guest.write16(id, 0x04, 0x0402);
        assert_eq!(deep.write(Iova(0x1000), &[0; 4]), Err(Fault::UnsupportedRequest), "{port}");
        assert!(deep.resolve(Iova(0x1000), Access::Read).is_err());
        assert!(deep.write(Iova(0xfee0_0000), &[0; 4]).is_err(), "interrupts are requests");
        let across = deep.read(Iova(woods.devices[2].bar()), &mut [0; 4]);
        assert_eq!(across.is_ok(), port != "dp2", "peers need only what lies between");
        guest.write16(id, 0x04, 0x0406);
    }
    assert_eq!(woods.fabric.report().counts.closed_port, 5 * 3 + 1);
}

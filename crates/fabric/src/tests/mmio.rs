//! The memory path: windows on the way, RAM first, odd sizes, fixed windows, and how often the map is made.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use pando_pci::Region;
use pando_tlp::{Gpa, Mmio, RequesterId};

use super::support::{BAR0_SIZE, Guest, MMIO64, Machine, RAM_SIZE, VF_BAR_SIZE, Woods, config};
use crate::FabricConfig;

const NOBODY: u64 = u64::MAX;

#[test]
fn every_port_on_the_way_must_let_an_address_through() {
    let woods = Woods::new(config(), false);
    let guest = woods.guest();
    let address = woods.devices[1].bar();
    for port in ["rp0", "sw0", "dp1", "sw1", "dp2"] {
        let port = guest.find_port(port);
        assert_ne!(guest.read_memory(address), NOBODY);
        guest.write16(port, 0x04, 0x0404);
        assert_eq!(guest.read_memory(address), NOBODY, "Memory Space Enable of {port}");
        guest.write16(port, 0x04, 0x0406);
        let saved = [0x24, 0x28, 0x2c].map(|register| guest.read(port, register));
        guest.set_window(port, 0, 0);
        assert_eq!(guest.read_memory(address), NOBODY, "window of {port}");
        for (register, value) in [0x24, 0x28, 0x2c].into_iter().zip(saved) {
            guest.write(port, register, value);
        }
    }
    assert_ne!(guest.read_memory(address), NOBODY);
    guest.write16(woods.devices[1].id(), 0x04, 0);
    assert_eq!(guest.read_memory(address), NOBODY, "its own Memory Space Enable");
}

#[test]
fn a_bar_moves_with_its_register() {
    let mut machine = Machine::plain();
    machine.root_port("rp");
    let device = machine.device("rp");
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.enumerate();
    let old = device.bar();
    guest.set_bar(device.id(), old + 8 * BAR0_SIZE);
    assert_eq!([guest.read_memory(old), guest.read_memory(old + BAR0_SIZE - 8)], [NOBODY; 2]);
    assert_ne!(guest.read_memory(old + 8 * BAR0_SIZE), NOBODY);
    guest.set_bar(device.id(), old + (1 << 20) - BAR0_SIZE);
    fabric.mmio_write(Gpa(old + (1 << 20) - 4), &[7; 8]);
    let written = device.written.lock().unwrap().clone();
    assert_eq!(written, [(Region::Bar(0), BAR0_SIZE - 4, vec![7; 4])], "cut at the window's end");
}

#[test]
fn ram_wins_over_a_bar() {
    let mut machine =
        Machine::new(FabricConfig { mmio32: 0..super::support::ECAM, ..config() }, false);
    machine.root_port("rp");
    let device = machine.device("rp");
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.enumerate();
    let port = guest.find_port("rp");
    guest.set_window(port, 0, 4 << 20);
    guest.set_bar(device.id(), RAM_SIZE - BAR0_SIZE);
    assert_eq!(guest.read_memory(RAM_SIZE - BAR0_SIZE), NOBODY);
    guest.set_bar(device.id(), RAM_SIZE);
    assert_ne!(guest.read_memory(RAM_SIZE), NOBODY);
}

#[test]
fn of_two_claimants_the_first_device_number_has_it() {
    let mut machine = Machine::plain();
    machine.root_port("rp").switch("sw", "rp", &["a", "b"]);
    let devices = ["a", "b"].map(|port| machine.device(port));
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.enumerate();
    let contested = devices[1].bar();
    guest.set_window(guest.find_port("a"), MMIO64, MMIO64 + (2 << 20));
    guest.set_bar(devices[0].id(), contested);
    let owner = |address| (guest.read_memory(address) >> 32) as u16;
    assert_eq!(owner(contested), devices[0].id().0);
    guest.set_bar(devices[0].id(), MMIO64);
    assert_eq!(guest.read_memory(contested), NOBODY, "the first window hides the second");
    guest.set_window(guest.find_port("a"), MMIO64, MMIO64 + (1 << 20));
    assert_eq!(owner(contested), devices[1].id().0);
}

#[derive(Default)]
struct Fixed(Mutex<Vec<(u64, usize)>>);

impl Mmio for Fixed {
    fn read(&self, offset: u64, data: &mut [u8]) {
        self.0.lock().unwrap().push((offset, data.len()));
        data.fill(0x11);
    }

    fn write(&self, offset: u64, data: &[u8]) {
        self.0.lock().unwrap().push((offset, data.len()));
    }
}

#[test]
fn accesses_are_split_into_what_a_register_takes() {
    let mut machine = Machine::plain();
    let fixed = Arc::new(Fixed::default());
    machine.builder.add_fixed(Gpa(0xfec0_0000), 0x1000, fixed.clone()).unwrap();
    let (fabric, _) = machine.build();
    let mut data = [0; 8];
    fabric.mmio_read(Gpa(0xfec0_0000 - 3), &mut data);
    assert_eq!(data, [0xff, 0xff, 0xff, 0x11, 0x11, 0x11, 0x11, 0x11]);
    fabric.mmio_write(Gpa(0xfec0_0ff9), &[0; 8]);
    fabric.mmio_write(Gpa(0xfec0_0002), &[0; 4]);
    fabric.mmio_write(Gpa(u64::MAX - 3), &[0; 8]);
    fabric.mmio_read(Gpa(u64::MAX), &mut data);
    assert_eq!(data, [0xff; 8]);
    fabric.mmio_read(Gpa(0xfec0_0000), &mut []);
    let expected = [(0, 4), (4, 1), (0xff9, 1), (0xffa, 2), (0xffc, 4), (2, 4)];
    assert_eq!(*fixed.0.lock().unwrap(), expected);
}

#[test]
fn fixed_windows_and_ecam_come_before_a_bar() {
    let mut machine = Machine::plain();
    machine.builder.add_fixed(Gpa(MMIO64 + 0x1000), 0x1000, Arc::new(Fixed::default())).unwrap();
    machine.root_port("rp");
    machine.device("rp");
    let (fabric, _) = machine.build();
    Guest(&fabric).enumerate();
    let read = |offset| Guest(&fabric).read_memory(MMIO64 + offset);
    assert_eq!(read(0x0ff8) as u32, 0x0ff8);
    assert_eq!(read(0x1000), 0x1111_1111_1111_1111);
    assert_eq!(read(0x2000) as u32, 0x2000);
    assert_eq!(
        fabric.report().root.ports[0].below.devices[0].ranges[0].reachable,
        BAR0_SIZE - 0x1000
    );
}

#[test]
fn the_map_is_made_anew_only_when_something_decoded_changes() {
    let mut machine = Machine::plain();
    machine.root_port("rp");
    let device = machine.device("rp");
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.enumerate();
    guest.set_ari(guest.find_port("rp"), true);
    let generation = fabric.report().generation;
    let pf = device.id();
    guest.write(pf, 0x4c, 1);
    for vfs in (1..=255).rev() {
        guest.write(pf, 0x40, vfs);
        guest.write16(pf, 0x04, 0x0406);
        guest.write(pf, 0x3c, vfs);
        guest.write(RequesterId(pf.0 + 1), 0x04, vfs & 1);
    }
    // Every one of the 255 values of the VF count did change what is decoded.
    assert_eq!(fabric.report().generation - generation, 255);
    guest.write(pf, 0x44, MMIO64 as u32 + 0x10_0000);
    guest.write(pf, 0x48, (MMIO64 >> 32) as u32);
    let generation = fabric.report().generation;
    for _ in 0..1000 {
        guest.write16(pf, 0x04, 0x0406);
        guest.write(pf, 0x40, 1);
        guest.write16(guest.find_port("rp"), 0x3e, 2);
    }
    assert_eq!(fabric.report().generation, generation);
    assert_eq!(device.vf_bar() & (VF_BAR_SIZE - 1), 0);
}

#[test]
#[ignore = "a measurement, not a test: prints nanoseconds"]
fn how_long_an_access_takes() {
    let woods = Woods::new(config(), false);
    let addresses = woods.devices.each_ref().map(|device| device.bar());
    let routes = woods.fabric.hub.routes.load_full();
    let rounds = 2_000_000_u32;
    let start = Instant::now();
    for round in 0..rounds {
        std::hint::black_box(routes.map.find(addresses[round as usize % 4]));
    }
    println!(
        "lookup, four devices in turn: {:.1} ns",
        start.elapsed().as_nanos() as f64 / f64::from(rounds)
    );
    let start = Instant::now();
    for _ in 0..rounds {
        std::hint::black_box(woods.fabric.hub.routes.load().map.find(addresses[0]));
    }
    println!(
        "load and lookup, one device: {:.1} ns",
        start.elapsed().as_nanos() as f64 / f64::from(rounds)
    );
    let rounds = 100_000;
    let port = woods.guest().find_port("dp2");
    let start = Instant::now();
    for round in 0..rounds {
        woods.guest().write16(port, 0x04, if round & 1 == 0 { 0x0402 } else { 0x0406 });
    }
    println!(
        "config write that changes routing: {:.0} ns",
        start.elapsed().as_nanos() as f64 / f64::from(rounds)
    );
    let start = Instant::now();
    for _ in 0..rounds {
        woods.guest().write16(port, 0x04, 0x0406);
    }
    println!(
        "config write that doesn't: {:.0} ns",
        start.elapsed().as_nanos() as f64 / f64::from(rounds)
    );
    let dma = &woods.devices[1].dma;
    let start = Instant::now();
    for _ in 0..rounds {
        dma.write(pando_tlp::Iova(0xfee0_0000), &[0; 4]).unwrap();
    }
    println!(
        "interrupt from five ports down: {:.0} ns",
        start.elapsed().as_nanos() as f64 / f64::from(rounds)
    );
    let start = Instant::now();
    for _ in 0..rounds {
        let _ = std::hint::black_box(dma.resolve(pando_tlp::Iova(0x1000), pando_tlp::Access::Read));
    }
    println!(
        "resolve from five ports down: {:.0} ns",
        start.elapsed().as_nanos() as f64 / f64::from(rounds)
    );
}

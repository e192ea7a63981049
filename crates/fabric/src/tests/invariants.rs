//! The promises the whole house rests on, by their names in the design.

use pando_tlp::{Fault, Iova};

use super::support::{Woods, config, eventually};

/// Every request a function can make is decided here: with its own id, gated, translated; and a gate closed anywhere on its
/// way closes all three kinds.
#[test]
fn no_path_from_a_function_to_guest_ram_or_an_interrupt_avoids_fabric() {
    let woods = Woods::new(config(), true);
    for device in &woods.devices {
        woods.outside.pages.lock().unwrap().push((0x7000, 0x2000));
        device.dma.write(Iova(0x7000), &device.id().0.to_le_bytes()).unwrap();
        device.dma.write(Iova(0xfee0_0000), &[0; 4]).unwrap();
        assert_eq!(device.dma.write(Iova(0x2000), &[0; 2]), Err(Fault::Translation));
        let mut asked = woods.outside.asked.lock().unwrap();
        assert!(asked.iter().all(|(source, _)| *source == device.id()));
        assert_eq!(asked.len(), 3, "each request exactly once");
        asked.clear();
    }
    let run = woods.ram.run(pando_tlp::Gpa(0x2000), 2).unwrap();
    let mut last = [0; 2];
    run.slice().copy_to(&mut last);
    assert_eq!(u16::from_le_bytes(last), woods.devices[3].id().0);
    woods.guest().write16(woods.guest().find_port("rp0"), 0x04, 0);
    for device in &woods.devices[..3] {
        assert!(device.dma.write(Iova(0x7000), &[0; 2]).is_err());
        assert!(device.dma.write(Iova(0xfee0_0000), &[0; 4]).is_err());
        assert!(device.dma.resolve(Iova(0x7000), pando_tlp::Access::Read).is_err());
    }
    assert!(woods.outside.asked.lock().unwrap().is_empty(), "stopped before the IOMMU");
}

/// A model crate can't reach around the tree: none of them knows it, KVM, or the machine.
#[test]
fn no_model_can_name_the_tree() {
    let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for name in ["tlp", "pci", "engine", "virtio-net", "ixgbe", "exerciser", "vtd"] {
        let Ok(manifest) = std::fs::read_to_string(crates.join(name).join("Cargo.toml")) else {
            continue;
        };
        for forbidden in ["pando-fabric", "pando-vmm", "kvm-ioctls"] {
            assert!(!manifest.contains(forbidden), "{name} uses {forbidden}");
        }
    }
}

/// When a closing write returns, nobody who resolved an address before still uses it.
#[test]
fn bus_master_of_a_port_to_0_means_no_dma_afterwards() {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    let woods = Woods::new(config(), false);
    let port = woods.guest().find_port("sw0");
    let (stop, in_use) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut seen = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut participant = woods.epochs.join();
            let mut view = pando_tlp::DmaView::new(woods.devices[1].dma.clone());
            while !stop.load(SeqCst) {
                let guard = participant.enter();
                if view.slice(&guard, Iova(0x1000), 8, pando_tlp::Access::Write).is_ok() {
                    in_use.store(true, SeqCst);
                    std::thread::yield_now();
                    in_use.store(false, SeqCst);
                }
            }
        });
        for _ in 0..200 {
            woods.guest().write16(port, 0x04, 0x0402);
            for _ in 0..20 {
                seen += u32::from(in_use.load(SeqCst));
                std::thread::yield_now();
            }
            woods.guest().write16(port, 0x04, 0x0406);
        }
        stop.store(true, SeqCst);
    });
    assert_eq!(seen, 0);
}

/// Devices hold their links, links the middle of the tree, and nothing of it holds them.
#[test]
fn a_dropped_tree_takes_its_devices_along() {
    let woods = Woods::new(config(), false);
    let devices = woods.devices.each_ref().map(std::sync::Arc::downgrade);
    woods.devices[1].dma.write(Iova(woods.devices[2].bar()), &[0; 4]).unwrap();
    let outside = std::sync::Arc::downgrade(&woods.outside);
    drop(woods);
    eventually(|| {
        outside.strong_count() == 0 && devices.iter().all(|device| device.strong_count() == 0)
    });
}

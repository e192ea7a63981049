//! A bridge to conventional PCI: whose id its devices' requests carry, where they go, and how its bus is found.

use pando_pci::Device;
use pando_tlp::{Fault, Gpa, Iova, Link, MsiMessage, RequesterId};

use super::support::{Fake, Guest, Machine, Outside, config};
use crate::Fabric;

/// rp0 - bridge - {device 1, device 2}; rp1 - a card.
struct Tree {
    fabric: Fabric,
    outside: std::sync::Arc<Outside>,
    ram: pando_tlp::GuestRam,
    behind: [std::sync::Arc<Fake>; 2],
    card: std::sync::Arc<Fake>,
}

impl Tree {
    fn new(iommu: bool) -> Self {
        let mut machine = Machine::new(config(), iommu);
        machine.root_port("rp0").root_port("rp1");
        machine.builder.pci_bridge("bridge", "rp0").unwrap();
        let behind = [1, 2].map(|device| {
            let mut fake = None;
            let build = |link: std::sync::Arc<dyn Link>| {
                let new = Fake::new(link, device << 3);
                vec![fake.insert(new).clone() as std::sync::Arc<dyn Device>]
            };
            machine.builder.attach_conventional(&format!("d{device}"), "bridge", build).unwrap();
            fake.unwrap()
        });
        let card = machine.device("rp1");
        let ram = machine.ram;
        let (fabric, outside) = machine.build();
        Guest(&fabric).enumerate();
        Self { fabric, outside, ram, behind, card }
    }
}

#[test]
fn a_bus_behind_a_bridge_is_scanned_device_by_device() {
    let tree = Tree::new(false);
    assert_eq!(tree.behind.each_ref().map(|fake| fake.id().0), [0x0208, 0x0210]);
    let guest = Guest(&tree.fabric);
    assert!(!guest.is_there(RequesterId(0x0200)));
    assert_eq!(guest.read(guest.find_port("bridge"), 0x60) >> 20 & 0xf, 7);
    assert_eq!(guest.read_memory(tree.behind[1].bar()) >> 32 & 0xffff, 0x0210);
}

#[test]
fn the_bridge_speaks_for_the_devices_behind_it() {
    let tree = Tree::new(true);
    tree.outside.pages.lock().unwrap().push((0x4000, 0x5000));
    tree.behind[0].dma.write(Iova(0x4008), &[7; 8]).unwrap();
    let mut data = [0_u8; 8];
    tree.ram.run(Gpa(0x5008), 8).unwrap().slice().copy_to(&mut data[..]);
    assert_eq!(data, [7; 8]);
    tree.behind[1].dma.write(Iova(0xfee0_0000), &[1, 0, 0, 0]).unwrap();
    let message = MsiMessage { address: 0xfee0_0000, data: 0x1_0001 };
    assert_eq!(*tree.outside.messages.lock().unwrap(), [message]);
    let alias = RequesterId(0x0200);
    let asked = tree.outside.asked.lock().unwrap();
    assert!(asked.iter().all(|(source, _)| *source == alias) && asked.len() == 2, "{asked:?}");
}

#[test]
fn devices_on_one_bus_hear_each_other_whatever_the_port_above_redirects() {
    let tree = Tree::new(true);
    let guest = Guest(&tree.fabric);
    guest.set_acs(guest.find_port("rp0"), 0x1d);
    let [one, other] = &tree.behind;
    let mut data = [0; 8];
    one.dma.read(Iova(other.bar() + 8), &mut data).unwrap();
    assert_eq!(u64::from_le_bytes(data) & 0xffff_ffff, 8);
    assert!(tree.outside.asked.lock().unwrap().is_empty(), "the IOMMU never saw it");
    // What is for nobody there goes up, and is validated by the bridge's id.
    assert_eq!(one.dma.read(Iova(tree.card.bar()), &mut data), Err(Fault::Translation));
    assert_eq!(tree.outside.asked.lock().unwrap()[0].0, RequesterId(0x0200));
    // The bridge does not take what its own window would send back.
    let hole = tree.behind[1].bar() + 0x8000;
    assert_eq!(one.dma.read(Iova(hole), &mut data), Err(Fault::UnsupportedRequest));
}

#[test]
fn the_bridges_bus_master_bit_counts_for_all_behind_it() {
    let tree = Tree::new(false);
    let guest = Guest(&tree.fabric);
    guest.write16(guest.find_port("bridge"), 0x04, 0x0402);
    assert_eq!(tree.behind[0].dma.write(Iova(0x1000), &[0; 4]), Err(Fault::UnsupportedRequest));
    let bar = tree.behind[1].bar();
    assert_eq!(tree.behind[0].dma.read(Iova(bar), &mut [0; 4]), Ok(()), "on the bus itself");
}

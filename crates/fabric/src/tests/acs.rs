//! Verdicts in the tree: what the controls of each port on the way do to a request between two functions.

use pando_tlp::{Fault, Iova};

use super::support::{Woods, config};
use crate::FabricConfig;

const SV: u16 = 1 << 0;
const RR: u16 = 1 << 2;
const UF: u16 = 1 << 4;

/// What becomes of a read from a function below dp2 to its sibling below dp3, every page mapped to RAM at 0x5000.
fn outcome(controls: &[(&str, u16)]) -> (Result<&'static str, Fault>, u64) {
    let woods = Woods::new(FabricConfig { peer_to_peer: true, ..config() }, true);
    for (port, bits) in controls {
        woods.control(port, *bits);
    }
    let [_, sender, target, _] = &woods.devices;
    woods.outside.pages.lock().unwrap().push((target.bar(), 0x5000));
    let mut data = [0; 8];
    let result = sender.dma.read(Iova(target.bar()), &mut data);
    let place = if u64::from_le_bytes(data) == 0 { "ram" } else { "peer" };
    (result.map(|()| place), woods.fabric.report().counts.violations)
}

#[test]
fn redirection_needs_upstream_forwarding_all_the_way() {
    let refused = Err(Fault::UnsupportedRequest);
    let table: [(&[(&str, u16)], _); 7] = [
        (&[], Ok("peer")),
        (&[("dp2", RR)], refused),
        (&[("dp2", RR), ("dp1", UF)], refused),
        (&[("dp2", RR), ("dp1", UF), ("rp0", UF)], Ok("ram")),
        (&[("dp2", UF), ("dp1", UF), ("rp0", UF)], Ok("peer")),
        (&[("dp3", RR | UF), ("dp1", RR | UF), ("rp0", RR | UF)], Ok("peer")),
        (&[("dp2", RR | UF | SV), ("dp1", RR | UF | SV), ("rp0", RR | UF | SV)], Ok("ram")),
    ];
    for (controls, expected) in table {
        assert_eq!(outcome(controls), (expected, 0), "{controls:?}");
    }
}

#[test]
fn a_forged_bus_number_is_a_violation_where_sources_are_validated() {
    for (validating, expected) in [(false, Ok(())), (true, Err(Fault::CompleterAbort))] {
        let woods = Woods::new(config(), false);
        woods.control("dp1", if validating { SV } else { 0 });
        // The port below renumbers its bus after the function captured the old number: it keeps sending that.
        let guest = woods.guest();
        let sender = &woods.devices[1];
        guest.write(guest.find_port("dp1"), 0x18, u32::from_le_bytes([2, 0x40, 0x4f, 0]));
        assert_eq!(sender.dma.write(Iova(0x1000), &[0; 4]), expected);
        assert_eq!(woods.fabric.report().counts.violations, u64::from(validating));
    }
}

#[test]
fn egress_control_follows_the_vector_of_the_ingress_port() {
    use pando_pci::{Acs, AcsServices};
    for (vector, bits, expected) in [
        (0, 1 << 5, Ok(())),
        (1 << 2, 1 << 5, Err(Fault::CompleterAbort)),
        (1 << 1, 1 << 5, Ok(())),
        (1 << 2, 0, Ok(())),
    ] {
        let mut machine = super::support::Machine::plain();
        machine.root_port("rp");
        let acs = Acs { services: AcsServices::all(), egress_ports: 0 };
        let options = crate::PortOptions { acs: Some(acs), ..Default::default() };
        machine.builder.switch("sw", "rp", &[("a", options.clone()), ("b", options)]).unwrap();
        let [sender, target] = ["a", "b"].map(|port| machine.device(port));
        let (fabric, _) = machine.build();
        let guest = super::support::Guest(&fabric);
        guest.enumerate();
        guest.set_egress(guest.find_port("a"), vector);
        guest.set_acs(guest.find_port("a"), bits);
        assert_eq!(sender.dma.read(Iova(target.bar()), &mut [0; 4]), expected, "{vector} {bits}");
        assert_eq!(target.dma.read(Iova(sender.bar()), &mut [0; 4]), Ok(()));
    }
}

/// A device of two real functions below one port; returns what a read of function 0 from function 1's BAR gives.
fn between_functions(acs: Option<pando_pci::Acs>, bits: u16) -> Result<(), Fault> {
    use pando_pci::{Device, EndpointConfig};
    let mut machine = super::support::Machine::plain();
    machine.root_port("rp");
    let mut ways = Vec::new();
    machine
        .builder
        .attach("card", "rp", |link| {
            (0..2)
                .map(|function| {
                    let plain = super::sriov::plain();
                    let config = EndpointConfig { function, multi_function: true, acs, ..plain };
                    let endpoint = super::sriov::endpoint(config, link.clone(), &mut ways);
                    std::sync::Arc::new(endpoint) as std::sync::Arc<dyn Device>
                })
                .collect()
        })
        .unwrap();
    let (fabric, _) = machine.build();
    let guest = super::support::Guest(&fabric);
    guest.scan(0, 0);
    let port = guest.find_port("rp");
    guest.write(port, 0x20, 0x0000_fff0);
    let base = super::support::MMIO64;
    guest.set_window(port, base, base + (1 << 20));
    guest.write16(port, 0x04, 0x0406);
    for function in 0..2 {
        let id = pando_tlp::RequesterId::new(1, function);
        guest.set_bar(id, base + u64::from(function) * 0x1000);
        guest.write16(id, 0x04, 0x0406);
        if acs.is_some() {
            guest.set_acs(id, bits);
        }
    }
    let (to_other, to_own) = (Iova(base + 0x1000), Iova(base));
    assert_eq!(ways[0].read(to_own, &mut [0; 4]), Err(Fault::UnsupportedRequest));
    ways[0].read(to_other, &mut [0; 4])
}

#[test]
fn functions_of_one_device_reach_each_other_as_software_believes() {
    use pando_pci::{Acs, AcsServices};
    let all = Some(Acs::all_but_egress_control());
    let none = Some(Acs { services: AcsServices::empty(), egress_ports: 0 });
    let egress = Some(Acs { services: AcsServices::EGRESS_CONTROL, egress_ports: 8 });
    // What leaves on the link comes back to the port's own window, where nothing forwards it.
    let left = Err(Fault::UnsupportedRequest);
    assert_eq!(between_functions(None, 0), Ok(()), "no capability, no isolation");
    assert_eq!(between_functions(none, 0), left, "an empty capability says there is no way");
    assert_eq!(between_functions(all, 0), Ok(()), "controls that are off");
    assert_eq!(between_functions(all, RR), left);
    assert_eq!(between_functions(egress, 1 << 5), Ok(()), "the vector is empty");
}

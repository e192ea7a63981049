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

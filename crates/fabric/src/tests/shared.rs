//! An upstream port beside other functions of its device: both are found, and who reaches whom inside (PCI Express base 6.0,
//! 6.12.1.2).

use pando_pci::{Acs, AcsServices};
use pando_tlp::{Fault, Iova};

use super::support::{Guest, Machine};
use crate::{PortOptions, UpstreamFunction};

const RR: u16 = 1 << 2;

/// What a read of the device in the switch gives the function beside the switch, and the other way round. `bits` is the upstream
/// port's ACS Control, if it has the capability.
fn reach(bits: Option<u16>) -> [Result<(), Fault>; 2] {
    let mut machine = Machine::plain();
    machine.root_port("rp");
    let services = AcsServices::REQUEST_REDIRECT;
    let acs = bits.map(|_| Acs { services, egress_ports: 0 });
    let function = UpstreamFunction { function: 0, next_function: 1, acs };
    let ports = [("dp", PortOptions::default())];
    machine.builder.switch_function("sw", "rp", function, &ports).unwrap();
    let beside = machine.functions("rp", &[1]).remove(0);
    let below = machine.device("dp");
    let (fabric, _) = machine.build();
    let guest = Guest(&fabric);
    guest.enumerate();
    assert_eq!(beside.id().0, 0x0101);
    assert_eq!(below.id().bus(), 3);
    if let Some(bits) = bits {
        guest.set_acs(guest.find_port("sw"), bits);
    }
    let read = |from: &super::support::Fake, to: u64| from.dma.read(Iova(to), &mut [0; 4]);
    [read(&beside, below.bar()), read(&below, beside.bar())]
}

#[test]
fn without_access_control_a_switch_and_its_sibling_reach_each_other() {
    assert_eq!(reach(None), [Ok(()), Ok(())]);
    assert_eq!(reach(Some(0)), [Ok(()), Ok(())]);
}

/// What is redirected climbs into the window of the port above, which forwards nothing.
#[test]
fn what_the_upstream_port_redirects_does_not_reach_its_sibling() {
    assert_eq!(reach(Some(RR)), [Ok(()), Err(Fault::UnsupportedRequest)]);
}

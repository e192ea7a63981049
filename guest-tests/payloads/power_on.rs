//! The machine at power-on, before any kernel: it prints, ECAM answers, and the ports of the tree are unnumbered.

#![no_std]
#![no_main]

mod support;

use support::acpi::Acpi;
use support::ecam::{BUS_NUMBERS, CLASS, Function, HEADER_TYPE, IDENTITY, NOTHING};
use support::report::Report;

payload!(checks);

fn checks(acpi: &Acpi, report: &mut Report) {
    let mut sum = 0.0;
    for term in 1..=10 {
        sum += f64::from(term) / 2.0;
    }
    report.check("floating point works", sum == 27.5);

    report.check("MCFG tells where ECAM is", acpi.ecam().is_some());
    let Some(ecam) = acpi.ecam() else { return };
    let mut ports = (0..32)
        .map(|device| Function::at(ecam, 0, device, 0))
        .filter(|port| port.is_there() && port.read(CLASS) >> 8 == 0x06_0400);
    let port = ports.next();
    report.check("there is a root port", port.is_some());
    let Some(port) = port else { return };
    report.equal("its header has type 1", port.read_byte(HEADER_TYPE) & 0x7f, 1);
    report.equal("its bus numbers are 0", port.read(BUS_NUMBERS) & 0xff_ffff, 0);
    report.equal("bus 1 is nowhere yet", Function::at(ecam, 1, 0, 0).read(IDENTITY), NOTHING);
    port.write(BUS_NUMBERS, 0x00_01_01_00);
    report.check(
        "bus 1 is there once the port has its number",
        Function::at(ecam, 1, 0, 0).is_there(),
    );
    port.write(BUS_NUMBERS, 0);
    report.equal("and gone without it", Function::at(ecam, 1, 0, 0).read(IDENTITY), NOTHING);
}

//! The host bridge's `_OSC`: hands PCI Express features over to the operating system (PCI Firmware 3.3, 4.5.1; ACPI 6.5, 6.2.11).
//!
//! Grants what is modelled: native hot-plug, PME, AER, the PCI Express capability structure, LTR. Masks SHPC hot-plug and DPC.
//! A query (bit 0 of the first dword) gets the same answer as a request; the method has no state.

use acpi_tables::aml::{
    And, Arg, CreateDWordField, Else, Equal, If, Local, Method, NotEqual, ONE, Or, Path, Return,
    Store, Uuid, ZERO,
};
use acpi_tables::{Aml, AmlSink};

const HOST_BRIDGE_UUID: &str = "33DB4D5B-1FF7-401C-9657-7441C03DD766";

/// Control field: native hot-plug 0, PME 2, AER 3, PCI Express capability structure 4, LTR 5.
const GRANTED: u8 = 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5;

/// Status field.
const UNRECOGNIZED_UUID: u8 = 1 << 2;
const UNRECOGNIZED_REVISION: u8 = 1 << 3;
const CAPABILITIES_MASKED: u8 = 1 << 4;

/// Offset of the control dword in the capabilities buffer.
const CONTROL_OFFSET: u8 = 8;

/// The method: (UUID, revision, count, capabilities buffer) -> capabilities buffer.
pub(super) struct Osc;

impl Aml for Osc {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let (uuid, revision, buffer) = (Arg(0), Arg(1), Arg(3));
        let (status, control, granted) = (Path::new("CDW1"), Path::new("CDW3"), Local(0));
        let answer = Return::new(&buffer);
        let or_status = |bit: &'static u8| Or::new(&status, &status, bit);

        let control_field = CreateDWordField::new(&control, &buffer, &CONTROL_OFFSET);
        let mask = And::new(&granted, &control, &GRANTED);
        let set_masked = or_status(&CAPABILITIES_MASKED);
        let something_masked = NotEqual::new(&granted, &control);
        let tell_masked = If::new(&something_masked, vec![&set_masked]);
        let set_revision = or_status(&UNRECOGNIZED_REVISION);
        let other_revision = NotEqual::new(&revision, &ONE);
        let tell_revision = If::new(&other_revision, vec![&set_revision]);
        let grant = Store::new(&control, &granted);
        let set_uuid = or_status(&UNRECOGNIZED_UUID);

        let host_bridge = Uuid::new(HOST_BRIDGE_UUID);
        let for_us = Equal::new(&uuid, &host_bridge);
        let negotiate: Vec<&dyn Aml> =
            vec![&control_field, &mask, &tell_masked, &tell_revision, &grant, &answer];
        let known = If::new(&for_us, negotiate);
        let unknown = Else::new(vec![&set_uuid, &answer]);
        let status_field = CreateDWordField::new(&status, &buffer, &ZERO);
        Method::new("_OSC".into(), 4, false, vec![&status_field, &known, &unknown])
            .to_aml_bytes(sink);
    }
}

//! `_PRT`: at which interrupt the pin of each device of the root bus arrives (ACPI 6.5, 6.2.13).
//!
//! Four interrupts, of which a device's pins take all, beginning one further for each device number. They are hard-wired: no link
//! device, so level-triggered and active low (6.2.13, source index).

use acpi_tables::aml::{Name, PackageBuilder, ZERO};
use acpi_tables::{Aml, AmlSink};

use crate::layout;

/// The object `_PRT`.
pub(super) struct Table;

const PINS: u8 = 4;
/// Any function of a device.
const ANY_FUNCTION: u32 = 0xffff;

impl Aml for Table {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let mut routes = PackageBuilder::new();
        for device in 0..layout::DEVICES {
            for pin in 0..PINS {
                routes.add_element(&Route { device, pin });
            }
        }
        Name::new("_PRT".into(), &routes).to_aml_bytes(sink);
    }
}

/// A device's pin, 0 for INTA.
struct Route {
    device: u8,
    pin: u8,
}

impl Aml for Route {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        let mut route = PackageBuilder::new();
        route.add_element(&(u32::from(self.device) << 16 | ANY_FUNCTION));
        route.add_element(&self.pin);
        route.add_element(&ZERO);
        route.add_element(&layout::intx_gsi(self.device + self.pin));
        route.to_aml_bytes(sink);
    }
}

//! Every mistake of a description, and what is said about it.

use std::sync::Arc;

use pando_tlp::{Gpa, Mmio};

use crate::tests::machine;
use crate::{BuildError, FabricBuilder, FabricConfig, Place, PortOptions, UpstreamFunction};

struct Nothing;

impl Mmio for Nothing {
    fn read(&self, _: u64, _: &mut [u8]) {}
    fn write(&self, _: u64, _: &[u8]) {}
}

fn builder() -> FabricBuilder {
    let mut builder = machine(|_| ()).unwrap();
    builder.root_port("rp0", PortOptions::default()).unwrap();
    builder.root_port("rp1", PortOptions::default()).unwrap();
    builder.switch("sw0", "rp0", &[("dp0", PortOptions::default())]).unwrap();
    builder
}

fn said<T>(result: Result<T, BuildError>) -> String {
    result.err().expect("a mistake").to_string()
}

#[test]
fn mistakes_name_what_they_are_about() {
    let none = |_| vec![];
    let ports = |id| [(id, PortOptions::default())];
    assert_eq!(
        said(builder().attach("nic0", "dp7", none)),
        "there is no root port or downstream port `dp7`"
    );
    assert_eq!(
        said(builder().attach("nic0", "sw0", none)),
        "there is no root port or downstream port `sw0`"
    );
    assert_eq!(
        said(builder().attach("nic0", "rp0", none)),
        "port `rp0` can't take `nic0`: `sw0` is there already"
    );
    assert_eq!(
        said(builder().attach("a", "dp0", none).unwrap().switch("b", "dp0", &ports("dp1"))),
        "port `dp0` can't take `b`: `a` is there already"
    );
    for id in ["rp0", "sw0", "dp0"] {
        let expected =
            format!("`{id}` is there twice: every port, switch and device needs its own id");
        assert_eq!(said(builder().root_port(id, PortOptions::default())), expected);
        assert_eq!(said(builder().switch(id, "rp1", &ports("new"))), expected);
        assert_eq!(said(builder().switch("new", "rp1", &ports(id))), expected);
        assert_eq!(said(builder().attach(id, "rp1", none)), expected);
    }
    let beside = |mut of: FabricBuilder| {
        let function = UpstreamFunction::default();
        of.switch_function("sw", "rp1", function, &ports("dp1")).map(|_| ()).map(|()| of)
    };
    assert!(beside(builder()).unwrap().attach("nic0", "rp1", none).is_ok());
    let mut taken = builder();
    taken.switch("whole", "rp1", &ports("dp2")).unwrap();
    assert_eq!(said(beside(taken)), "port `rp1` can't take `sw`: `whole` is there already");
    let twice = [("x", PortOptions::default()), ("x", PortOptions::default())];
    assert!(said(builder().switch("new", "rp1", &twice)).starts_with("`x` is there twice"));
}

#[test]
fn device_numbers_run_out() {
    let mut builder = builder();
    for number in 2..31 {
        builder.root_port(&format!("rp{number}"), PortOptions::default()).unwrap();
    }
    assert_eq!(
        said(builder.root_port("rp31", PortOptions::default())),
        "`rp31` finds no free device number on the root bus: at most 31 fit"
    );
    let ids: Vec<_> = (0..33).map(|number| format!("p{number}")).collect();
    let ports: Vec<_> = ids.iter().map(|id| (id.as_str(), PortOptions::default())).collect();
    assert_eq!(
        said(builder.switch("sw", "rp1", &ports)),
        "`p32` finds no free device number in the switch `sw`: at most 32 fit"
    );
}

#[test]
fn places_must_be_free_and_possible() {
    let mut builder = builder();
    let mut place = |device, function| {
        let place = Some(Place { device, function });
        builder.root_port("new", PortOptions { place, ..PortOptions::default() }).err()
    };
    for (device, function) in [(0, 0), (1, 0), (32, 0), (4, 8), (9, 1)] {
        assert!(matches!(place(device, function), Some(BuildError::Place { .. })));
    }
    assert!(place(1, 1).is_none());
}

#[test]
fn windows_must_be_possible() {
    let with = |change: fn(&mut FabricConfig)| said(machine(change));
    assert_eq!(with(|config| config.buses = 0), "0 buses: a segment has 1 to 256");
    assert_eq!(with(|config| config.buses = 257), "257 buses: a segment has 1 to 256");
    assert!(with(|config| config.ecam = Gpa(0xe010_0000)).contains("aligned"));
    assert!(with(|config| config.ecam = Gpa(0)).contains("outside RAM"));
    let mut builder = builder();
    let mut add = |base, len| builder.add_fixed(Gpa(base), len, Arc::new(Nothing)).map(|_| ());
    assert!(said(add(0x1000, 0x1000)).contains("overlaps RAM"));
    assert!(said(add(0xe000_0000, 1)).contains("overlaps another window or ECAM"));
    assert!(said(add(u64::MAX, 2)).contains("is empty or wraps"));
    assert!(said(add(0xfed0_0000, 0)).contains("is empty or wraps"));
    add(0xfed0_0000, 0x1000).unwrap();
    assert!(said(add(0xfed0_0fff, 0x1000)).contains("overlaps another"));
}

#[test]
fn a_port_that_cannot_be_is_named() {
    let mut builder = builder();
    let link = pando_pci::LinkWidth { speed: 9, lanes: 3 };
    builder.root_port("odd", PortOptions { link, ..PortOptions::default() }).unwrap();
    assert!(said(builder.build()).starts_with("port `odd`: a link of speed code 9"));
}

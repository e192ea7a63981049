//! What drivers do before the first frame.

use crate::layout;
use crate::spec::{Features, common as reg, config};
use crate::testing::{Guest, LINUX, PLAIN};

use super::vf;

#[test]
fn linux_probes() {
    let guest = Guest::new();
    let driver = guest.driven(vf(0), LINUX);
    assert_eq!(driver.features, LINUX, "everything of the first delivery, and no SR_IOV in a VF");
    assert_eq!(driver.status(), 0xf);
    assert_eq!(driver.pairs(), 4);
    assert_eq!(driver.read(layout::DEVICE + config::MTU, 2), 1500);
    assert_eq!(driver.read(layout::DEVICE + config::STATUS, 2), 1);
    let mac: Vec<_> = (0..6).map(|at| driver.read(layout::DEVICE + at, 1) as u8).collect();
    assert_eq!(mac, vf(0).mac.0);
    assert_eq!(driver.function.report().queues, 9);
}

#[test]
fn only_a_pf_with_vfs_offers_sr_iov() {
    let guest = Guest::new();
    let mut pf = guest.driver(crate::config::NicConfig::default().pf());
    pf.negotiate(Features::all());
    assert!(pf.features.contains(Features::SR_IOV));
    let mut alone = guest.driver(crate::config::NicConfig { vfs: 0, ..Default::default() }.pf());
    alone.negotiate(Features::all());
    assert!(!alone.features.contains(Features::SR_IOV));
}

/// `modern_read_dev_config` reads bytes inside a generation loop; queues are enabled one by one with the size untouched, and torn
/// down with zero addresses and a zero enable.
#[test]
fn dpdk_probes_and_tears_down() {
    let guest = Guest::new();
    let mut driver = guest.driver(vf(0));
    driver.negotiate(PLAIN | Features::MQ | Features::CTRL_VQ | Features::STATUS);
    let generation = driver.read(reg::CONFIG_GENERATION, 1);
    let bytes: Vec<_> = (0..17).map(|at| driver.read(layout::DEVICE + at, 1) as u8).collect();
    assert_eq!(bytes[6..12], [1, 0, 4, 0, 0xdc, 5]);
    assert_eq!(driver.read(reg::CONFIG_GENERATION, 1), generation);
    for queue in 0..9 {
        let ring = driver.set_up(queue, 8);
        driver.rings.push(ring);
        driver.write(reg::QUEUE_ENABLE, 2, 1);
    }
    driver.add_status(4);
    assert_eq!(driver.function.report().queues, 9);
    for queue in 0..9 {
        driver.write(reg::QUEUE_SELECT, 2, queue);
        for register in [reg::QUEUE_DESC, reg::QUEUE_DRIVER, reg::QUEUE_DEVICE] {
            driver.write(register, 4, 0);
            driver.write(register + 4, 4, 0);
        }
        driver.write(reg::QUEUE_ENABLE, 2, 0);
        assert_eq!(driver.read(reg::QUEUE_ENABLE, 2), 0);
    }
    assert_eq!(driver.function.report().queues, 0);
    assert_eq!(driver.status(), 0xf, "nothing needed a reset");
    driver.reset();
}

#[test]
fn a_driver_that_declines_access_platform_is_served() {
    let guest = Guest::new();
    let driver = guest.driven(vf(0), PLAIN);
    assert!(!driver.features.contains(Features::ACCESS_PLATFORM));
    assert_eq!(driver.status(), 0xf);
    assert_eq!(driver.function.report().queues, 2);
}

#[test]
fn the_interrupt_status_is_cleared_by_a_read() {
    let guest = Guest::new();
    let driver = guest.driven(vf(0), LINUX);
    driver.function.announce();
    assert_eq!(driver.read(layout::ISR, 1), 2);
    assert_eq!(driver.read(layout::ISR, 1), 0);
}

#[test]
fn doorbells_are_listed_while_their_queues_work() {
    let guest = Guest::new();
    let mut driver = guest.driver(vf(0));
    let listed = |driver: &crate::testing::Driver| {
        let mut doorbells = Vec::new();
        driver.function.doorbells(&mut doorbells);
        doorbells.into_iter().map(|(bar, offset, _)| (bar, offset)).collect::<Vec<_>>()
    };
    driver.negotiate(LINUX);
    driver.find_queues();
    assert_eq!(listed(&driver), []);
    let changes = || guest.link.doorbell_changes.load(std::sync::atomic::Ordering::SeqCst);
    let before = changes();
    driver.add_status(4);
    let all: Vec<_> = (0..9).map(|queue| (2, 0x1000 + 4 * queue)).collect();
    assert_eq!(listed(&driver), all);
    assert_eq!(changes(), before + 1);
    driver.reset();
    assert_eq!(listed(&driver), []);
    assert_eq!(changes(), before + 2);
}

use super::*;
use crate::config::NicConfig;

#[test]
fn every_byte_of_the_configuration_reads_on_its_own() {
    let config = NicConfig { mtu: 9000, speed: 25_000, ..NicConfig::default() }.pf();
    let settings = Settings::new(&config, Features::all());
    let expected =
        [2, 0, 0, 0, 0, 1, 1, 0, 4, 0, 0x28, 0x23, 0xa8, 0x61, 0, 0, 1, 40, 128, 0, 0x3f, 0, 0, 0];
    for width in [1, 2, 4, 8] {
        for offset in 0..32 {
            let mut data = [0xee; 8];
            settings.read(&config, offset, &mut data[..width]);
            for (at, byte) in data[..width].iter().enumerate() {
                assert_eq!(*byte, expected.get(offset + at).copied().unwrap_or(0));
            }
        }
    }
}

#[test]
fn vlans_are_filtered_only_if_negotiated() {
    let config = NicConfig::default().pf();
    assert!(Settings::new(&config, Features::CTRL_VQ).vlans.is_none());
    let table = Settings::new(&config, Features::CTRL_VLAN).vlans.unwrap();
    assert_eq!(table, VlanSet::new());
}

#[test]
fn a_driver_without_a_control_queue_gets_its_own_and_every_group() {
    let config = NicConfig::default().pf();
    let filter = Settings::new(&config, Features::VERSION_1).filter();
    assert_eq!(filter.unicast, [config.mac]);
    assert!(filter.link_up && filter.broadcast && filter.all_multicast && !filter.promiscuous);
    assert!(filter.vlans.is_none() && !filter.tagged_only);
}

#[test]
fn promiscuous_is_everything_and_too_many_addresses_are_all_of_their_kind() {
    let config = NicConfig::default().pf();
    let mut settings = Settings::new(&config, Features::all());
    settings.all_multicast = false;
    settings.unicast = Addresses::bounded(vec![config.mac; MAX_ADDRESSES + 1]);
    let filter = settings.filter();
    assert!(filter.promiscuous && !filter.all_multicast && filter.vlans.is_some());
    settings.unicast = Addresses::bounded(vec![config.mac; MAX_ADDRESSES]);
    assert!(!settings.filter().promiscuous);
    settings.promiscuous = true;
    let filter = settings.filter();
    assert!(filter.promiscuous && filter.all_multicast && filter.vlans.is_none());
}

#[test]
fn offloads_rest_on_each_other() {
    let config = NicConfig::default().pf();
    let accepts = |features| Settings::new(&config, features).accepts();
    assert_eq!(accepts(Features::GUEST_TSO4), Accepts::empty());
    assert_eq!(accepts(Features::GUEST_CSUM), Accepts::CHECKSUM);
    let both = Features::GUEST_CSUM | Features::GUEST_TSO6;
    assert_eq!(accepts(both), Accepts::CHECKSUM | Accepts::TCP6);
    assert_eq!(accepts(Features::all()), Accepts::all());
}

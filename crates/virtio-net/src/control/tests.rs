use super::*;
use crate::config::NicConfig;
use crate::testing::{hash_config, rss_config};

const ALL: Features = Features::all();

struct Driver {
    config: FunctionConfig,
    features: Features,
    settings: Settings,
}

impl Driver {
    fn new(features: Features) -> Self {
        let config = NicConfig::default().pf();
        let settings = Settings::new(&config, features);
        Self { config, features, settings }
    }

    fn send(&mut self, which: (u8, u8), data: &[u8]) -> Result<Changed, Refused> {
        let command = [&[which.0, which.1], data].concat();
        execute(&mut self.settings, &self.config, self.features, &command)
    }
}

fn table(unicast: &[[u8; 6]], multicast: &[[u8; 6]]) -> Vec<u8> {
    [unicast, multicast]
        .iter()
        .flat_map(|list| [(list.len() as u32).to_le_bytes().to_vec(), list.concat()].concat())
        .collect()
}

#[test]
fn commands_change_the_settings() {
    let mut driver = Driver::new(ALL);
    let filter = Changed { filter: true, ..Changed::default() };
    assert_eq!(driver.send(ctrl::RX_PROMISC, &[1]), Ok(filter));
    assert!(driver.settings.promiscuous);
    assert_eq!(driver.send(ctrl::RX_ALLMULTI, &[0]), Ok(filter));
    assert!(!driver.settings.all_multicast);
    let (a, b) = ([2, 0, 0, 0, 0, 9], [1, 0, 0x5e, 0, 0, 1]);
    assert_eq!(driver.send(ctrl::MAC_TABLE_SET, &table(&[a], &[b, b])), Ok(filter));
    assert_eq!(driver.settings.unicast.list(), [MacAddress(a)]);
    assert_eq!(driver.settings.multicast.list().len(), 2);
    assert_eq!(driver.send(ctrl::MAC_ADDR_SET, &a), Ok(Changed { config: true, ..filter }));
    assert_eq!(driver.settings.mac, MacAddress(a));
    assert_eq!(driver.send(ctrl::VLAN_ADD, &7u16.to_le_bytes()), Ok(filter));
    assert_eq!(driver.send(ctrl::VLAN_ADD, &4095u16.to_le_bytes()), Ok(filter));
    assert_eq!(driver.send(ctrl::VLAN_DEL, &7u16.to_le_bytes()), Ok(filter));
    let vlans = driver.settings.vlans.as_ref().unwrap();
    assert!(vlans.contains(Vlan(4095)) && !vlans.contains(Vlan(7)));
    let steering = Changed { steering: true, ..Changed::default() };
    assert_eq!(driver.send(ctrl::MQ_RSS_CONFIG, &rss_config(0x3f, &[3; 128], 0)), Ok(steering));
    assert!(driver.settings.hashing.spread.is_some());
    assert_eq!(driver.send(ctrl::MQ_PAIRS_SET, &4u16.to_le_bytes()), Ok(steering));
    assert_eq!(driver.settings.pairs, 4);
    assert!(driver.settings.hashing.spread.is_none() && driver.settings.hashing.rss.is_some());
    assert_eq!(driver.send(ctrl::MQ_HASH_CONFIG, &hash_config(0)), Ok(steering));
    driver.settings.announce = true;
    assert!(driver.send(ctrl::ANNOUNCE_ACK, &[]).unwrap().config);
    assert!(!driver.settings.announce);
    assert!(driver.send(ctrl::GUEST_OFFLOADS_SET, &2u64.to_le_bytes()).unwrap().offloads);
    assert_eq!(driver.settings.offloads, Features::GUEST_CSUM);
}

#[test]
fn more_addresses_than_a_filter_holds_let_all_pass() {
    let mut driver = Driver::new(ALL);
    let many = vec![[2, 0, 0, 0, 0, 1]; 129];
    assert!(driver.send(ctrl::MAC_TABLE_SET, &table(&many, &[])).is_ok());
    assert_eq!(driver.settings.unicast, Addresses::All);
    assert_eq!(driver.settings.multicast, Addresses::These(vec![]));
}

#[test]
fn malformed_commands_are_refused_and_change_nothing() {
    let mut driver = Driver::new(ALL);
    let before = format!("{:?}", driver.settings);
    let mut long = table(&[], &[]);
    long.push(0);
    let bad: [(_, &[u8]); 19] = [
        (ctrl::RX_PROMISC, &[]),
        (ctrl::RX_PROMISC, &[1, 0]),
        ((0, 2), &[1]),
        (ctrl::MAC_TABLE_SET, &[]),
        (ctrl::MAC_TABLE_SET, &[0, 0, 0, 0]),
        (ctrl::MAC_TABLE_SET, &[255, 255, 255, 255, 0, 0, 0, 0]),
        (ctrl::MAC_TABLE_SET, &long),
        (ctrl::MAC_ADDR_SET, &[1, 0, 0, 0, 0, 1]),
        (ctrl::MAC_ADDR_SET, &[0; 6]),
        (ctrl::MAC_ADDR_SET, &[2; 5]),
        (ctrl::VLAN_ADD, &[0, 0x10]),
        (ctrl::VLAN_DEL, &[1]),
        (ctrl::ANNOUNCE_ACK, &[0]),
        (ctrl::MQ_PAIRS_SET, &[0, 0]),
        (ctrl::MQ_PAIRS_SET, &[5, 0]),
        ((4, 1), &[]),
        (ctrl::GUEST_OFFLOADS_SET, &[1, 0, 0, 0, 0, 0, 0, 0]),
        (ctrl::GUEST_OFFLOADS_SET, &[2]),
        ((255, 255), &[]),
    ];
    for (which, data) in bad {
        assert_eq!(driver.send(which, data), Err(Refused), "{which:?} {data:?}");
    }
    for short in [&[][..], &[0]] {
        let settings = &mut driver.settings;
        assert_eq!(execute(settings, &driver.config, ALL, short), Err(Refused));
    }
    assert_eq!(format!("{:?}", driver.settings), before);
}

#[test]
fn what_was_not_negotiated_is_refused() {
    let mut driver = Driver::new(Features::CTRL_VQ);
    for which in [ctrl::RX_PROMISC, ctrl::VLAN_ADD, ctrl::MAC_ADDR_SET, ctrl::ANNOUNCE_ACK] {
        assert_eq!(driver.send(which, &[1]), Err(Refused));
    }
    assert_eq!(driver.send(ctrl::MQ_RSS_CONFIG, &rss_config(1, &[0], 0)), Err(Refused));
    assert_eq!(driver.send(ctrl::MQ_HASH_CONFIG, &hash_config(1)), Err(Refused));
}

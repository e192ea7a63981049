use super::*;

fn with(change: impl FnOnce(&mut NicConfig)) -> Result<(), ConfigError> {
    let mut config = NicConfig::default();
    change(&mut config);
    config.validate()
}

#[test]
fn what_is_wrong_is_told() {
    assert_eq!(with(|_| {}), Ok(()));
    assert_eq!(with(|c| c.vfs = 256), Err(ConfigError::TooManyVfs(256)));
    assert_eq!(with(|c| c.pf_queue_pairs = 0), Err(ConfigError::QueuePairs(0, "the PF")));
    assert_eq!(with(|c| c.vf_queue_pairs = 257), Err(ConfigError::QueuePairs(257, "a VF")));
    assert_eq!(with(|c| c.queue_size = 300), Err(ConfigError::QueueSize(300)));
    assert_eq!(with(|c| c.queue_size = 16), Err(ConfigError::QueueSize(16)));
    assert_eq!(with(|c| c.mtu = 67), Err(ConfigError::Mtu(67)));
    let group = MacAddress([1, 0, 0, 0, 0, 1]);
    assert_eq!(with(|c| c.mac = group), Err(ConfigError::Mac(group)));
    let own = |vf, own| with(|c| c.vf_overrides.extend([(vf, own)]));
    assert_eq!(own(7, VfConfig::default()), Err(ConfigError::NoSuchVf { vf: 7, vfs: 7 }));
    let pf = NicConfig::default().mac;
    assert_eq!(
        own(3, VfConfig { mac: Some(pf), ..VfConfig::default() }),
        Err(ConfigError::DuplicateMac(pf))
    );
    assert_eq!(
        own(3, VfConfig { queue_pairs: Some(3), ..VfConfig::default() }),
        Err(ConfigError::VfQueuePairs { vf: 3, pairs: 3, each: 2 })
    );
}

#[test]
fn vfs_take_their_pairs_from_the_cards_budget() {
    let error = with(|c| {
        c.vfs = 63;
        c.total_queue_pairs = 128;
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "queue budget exceeded: 4 pairs of the PF and 63 VFs with 2 each are 130, the card has 128; \
         lower the pairs or the VFs, or raise the total"
    );
    assert_eq!(
        with(|c| {
            c.vfs = 63;
            c.total_queue_pairs = 130;
        }),
        Ok(())
    );
}

#[test]
fn vf_addresses_count_on_from_the_pfs() {
    let config =
        NicConfig { mac: MacAddress([2, 0, 0, 0, 0, 0xff]), vfs: 255, ..NicConfig::default() };
    assert_eq!(config.vf_mac(0), MacAddress([2, 0, 0, 0, 1, 0]));
    assert_eq!(config.vf_mac(254), MacAddress([2, 0, 0, 0, 1, 0xfe]));
    assert_eq!(config.validate(), Ok(()));
}

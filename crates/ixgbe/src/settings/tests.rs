//! What can be built, and what can't.

use super::*;

#[test]
fn mistakes() {
    let config = NicConfig::default();
    assert_eq!(config.validate(), Ok(()));
    assert_eq!(NicConfig { vfs: 64, ..config.clone() }.validate(), Ok(()));
    let many = NicConfig { vfs: 65, ..config.clone() };
    assert_eq!(many.validate(), Err(ConfigError::TooManyVfs(65)));
    for mac in [MacAddress([0; 6]), MacAddress([1, 0, 0, 0, 0, 1])] {
        let wrong = NicConfig { mac, ..config.clone() };
        assert_eq!(wrong.validate(), Err(ConfigError::Mac(mac)));
    }
}

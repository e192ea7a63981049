//! Addresses as text, and which a card gets by default.

use super::super::Platform;
use super::MacAddress;

#[test]
fn texts() {
    for (text, good) in [
        ("02:00:00:00:00:01", true),
        ("fE:dc:BA:98:76:54", true),
        ("01:00:00:00:00:00", false), // a group's
        ("ff:ff:ff:ff:ff:ff", false),
        ("00:00:00:00:00:00", false),
        ("02-00-00-00-00-01", false),
        ("02:00:00:00:00", false),
        ("02:00:00:00:00:01:02", false),
        ("2:0:0:0:0:1", false),
        ("+2:00:00:00:00:01", false),
        ("", false),
    ] {
        assert_eq!(text.parse::<MacAddress>().is_ok(), good, "{text}");
    }
    assert_eq!(
        "02:0A:00:00:00:01".parse::<MacAddress>().map(|mac| mac.to_string()).as_deref(),
        Ok("02:0a:00:00:00:01")
    );
}

#[test]
fn defaults_keep_clear_of_addresses_that_the_file_gives() {
    let text = "[[nic]]\nid = \"a\"\nat = \"root-bus\"\n[[nic.vf]]\nnumber = 6\nmac = \"02:00:00:00:03:00\"\n\
                [[nic]]\nid = \"b\"\nat = \"root-bus\"\nmac = \"02:00:00:00:00:ff\"\n\
                [[nic]]\nid = \"c\"\nat = \"root-bus\"\nvfs = 255\n";
    let platform = Platform::parse("test.toml", text).expect("a platform");
    let nics = platform.root_complex.nics();
    let macs: Vec<String> = nics.iter().map(|nic| nic.mac.to_string()).collect();
    // b's range reaches into 02:00:00:00:01:xx, a's VF 6 has an address in 02:00:00:00:03:xx.
    assert_eq!(macs, ["02:00:00:00:02:00", "02:00:00:00:00:ff", "02:00:00:00:04:00"]);
    assert_eq!(nics[0].vfs[6].mac.to_string(), "02:00:00:00:03:00");
    assert_eq!(nics[1].vfs[0].mac.to_string(), "02:00:00:00:01:00");
    assert_eq!(nics[2].vfs[254].mac.to_string(), "02:00:00:00:04:ff");
}

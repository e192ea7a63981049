//! What each kind of value accepts and refuses.

use super::*;

#[test]
fn memory_sizes() {
    for (text, mib) in [
        ("128MiB", Some(128)),
        ("1GiB", Some(1024)),
        ("131072KiB", Some(128)),
        ("1TiB", Some(1 << 20)),
        ("16GiB", Some(16384)),
    ] {
        assert_eq!(text.parse::<MemorySize>().ok().map(|size| size.bytes() >> 20), mib, "{text}");
    }
    for (text, message) in [
        ("127MiB", "`127MiB` of memory; give 128MiB to 1TiB"),
        ("2TiB", "`2TiB` of memory; give 128MiB to 1TiB"),
        ("99999999999999999999GiB", "`99999999999999999999GiB` of memory; give 128MiB to 1TiB"),
        ("18014398509481984KiB", "`18014398509481984KiB` of memory; give 128MiB to 1TiB"),
        (
            "131073KiB",
            "`131073KiB` is not a whole number of MiB; write a number and a unit, as `\"512MiB\"` or `\"2GiB\"`",
        ),
        (
            "512M",
            "`512M` is not a memory size; write a number and a unit, as `\"512MiB\"` or `\"2GiB\"`",
        ),
        (
            "MiB",
            "`MiB` is not a memory size; write a number and a unit, as `\"512MiB\"` or `\"2GiB\"`",
        ),
        (
            "-1GiB",
            "`-1GiB` is not a memory size; write a number and a unit, as `\"512MiB\"` or `\"2GiB\"`",
        ),
        ("", "`` is not a memory size; write a number and a unit, as `\"512MiB\"` or `\"2GiB\"`"),
    ] {
        assert_eq!(
            text.parse::<MemorySize>().map_err(|error| error.to_string()),
            Err(message.to_owned())
        );
    }
}

#[test]
fn speeds() {
    for (text, mbit) in [
        ("10M", Some(10)),
        ("2500M", Some(2500)),
        ("25G", Some(25_000)),
        ("1000G", Some(1_000_000)),
        ("9M", None),
        ("1001G", None),
        ("10", None),
        ("+10G", None),
        ("G", None),
        ("99999999999999999999G", None),
    ] {
        assert_eq!(text.parse::<Speed>().ok().map(Speed::mbit_per_second), mbit, "{text}");
    }
}

#[test]
fn ids() {
    for (text, good) in [
        ("rp0", true),
        ("a", true),
        ("A.b-c_9", true),
        ("", false),
        ("0a", false),
        ("a/b", false),
        ("root-bus", false),
        ("b\u{e4}r", false),
        (&"x".repeat(32), true),
        (&"x".repeat(33), false),
    ] {
        assert_eq!(text.parse::<Id>().is_ok(), good, "{text}");
    }
}

#[test]
fn cpus() {
    assert!([0, 17, 255].into_iter().all(|count| Cpus::new(count).is_err()));
    assert!((1..=16).all(|count| Cpus::new(count).is_ok_and(|cpus| cpus.get() == count)));
}

#[test]
fn delays() {
    for (text, micros) in [
        ("1us", Some(1)),
        ("20ms", Some(20_000)),
        ("10s", Some(10_000_000)),
        ("0us", None),
        ("11s", None),
        ("99999999999s", None),
        ("1", None),
        ("ms", None),
        ("1 ms", None),
    ] {
        let delay = text.parse::<Delay>().ok().map(|delay| delay.duration().as_micros());
        assert_eq!(delay, micros, "{text}");
    }
}

#[test]
fn times_to_poll() {
    for (text, micros) in
        [("0us", Some(0)), ("1s", Some(1_000_000)), ("1001ms", None), ("-1us", None)]
    {
        let time = text.parse::<PollTime>().ok().map(|time| time.duration().as_micros());
        assert_eq!(time, micros, "{text}");
    }
}

use super::*;

/// What a queue of endless frames of `len` bytes sends in `time`, asking whenever it may.
fn sent(pacer: &Pacer, len: u64, from: Instant, time: Duration) -> u64 {
    let (mut now, mut bytes) = (from, 0);
    while now < from + time {
        match pacer.allowance(now) {
            Ok(mut left) => {
                let mut spent = 0;
                while left > 0 {
                    left = left.saturating_sub(len);
                    spent += len;
                }
                pacer.spend(spent, now);
                bytes += spent;
                now += Duration::from_micros(1);
            }
            Err(until) => {
                assert!(until > now);
                now = until;
            }
        }
    }
    bytes
}

#[test]
fn a_rate_holds_within_two_percent_over_a_second() {
    for mbit in [1u64, 10, 100, 1000, 9000] {
        for len in [60, 1514, 9000] {
            let (pacer, start) = (Pacer::default(), Instant::now());
            pacer.set(Some(Rate { bits_per_second: mbit * 1_000_000 }));
            let bytes = sent(&pacer, len, start, Duration::from_secs(3));
            let expected = mbit * 1_000_000 * 3 / 8;
            let slack = expected / 50 + 2 * len;
            assert!(bytes.abs_diff(expected) < slack, "{mbit} Mbit/s, {len} bytes: {bytes}");
        }
    }
}

#[test]
fn a_pause_saves_up_a_bounded_burst() {
    let (pacer, start) = (Pacer::default(), Instant::now());
    pacer.set(Some(Rate { bits_per_second: 8_000_000 }));
    let burst = pacer.allowance(start + Duration::from_secs(3600)).unwrap();
    assert_eq!(burst, 4000, "4 ms of a byte per microsecond");
}

#[test]
fn one_long_frame_is_paid_for_afterwards() {
    let (pacer, start) = (Pacer::default(), Instant::now());
    pacer.set(Some(Rate { bits_per_second: 8_000_000 }));
    assert!(pacer.allowance(start).is_ok());
    pacer.spend(64_000, start);
    assert_eq!(pacer.allowance(start), Err(start + LONGEST_WAIT));
    assert!(pacer.allowance(start + Duration::from_millis(59)).is_err());
    assert!(pacer.allowance(start + Duration::from_millis(61)).is_ok());
}

#[test]
fn a_new_rate_counts_at_once_and_none_is_no_limit() {
    let (pacer, start) = (Pacer::default(), Instant::now());
    assert_eq!(pacer.allowance(start), Ok(u64::MAX));
    pacer.set(Some(Rate { bits_per_second: 0 }));
    pacer.spend(1 << 40, start);
    assert!(pacer.allowance(start + Duration::from_secs(1)).is_err());
    pacer.set(Some(Rate { bits_per_second: u64::MAX }));
    assert!(pacer.allowance(start + Duration::from_secs(1)).is_ok());
    pacer.set(None);
    assert_eq!(pacer.allowance(start), Ok(u64::MAX));
}

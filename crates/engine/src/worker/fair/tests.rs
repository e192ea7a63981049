use super::*;

/// A sender of the model: frames of `len` bytes, at most so many in a round.
struct Sender {
    len: u64,
    most: u64,
    queues: u64,
    turn: Turn,
    sent: u64,
}

fn sender(len: u64) -> Sender {
    Sender { len, most: u64::MAX, queues: 1, turn: Turn::default(), sent: 0 }
}

/// Lets the senders share a worker for some rounds of passes of at most 64 frames.
fn share(senders: &mut [Sender], rounds: usize) -> Vec<u64> {
    let mut quantum = Quantum::new();
    for _ in 0..rounds {
        quantum.begin_round();
        for sender in senders.iter_mut() {
            let mut budget = sender.turn.begin(&quantum, sender.queues);
            let (mut worked, mut room) = (true, sender.most);
            while budget > 0 {
                let frames = budget.div_ceil(sender.len).min(64).min(room);
                room -= frames;
                worked = frames > 0;
                sender.sent += frames * sender.len;
                quantum.offered(sender.len * 64.min(room + frames));
                budget = sender.turn.go_on(worked, frames * sender.len);
            }
            if worked {
                quantum.busy();
            }
        }
    }
    senders.iter().map(|sender| sender.sent).collect()
}

/// Jain's index of fairness: 1 if all are equal.
fn jain(shares: &[u64]) -> f64 {
    let sum: f64 = shares.iter().map(|share| *share as f64).sum();
    let squares: f64 = shares.iter().map(|share| (*share as f64).powi(2)).sum();
    sum * sum / (shares.len() as f64 * squares)
}

#[test]
fn busy_senders_get_equal_shares_whatever_their_frames() {
    for lens in [[84; 8], [84, 150, 300, 600, 1538, 4000, 9024, 65_600], [65_600; 8]] {
        let mut senders = lens.map(sender);
        let shares = share(&mut senders, 4000);
        assert!(jain(&shares) > 0.999, "{lens:?}: {shares:?}");
    }
}

#[test]
fn several_queues_of_one_function_share_one_share() {
    let mut senders = [sender(1538), sender(1538), sender(1538)];
    (senders[1].queues, senders[2].queues) = (2, 2);
    let shares = share(&mut senders, 4000);
    assert!(jain(&[shares[0], shares[1] + shares[2]]) > 0.999, "{shares:?}");
}

#[test]
fn one_that_is_alone_has_no_limit() {
    let mut senders = [sender(84), sender(84)];
    senders[1].most = 0;
    let shares = share(&mut senders, 1000);
    assert_eq!(shares[1], 0);
    assert!(shares[0] >= 999 * 64 * 84, "{shares:?}");
}

#[test]
fn a_limited_one_takes_nothing_from_others() {
    let mut limited = [sender(1538), sender(1538), sender(1538)];
    limited[2].most = 1;
    let shares = share(&mut limited, 4000);
    assert!(shares[2] <= 4000 * 1538);
    assert!(jain(&shares[..2]) > 0.999, "{shares:?}");
    let both = share(&mut [sender(1538), sender(1538)], 4000);
    assert!(shares[0] * 100 >= both[0] * 98, "{shares:?} {both:?}");
}

#[test]
fn a_debt_is_bounded_by_a_frame_and_paid_in_time() {
    let mut senders = [sender(65_600), sender(84)];
    let shares = share(&mut senders, 40);
    assert!(shares[0].abs_diff(shares[1]) <= 2 * 65_600, "{shares:?}");
}

use super::*;

#[test]
fn the_control_queue_follows_the_pairs_that_were_negotiated() {
    let (control, mq) = (Features::CTRL_VQ, Features::MQ);
    for (index, features, role) in [
        (0, control | mq, Some(Role::Receive(0))),
        (1, control | mq, Some(Role::Transmit(0))),
        (2, control | mq, Some(Role::Receive(1))),
        (7, control | mq, Some(Role::Transmit(3))),
        (8, control | mq, Some(Role::Control)),
        (9, control | mq, None),
        (8, mq, None),
        (2, control, Some(Role::Control)),
        (3, control, None),
        (8, control, None),
        (2, Features::empty(), None),
    ] {
        assert_eq!(Role::of(index, 4, features), role, "{index} {features:?}");
    }
}

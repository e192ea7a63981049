use vm_memory::VolatileSlice;

use super::*;
use crate::{Offload, Vlan};

fn verdict(policy: &Policy, source: u8, tag: Option<u16>, kind: u16) -> Verdict {
    let mut bytes = vec![2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, source];
    bytes.extend(kind.to_be_bytes());
    bytes.resize(60, 0);
    let mut batch = Batch::of(0, policy.tagging);
    let pieces = [VolatileSlice::from(&mut bytes[..])];
    match tag {
        Some(tag) => batch.push_tagged(&pieces, Offload::default(), tag),
        None => batch.push(&pieces, Offload::default()),
    };
    let filter = Filter { link_up: true, ..Filter::default() };
    judge(&filter, Some(policy), &batch.frame(0))
}

fn vlans(ids: &[u16]) -> Option<VlanSet> {
    let mut set = VlanSet::new();
    ids.iter().for_each(|id| set.insert(Vlan(*id)));
    Some(set)
}

const SPOOFED: Verdict = Verdict::Drop(DropReason::Spoofed);
const FILTERED: Verdict = Verdict::Drop(DropReason::Filtered);

#[test]
fn only_ones_own_addresses_and_vlans_pass() {
    let policy = Policy {
        source_addresses: Some(vec![MacAddress([2, 0, 0, 0, 0, 1])]),
        source_vlans: vlans(&[0, 5]),
        ..Policy::default()
    };
    assert_eq!(verdict(&policy, 1, None, 0x800), Verdict::Pass);
    assert_eq!(verdict(&policy, 1, Some(0x6005), 0x800), Verdict::Pass);
    assert_eq!(verdict(&policy, 1, Some(0x6000), 0x800), Verdict::Pass, "a priority is no VLAN");
    assert_eq!(verdict(&policy, 1, Some(6), 0x800), SPOOFED);
    assert_eq!(verdict(&policy, 2, None, 0x800), SPOOFED);
}

#[test]
fn a_port_vlan_is_judged_with_its_tag_in() {
    let policy =
        Policy { source_vlans: vlans(&[7]), tagging: Tagging::Always(7), ..Policy::default() };
    assert_eq!(verdict(&policy, 1, None, 0x800), Verdict::Pass);
    assert_eq!(verdict(&policy, 1, Some(9), 0x800), Verdict::Pass, "its own tag isn't inserted");
    let never = Policy { tagging: Tagging::Never, ..policy };
    assert_eq!(verdict(&never, 1, Some(7), 0x800), SPOOFED);
}

#[test]
fn refused_types_and_mute_ports() {
    let policy = Policy { refused_types: vec![0x8808], ..Policy::default() };
    assert_eq!(verdict(&policy, 1, None, 0x8808), FILTERED);
    assert_eq!(verdict(&policy, 1, Some(3), 0x8808), FILTERED, "behind a tag too");
    assert_eq!(verdict(&policy, 1, None, 0x800), Verdict::Pass);
    let mute = Policy { mute: true, ..Policy::default() };
    assert_eq!(verdict(&mute, 1, None, 0x800), FILTERED);
    let filter = Filter::default();
    let mut bytes = [0; 60];
    let mut batch = Batch::new();
    batch.push(&[VolatileSlice::from(&mut bytes[..])], Offload::default());
    let down = Verdict::Drop(DropReason::LinkDown);
    assert_eq!(judge(&filter, None, &batch.frame(0)), down);
}

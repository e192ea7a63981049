//! Ethernet addresses: how they are written, which a card gets when the file names none, and that no two functions share one.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::nic_entry::NicEntry;
use super::problem::{Problems, quote};
use super::value::ValueError;

/// The address of one function: unicast, not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

/// Cards without an address of their own get the ranges 02:00:00:NN:NN:00 from 1.
const DEFAULT_BASE: u64 = 0x0200_0000_0000;

impl MacAddress {
    /// In the order of transmission.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Whether this is the next address after `other`.
    pub(super) fn follows(self, other: Self) -> bool {
        other.number() + 1 == self.number()
    }

    /// The address `by` above; `None` when there is none or it can't be a function's.
    fn above(self, by: u64) -> Option<Self> {
        Self::from_number(self.number() + by)
    }

    fn number(self) -> u64 {
        self.0.iter().fold(0, |number, &octet| number << 8 | u64::from(octet))
    }

    fn from_number(number: u64) -> Option<Self> {
        let [0, 0, octets @ ..] = number.to_be_bytes() else { return None };
        (number != 0 && octets[0] & 1 == 0).then_some(Self(octets))
    }
}

impl FromStr for MacAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let right = "write six pairs of hexadecimal digits, as `\"02:00:00:00:00:01\"`";
        let malformed = || ValueError::new(format!("{} is not a MAC address", quote(text)), right);
        let pairs: Vec<&str> = text.splitn(7, ':').collect();
        let pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|c| c.is_ascii_hexdigit());
        if pairs.len() != 6 || !pairs.iter().all(pair) {
            return Err(malformed());
        }
        let number = u64::from_str_radix(&pairs.concat(), 16).map_err(|_| malformed())?;
        Self::from_number(number).ok_or_else(|| {
            let right = "give an address of one function: not zero, and its first octet even";
            ValueError::new(format!("{} is a group's address or none", quote(text)), right)
        })
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Serialize for MacAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The addresses of one card.
pub(super) struct CardAddresses {
    pub(super) pf: MacAddress,
    pub(super) vfs: Vec<MacAddress>,
}

/// Who has an address, and where the file says so.
type Owners = BTreeMap<MacAddress, (String, Range<usize>)>;

/// The addresses of every card, in their order: those that the file gives first, then defaults around them.
pub(super) fn assign(nics: &[NicEntry], problems: &Problems<'_>) -> Vec<Option<CardAddresses>> {
    let mut owners = Owners::new();
    let mut cards: Vec<Option<CardAddresses>> =
        nics.iter().map(|nic| claim_given(nic, &mut owners, problems)).collect();
    let mut next = 1;
    for (nic, card) in nics.iter().zip(&mut cards).filter(|(nic, _)| nic.mac.is_none()) {
        *card = free_range(&mut next, &owners).and_then(|pf| addresses(nic, pf).ok());
    }
    cards
}

/// The first default range in which no function has an address that the file gives.
fn free_range(next: &mut u64, owners: &Owners) -> Option<MacAddress> {
    while *next <= 0xffff {
        let base = MacAddress::from_number(DEFAULT_BASE + (*next << 8))?;
        *next += 1;
        if owners.range(base..=base.above(0xff)?).next().is_none() {
            return Some(base);
        }
    }
    None
}

/// Every address of a card; `Err` is the first VF that can't have one.
fn addresses(nic: &NicEntry, pf: MacAddress) -> Result<CardAddresses, u16> {
    let own: BTreeMap<u16, MacAddress> =
        nic.vf.iter().map(|entry| (*entry.number.get_ref(), *entry.mac.get_ref())).collect();
    let address = |vf: u16| own.get(&vf).copied().or_else(|| pf.above(1 + u64::from(vf))).ok_or(vf);
    Ok(CardAddresses { pf, vfs: (0..nic.vfs).map(address).collect::<Result<_, _>>()? })
}

/// Notes the addresses that the file gives to a card, all of them if it gives the PF's.
fn claim_given(
    nic: &NicEntry,
    owners: &mut Owners,
    problems: &Problems<'_>,
) -> Option<CardAddresses> {
    let id = nic.id.get_ref();
    for entry in &nic.vf {
        let name = format!("{id}/vf{}", entry.number.get_ref());
        if let Err(taken) = claim(*entry.mac.get_ref(), name, entry.mac.span(), owners, problems) {
            report(taken, problems);
        }
    }
    let mac = nic.mac.as_ref()?;
    let card = addresses(nic, *mac.get_ref()).map_err(|vf| {
        let wrong = format!(
            "VF {vf} of `{id}` would get the card's address + {}, which no function can have",
            vf + 1
        );
        problems.report(mac.span(), wrong, "give a lower `mac`");
    });
    let card = card.ok()?;
    let overridden = |vf: &u16| nic.vf.iter().any(|entry| entry.number.get_ref() == vf);
    let vfs = (0..nic.vfs).zip(card.vfs.iter().copied()).filter(|(vf, _)| !overridden(vf));
    let names = vfs.map(|(vf, mac)| (format!("{id}/vf{vf}"), mac));
    let all = std::iter::once((id.to_string(), card.pf)).chain(names);
    let taken =
        all.filter_map(|(name, address)| claim(address, name, mac.span(), owners, problems).err());
    // Of two overlapping ranges the first common address tells enough.
    if let Some(first) = taken.collect::<Vec<_>>().into_iter().next() {
        report(first, problems);
    }
    Some(card)
}

/// Two functions with one address: where, and what is wrong.
type Taken = (Range<usize>, String);

fn claim(
    mac: MacAddress,
    name: String,
    span: Range<usize>,
    owners: &mut Owners,
    problems: &Problems<'_>,
) -> Result<(), Taken> {
    if let Some((owner, at)) = owners.get(&mac) {
        let wrong = format!(
            "`{name}` gets {mac}, which `{owner}` (line {}) has already",
            problems.line(at)
        );
        return Err((span, wrong));
    }
    owners.insert(mac, (name, span));
    Ok(())
}

fn report((span, wrong): Taken, problems: &Problems<'_>) {
    let right = "give each function its own: VF n has the card's `mac` + 1 + n unless its `[[nic.vf]]` says otherwise";
    problems.report(span, wrong, right);
}

#[cfg(test)]
mod tests;

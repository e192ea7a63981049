//! Ethernet addresses: how they are written, which a card gets when the file names none, and that no two functions share one.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::file::NicEntry;
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

/// Who has an address: the card's position, the function's name, and where the file says so.
type Owners = BTreeMap<MacAddress, (usize, String, Range<usize>)>;

/// The addresses of every card, in their order: those that the file gives first, then defaults around them.
pub(super) fn assign(nics: &[NicEntry], problems: &Problems<'_>) -> Vec<Option<CardAddresses>> {
    let mut owners = Owners::new();
    let mut cards: Vec<Option<CardAddresses>> = Vec::new();
    for (index, nic) in nics.iter().enumerate() {
        // The overrides of a card without `mac` are taken too, before defaults are chosen.
        let card = nic.mac.as_ref().map(|mac| (*mac.get_ref(), mac.span()));
        cards.push(card.and_then(|(mac, span)| claim(index, nic, mac, span, &mut owners, problems)));
        if nic.mac.is_none() {
            claim_overrides(index, nic, &mut owners, problems);
        }
    }
    let mut next = 1;
    for (index, nic) in nics.iter().enumerate().filter(|(_, nic)| nic.mac.is_none()) {
        let Some(pf) = free_range(&mut next, &owners) else { continue };
        cards[index] = addresses(nic, pf).ok();
    }
    cards
}

/// The first default range in which no function has an address yet.
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
    let vf = |vf: u16| {
        let own = nic.vf.iter().find(|entry| *entry.number.get_ref() == vf);
        own.map(|entry| *entry.mac.get_ref()).or_else(|| pf.above(1 + u64::from(vf))).ok_or(vf)
    };
    Ok(CardAddresses { pf, vfs: (0..nic.vfs).map(vf).collect::<Result<_, _>>()? })
}

fn claim(
    index: usize,
    nic: &NicEntry,
    pf: MacAddress,
    span: Range<usize>,
    owners: &mut Owners,
    problems: &Problems<'_>,
) -> Option<CardAddresses> {
    let card = match addresses(nic, pf) {
        Ok(card) => card,
        Err(vf) => {
            let wrong = format!("VF {vf} of {} gets {pf} + {}, which is no address of a function", nic.id.get_ref(), vf + 1);
            problems.report(span, wrong, "give a lower `mac`");
            return None;
        }
    };
    let names = std::iter::once(nic.id.get_ref().to_string())
        .chain((0..nic.vfs).map(|vf| format!("{}/vf{vf}", nic.id.get_ref())));
    let mut told = false;
    for (name, mac) in names.zip(std::iter::once(card.pf).chain(card.vfs.iter().copied())) {
        let own = nic.vf.iter().find(|entry| format!("{}/vf{}", nic.id.get_ref(), entry.number.get_ref()) == name);
        let span = own.map_or_else(|| span.clone(), |entry| entry.mac.span());
        // One report tells of overlapping ranges; an override has its own.
        told |= !claim_one(mac, index, name, span, owners, problems, told && own.is_none());
    }
    Some(card)
}

fn claim_overrides(index: usize, nic: &NicEntry, owners: &mut Owners, problems: &Problems<'_>) {
    for entry in &nic.vf {
        let name = format!("{}/vf{}", nic.id.get_ref(), entry.number.get_ref());
        claim_one(*entry.mac.get_ref(), index, name, entry.mac.span(), owners, problems, false);
    }
}

fn claim_one(
    mac: MacAddress,
    index: usize,
    name: String,
    span: Range<usize>,
    owners: &mut Owners,
    problems: &Problems<'_>,
    silent: bool,
) -> bool {
    match owners.get(&mac) {
        Some((_, owner, at)) if !silent => {
            let wrong = format!("{name} gets {mac}, which {owner} (line {}) has already", problems.line(at));
            problems.report(span, wrong, "give each function an address of its own: VF n of a card has the card's `mac` + 1 + n");
            false
        }
        Some(_) => false,
        None => {
            owners.insert(mac, (index, name, span));
            true
        }
    }
}

#[cfg(test)]
mod tests;

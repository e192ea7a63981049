//! Commands of the control queue: from bytes to a change of the settings (virtio 1.3, 5.1.6.5). Knows no ring.
//! Leaves out CTRL_RX_EXTRA and statistics, which aren't offered: refused.

use pando_engine::{MacAddress, Vlan};

use crate::coalescing::Limits;
use crate::config::FunctionConfig;
use crate::hashing;
use crate::settings::{Addresses, GUEST_OFFLOADS, Settings};
use crate::spec::{Features, ctrl};

/// Bytes of a command at most: far more addresses than a filter tells apart. Longer ones are refused.
pub(crate) const MAX_COMMAND: usize = 16 << 10;

/// What a command changed, beyond the settings themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// What the switch lets through to the function.
    pub(crate) filter: bool,
    /// Which receive queue a frame goes to, or the hash it gets.
    pub(crate) steering: bool,
    /// How long interrupts are held back.
    pub(crate) coalescing: bool,
    /// What is written behind the answer.
    pub(crate) result: Option<Limits>,
    /// What receive queues take.
    pub(crate) offloads: bool,
    /// What the configuration structure shows.
    pub(crate) config: bool,
}

/// The command is malformed, unknown, or not negotiated: ERR, and nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// Does `command` (class, command, data) to `settings`.
pub(crate) fn execute(
    settings: &mut Settings,
    config: &FunctionConfig,
    features: Features,
    command: &[u8],
) -> Result<Changed, Refused> {
    let [class, number, data @ ..] = command else { return Err(Refused) };
    let which = (*class, *number);
    if !features.contains(required(which)?) {
        return Err(Refused);
    }
    let filter = Changed { filter: true, ..Changed::default() };
    let steering = Changed { steering: true, ..Changed::default() };
    match which {
        ctrl::RX_PROMISC => settings.promiscuous = on_off(data)?,
        ctrl::RX_ALLMULTI => settings.all_multicast = on_off(data)?,
        ctrl::MAC_TABLE_SET => {
            (settings.unicast, settings.multicast) = address_lists(data)?;
        }
        ctrl::MAC_ADDR_SET => {
            settings.mac = own_address(data)?;
            return Ok(Changed { config: true, ..filter });
        }
        ctrl::VLAN_ADD | ctrl::VLAN_DEL => {
            let vlan = vlan(data)?;
            let table = settings.vlans.as_mut().ok_or(Refused)?;
            if which == ctrl::VLAN_ADD { table.insert(vlan) } else { table.remove(vlan) }
        }
        ctrl::ANNOUNCE_ACK => {
            data.is_empty().then_some(()).ok_or(Refused)?;
            settings.announce = false;
            return Ok(Changed { config: true, ..Changed::default() });
        }
        ctrl::MQ_PAIRS_SET => {
            settings.pairs = pairs(data, config.queue_pairs)?;
            settings.hashing.spread = None;
            return Ok(steering);
        }
        ctrl::MQ_RSS_CONFIG => {
            settings.hashing = hashing::rss_config(data, config.queue_pairs).ok_or(Refused)?;
            return Ok(steering);
        }
        ctrl::MQ_HASH_CONFIG => {
            settings.hashing = hashing::hash_config(data).ok_or(Refused)?;
            return Ok(steering);
        }
        ctrl::NOTF_COAL_TX_SET | ctrl::NOTF_COAL_RX_SET => {
            let limits = Limits::of(exactly(data)?);
            settings.coalescing.set_all(which == ctrl::NOTF_COAL_TX_SET, limits);
            return Ok(Changed { coalescing: true, ..Changed::default() });
        }
        ctrl::NOTF_COAL_VQ_SET => {
            let (queue, limits) = coalesced_queue(data)?;
            *settings.coalescing.queue_mut(queue).ok_or(Refused)? = limits;
            return Ok(Changed { coalescing: true, ..Changed::default() });
        }
        ctrl::NOTF_COAL_VQ_GET => {
            let (queue, _) = coalesced_queue(data)?;
            let limits = *settings.coalescing.queue_mut(queue).ok_or(Refused)?;
            return Ok(Changed { result: Some(limits), ..Changed::default() });
        }
        ctrl::GUEST_OFFLOADS_SET => {
            settings.offloads = offloads(data, features)?;
            return Ok(Changed { offloads: true, ..Changed::default() });
        }
        _ => return Err(Refused),
    }
    Ok(filter)
}

/// The feature that a command needs.
fn required(which: (u8, u8)) -> Result<Features, Refused> {
    Ok(match which {
        ctrl::RX_PROMISC | ctrl::RX_ALLMULTI | ctrl::MAC_TABLE_SET => Features::CTRL_RX,
        ctrl::MAC_ADDR_SET => Features::CTRL_MAC_ADDR,
        ctrl::VLAN_ADD | ctrl::VLAN_DEL => Features::CTRL_VLAN,
        ctrl::ANNOUNCE_ACK => Features::GUEST_ANNOUNCE,
        ctrl::MQ_PAIRS_SET => Features::MQ,
        ctrl::MQ_RSS_CONFIG => Features::RSS,
        ctrl::MQ_HASH_CONFIG => Features::HASH_REPORT,
        ctrl::NOTF_COAL_TX_SET | ctrl::NOTF_COAL_RX_SET => Features::NOTF_COAL,
        ctrl::NOTF_COAL_VQ_SET | ctrl::NOTF_COAL_VQ_GET => Features::VQ_NOTF_COAL,
        ctrl::GUEST_OFFLOADS_SET => Features::CTRL_GUEST_OFFLOADS,
        _ => return Err(Refused),
    })
}

fn exactly<const N: usize>(data: &[u8]) -> Result<[u8; N], Refused> {
    data.try_into().map_err(|_| Refused)
}

fn on_off(data: &[u8]) -> Result<bool, Refused> {
    let [on] = exactly(data)?;
    Ok(on != 0)
}

fn own_address(data: &[u8]) -> Result<MacAddress, Refused> {
    let mac = MacAddress(exactly(data)?);
    if mac.is_multicast() || mac == MacAddress::default() { Err(Refused) } else { Ok(mac) }
}

fn vlan(data: &[u8]) -> Result<Vlan, Refused> {
    let id = u16::from_le_bytes(exactly(data)?);
    if id < 4096 { Ok(Vlan(id)) } else { Err(Refused) }
}

fn pairs(data: &[u8], max: u16) -> Result<u16, Refused> {
    let pairs = u16::from_le_bytes(exactly(data)?);
    if (1..=max).contains(&pairs) { Ok(pairs) } else { Err(Refused) }
}

/// `struct virtio_net_ctrl_coal_vq`: the queue, two reserved bytes, the limits. Who only asks may leave them out.
fn coalesced_queue(data: &[u8]) -> Result<(u16, Limits), Refused> {
    let (queue, limits) = data.split_first_chunk::<4>().ok_or(Refused)?;
    let limits = if limits.is_empty() { [0; 8] } else { exactly(limits)? };
    Ok((u16::from_le_bytes([queue[0], queue[1]]), Limits::of(limits)))
}

fn offloads(data: &[u8], features: Features) -> Result<Features, Refused> {
    let wanted = Features::from_bits_retain(u64::from_le_bytes(exactly(data)?));
    if (features & GUEST_OFFLOADS).contains(wanted) { Ok(wanted) } else { Err(Refused) }
}

/// Unicast, then multicast: each a count and that many addresses, with nothing behind.
fn address_lists(data: &[u8]) -> Result<(Addresses, Addresses), Refused> {
    let (unicast, data) = address_list(data)?;
    let (multicast, data) = address_list(data)?;
    if data.is_empty() { Ok((unicast, multicast)) } else { Err(Refused) }
}

fn address_list(data: &[u8]) -> Result<(Addresses, &[u8]), Refused> {
    let (count, data) = data.split_first_chunk::<4>().ok_or(Refused)?;
    let len = usize::try_from(u32::from_le_bytes(*count)).ok().and_then(|n| n.checked_mul(6));
    let (list, rest) = len.and_then(|len| data.split_at_checked(len)).ok_or(Refused)?;
    let addresses = list.chunks_exact(6).filter_map(|mac| mac.try_into().ok().map(MacAddress));
    Ok((Addresses::bounded(addresses.collect()), rest))
}

#[cfg(test)]
mod tests;

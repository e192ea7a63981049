//! `[[nic]]` and `[[capture]]` as they stand in the file, with the limits of the card's model.

use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;

use super::acs::AcsServices;
use super::file::{Position, acs};
use super::keys;
use super::mac::MacAddress;
use super::model::{MODELS, ModelLimits, NicModel};
use super::nic::{CapturePort, Uplink};
use super::problem::{one_of, quote};
use super::read::Reader;
use super::uplink;
use super::value::{Id, Speed};

/// Virtual functions of a card that doesn't say.
const VFS: u16 = 7;
/// The least MTU that IPv4 allows.
const MTU_MIN: u16 = 68;
/// MTU of a card that doesn't say.
const MTU: u16 = 1500;

/// A network card.
pub(super) struct NicEntry {
    pub(super) id: Spanned<Id>,
    pub(super) at: Spanned<String>,
    pub(super) position: Position,
    pub(super) acs: Option<AcsServices>,
    pub(super) model: NicModel,
    pub(super) vfs: u16,
    pub(super) queues: u16,
    pub(super) vf_queues: u16,
    pub(super) queue_budget: u16,
    pub(super) mac: Option<Spanned<MacAddress>>,
    pub(super) vf: Vec<VfEntry>,
    pub(super) packed_rings: bool,
    pub(super) mtu: u16,
    pub(super) speed: Speed,
    pub(super) uplink: Option<Uplink>,
    /// Where the file says `uplink`.
    pub(super) uplink_span: Range<usize>,
}

/// What one virtual function has of its own.
pub(super) struct VfEntry {
    pub(super) number: Spanned<u16>,
    pub(super) mac: Spanned<MacAddress>,
}

impl NicEntry {
    pub(super) fn read(table: &Reader<'_, '_, '_>) -> Option<Self> {
        ["id", "at"].iter().for_each(|key| table.require(key));
        let limits = model(table).limits();
        let vfs = vfs(table, limits);
        let queues = queues(table, limits, vfs);
        let acs = acs(table, AcsServices::FUNCTION, true);
        let mtu = table.integer("mtu", MTU_MIN..=limits.mtu).map_or(MTU, Spanned::into_inner);
        let speed = table.parsed("speed").map(Spanned::into_inner).unwrap_or_default();
        let uplink = table.table("uplink", &keys::UPLINK).and_then(|uplink| uplink::read(&uplink));
        let mac = table.parsed("mac");
        let vf = overrides(table, vfs);
        let id = table.parsed("id")?;
        Some(Self {
            at: table.text("at")?,
            position: Position::read(table, &id, 1),
            acs,
            model: limits.model,
            vfs,
            queues: queues.pf,
            vf_queues: queues.vf,
            queue_budget: queues.budget,
            packed_rings: packed_rings(table, limits.model),
            mac,
            vf,
            mtu,
            speed,
            uplink,
            uplink_span: table.span_of("uplink"),
            id,
        })
    }
}

fn model(table: &Reader<'_, '_, '_>) -> NicModel {
    let names = MODELS.map(|limits| (limits.name, limits.model));
    let Some(model) = table.choice("model", &names, |model| model.limits().available) else {
        return NicModel::DEFAULT;
    };
    let limits = model.get_ref().limits();
    if !limits.available {
        let wrong = format!("the model `{}` ({}) is not available yet", limits.name, limits.title);
        let available = MODELS.iter().filter(|limits| limits.available).map(|limits| limits.name);
        table.problems.report(model.span(), wrong, format!("write {}", one_of(available)));
    }
    *model.get_ref()
}

fn vfs(table: &Reader<'_, '_, '_>, limits: &ModelLimits) -> u16 {
    let Some(vfs) = table.integer_telling("vfs", 0..=u16::MAX, limits.vfs) else {
        return VFS.min(limits.vfs);
    };
    if *vfs.get_ref() > limits.vfs {
        let wrong = format!(
            "{} virtual functions, and the model `{}` has at most {}",
            vfs.get_ref(),
            limits.name,
            limits.vfs
        );
        table.problems.report(vfs.span(), wrong, format!("give 0 to {}", limits.vfs));
    }
    (*vfs.get_ref()).min(limits.vfs)
}

/// Queue pairs of a card.
struct Queues {
    pf: u16,
    vf: u16,
    budget: u16,
}

/// The functions' queue pairs within the card's budget; what the file doesn't give to the PF is what its VFs leave.
fn queues(table: &Reader<'_, '_, '_>, limits: &ModelLimits, vfs: u16) -> Queues {
    let pairs = |key| table.integer(key, 1..=limits.queues).map(Spanned::into_inner);
    let budget = table
        .integer("queue-budget", 1..=limits.budget_max)
        .map_or(limits.budget, Spanned::into_inner);
    let vf = pairs("vf-queues").unwrap_or(limits.vf_queues);
    let wanted = pairs("queues");
    let taken = u32::from(vfs) * u32::from(vf);
    let left = u16::try_from(u32::from(budget).saturating_sub(taken)).unwrap_or(0);
    let pf = wanted.unwrap_or(limits.pf_queues.min(left).max(1));
    if pf > left {
        let key =
            ["queue-budget", "vf-queues", "queues", "vfs"].into_iter().find(|key| table.has(key));
        let wrong = format!(
            "PF {pf} + {vfs} VFs x {vf} = {} queue pairs, and the card's budget is {budget}",
            taken + u32::from(pf)
        );
        let span = table.span_of(key.unwrap_or("id"));
        table.problems.report(
            span,
            wrong,
            "lower `vfs`, `vf-queues` or `queues`, or raise `queue-budget`",
        );
    }
    Queues { pf, vf, budget }
}

/// Only virtio's queues can be of two kinds.
fn packed_rings(table: &Reader<'_, '_, '_>, model: NicModel) -> bool {
    let packed = table.boolean("packed-rings");
    if packed.is_some() && model != NicModel::Virtio {
        let wrong = "`packed-rings` of a card that isn't a virtio card";
        table.problems.report(table.span_of("packed-rings"), wrong, "remove it");
    }
    packed.unwrap_or(false)
}

fn overrides(table: &Reader<'_, '_, '_>, vfs: u16) -> Vec<VfEntry> {
    let mut entries: Vec<VfEntry> = Vec::new();
    for entry in table.tables("vf", &keys::VF, usize::from(u8::MAX)) {
        ["number", "mac"].iter().for_each(|key| entry.require(key));
        let number = match vfs.checked_sub(1) {
            Some(last) => entry.integer("number", 0..=last),
            None => {
                let wrong = "a virtual function of a card that has none";
                table.problems.report(entry.span.clone(), wrong, "give `vfs`, or remove this");
                None
            }
        };
        let (Some(number), Some(mac)) = (number, entry.parsed("mac")) else { continue };
        if let Some(first) = entries.iter().find(|first| first.number.get_ref() == number.get_ref())
        {
            let line = table.problems.line(&first.number.span());
            let wrong = format!("VF {} twice, first in line {line}", number.get_ref());
            table.problems.report(number.span(), wrong, "keep one of them");
            continue;
        }
        entries.push(VfEntry { number, mac });
    }
    entries
}

/// A recording.
pub(super) struct CaptureEntry {
    pub(super) nic: Spanned<String>,
    pub(super) port: CapturePort,
    pub(super) file: Spanned<PathBuf>,
}

impl CaptureEntry {
    pub(super) fn read(table: &Reader<'_, '_, '_>) -> Option<Self> {
        ["port", "file"].iter().for_each(|key| table.require(key));
        let port = table.text("port");
        let file = uplink::path(table, "file", uplink::PATH_MAX)?;
        let text = port?;
        let (nic, port) = text.get_ref().split_once('/').unwrap_or((text.get_ref(), "pf"));
        let number = |vf: &str| vf.parse().ok().filter(|_| vf.bytes().all(|c| c.is_ascii_digit()));
        let parsed = match port {
            "pf" => Some(CapturePort::Pf),
            "uplink" => Some(CapturePort::Uplink),
            other => other.strip_prefix("vf").and_then(number).map(CapturePort::Vf),
        };
        let Some(port) = parsed else {
            let wrong = format!("{} is not a port of a card", quote(text.get_ref()));
            table.problems.report(
                text.span(),
                wrong,
                "write `\"nic0\"`, `\"nic0/vf3\"` or `\"nic0/uplink\"`",
            );
            return None;
        };
        Some(Self { nic: Spanned::new(text.span(), nic.to_owned()), port, file })
    }
}

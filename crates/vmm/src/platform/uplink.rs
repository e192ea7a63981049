//! `uplink = { .. }`: exactly one other end, the keys that belong to it, and faults.

use std::path::PathBuf;

use toml::Spanned;

use super::keys;
use super::nic::{Faults, SocketKind, Uplink, UplinkKind};
use super::problem::{one_of, quote};
use super::read::Reader;

/// The keys that name the other end, each with those that go with it.
const ENDS: [(&str, &[&str]); 5] = [
    ("loopback", &[]),
    ("tap", &["queues"]),
    ("socket", &["type", "listen"]),
    ("pcap", &[]),
    ("segment", &[]),
];

/// Bytes of a path that Linux takes.
pub(super) const PATH_MAX: usize = 4095;
/// Bytes of a UNIX socket's path that Linux takes.
const SOCKET_PATH_MAX: usize = 107;

pub(super) fn read(table: &Reader<'_, '_, '_>) -> Option<Uplink> {
    let ends: Vec<_> = ENDS.iter().filter(|(end, _)| table.has(end)).collect();
    let names = ENDS.iter().map(|(end, _)| *end);
    let &[(end, with)] = ends.as_slice() else {
        let (span, wrong) = match ends.last() {
            None => (table.span.clone(), "an uplink that leads nowhere".to_owned()),
            Some((last, _)) => {
                let both = ends.iter().map(|(end, _)| format!("`{end}`")).collect::<Vec<_>>();
                (table.span_of(last), format!("an uplink with {}", both.join(" and ")))
            }
        };
        table.problems.report(span, wrong, format!("give exactly one of {}", one_of(names)));
        return None;
    };
    for (other, keys) in ENDS {
        for key in keys.iter().filter(|key| table.has(key) && !with.contains(key)) {
            let wrong = format!("`{key}` with `{end}`");
            table.problems.report(
                table.span_of(key),
                wrong,
                format!("`{key}` goes with `{other}`"),
            );
        }
    }
    if *end == "segment" && table.has("faults") {
        let right = "a segment has no faults; leave them out";
        table.problems.report(table.span_of("faults"), "`faults` with `segment`", right);
    }
    let faults = table.table("faults", &keys::FAULTS).map(|faults| read_faults(&faults));
    let kind = match *end {
        "loopback" => loopback(table),
        "tap" => tap(table),
        "socket" => socket(table),
        "segment" => {
            table.parsed("segment").map(|name| UplinkKind::Segment { name: name.into_inner() })
        }
        _ => path(table, "pcap", PATH_MAX).map(|file| UplinkKind::Pcap { file: file.into_inner() }),
    };
    Some(Uplink { kind: kind?, faults })
}

fn loopback(table: &Reader<'_, '_, '_>) -> Option<UplinkKind> {
    if !table.boolean("loopback")? {
        let right = "write `loopback = true`, or no `uplink` for a port without a cable";
        table.problems.report(table.span_of("loopback"), "`loopback = false`", right);
    }
    Some(UplinkKind::Loopback)
}

fn tap(table: &Reader<'_, '_, '_>) -> Option<UplinkKind> {
    let queues = table.integer("queues", 1..=16).map_or(1, Spanned::into_inner);
    let name = table.text("tap")?;
    let text = name.get_ref();
    let inner = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%');
    if text.is_empty() || text.len() > 15 || !text.chars().all(inner) || text == "." || text == ".."
    {
        let wrong = format!("{} is not an interface's name", quote(text));
        table.problems.report(
            name.span(),
            wrong,
            "write 1 to 15 characters without space, `/`, `:` and `%`",
        );
    }
    Some(UplinkKind::Tap { name: name.into_inner(), queues })
}

fn socket(table: &Reader<'_, '_, '_>) -> Option<UplinkKind> {
    let kinds = [("stream", SocketKind::Stream), ("datagram", SocketKind::Datagram)];
    let kind =
        table.choice("type", &kinds, |_| true).map_or(SocketKind::Stream, Spanned::into_inner);
    let listen = table.boolean("listen").unwrap_or(false);
    let path = path(table, "socket", SOCKET_PATH_MAX)?.into_inner();
    Some(UplinkKind::Socket { path, kind, listen })
}

fn read_faults(table: &Reader<'_, '_, '_>) -> Faults {
    let share = |key| table.share(key).unwrap_or(0);
    let seed = table.integer("seed", 0..=i64::MAX).map_or(0, Spanned::into_inner);
    Faults {
        drop: share("drop"),
        duplicate: share("duplicate"),
        corrupt: share("corrupt"),
        delay: share("delay"),
        delay_by: table.parsed("delay-by").map(Spanned::into_inner).unwrap_or_default(),
        seed: seed.unsigned_abs(),
    }
}

/// A path of at most `longest` bytes.
pub(super) fn path(
    table: &Reader<'_, '_, '_>,
    key: &str,
    longest: usize,
) -> Option<Spanned<PathBuf>> {
    let text = table.text(key)?;
    let path = text.get_ref();
    if path.is_empty() || path.len() > longest || path.contains('\0') {
        let wrong = format!("`{key}` {} is no path", quote(path));
        table.problems.report(text.span(), wrong, format!("give a path of 1 to {longest} bytes"));
    }
    Some(Spanned::new(text.span(), PathBuf::from(path)))
}

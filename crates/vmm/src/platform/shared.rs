//! What on the host, or in the file, only one thing can have: taps, sockets, files; and that a recording names a port that exists.

use std::collections::BTreeMap;
use std::ops::Range;

use super::file::File;
use super::nic::{CapturePort, UplinkKind};
use super::nic_entry::NicEntry;
use super::problem::{Problems, quote};
use super::suggest::nearest;

/// Reports what two uplinks or recordings share, and recordings of ports that don't exist.
pub(super) fn check(file: &File, problems: &Problems<'_>) {
    let mut users: BTreeMap<String, Range<usize>> = BTreeMap::new();
    let mut claim = |what: String, span: Range<usize>, right: &str| {
        if let Some(first) = users.get(&what) {
            let wrong = format!("{what} is in use already (line {})", problems.line(first));
            problems.report(span, wrong, right);
        } else {
            users.insert(what, span);
        }
    };
    for nic in &file.nics {
        let Some(uplink) = &nic.uplink else { continue };
        let path = |path: &std::path::Path| quote(&path.to_string_lossy());
        let (what, right) = match &uplink.kind {
            UplinkKind::Loopback | UplinkKind::Segment { .. } => continue,
            UplinkKind::Tap { name, .. } => {
                (format!("the tap {}", quote(name)), "give each card a tap of its own")
            }
            UplinkKind::Socket { path: at, .. } => {
                (format!("the socket {}", path(at)), "give each card a socket of its own")
            }
            UplinkKind::Pcap { file } => {
                (format!("the file {}", path(file)), "give each recording a file of its own")
            }
        };
        claim(what, nic.uplink_span.clone(), right);
    }
    for capture in &file.captures {
        let what = format!("the file {}", quote(&capture.file.get_ref().to_string_lossy()));
        claim(what, capture.file.span(), "give each recording a file of its own");
    }
    captures(file, problems);
}

fn captures(file: &File, problems: &Problems<'_>) {
    for capture in &file.captures {
        let name = capture.nic.get_ref();
        let nics = || file.nics.iter().map(|nic| nic.id.get_ref().as_str());
        let Some(nic) = file.nics.iter().find(|nic| nic.id.get_ref().as_str() == name) else {
            let right = match nearest(name, nics()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "name a `[[nic]]` of this file".to_owned(),
            };
            let wrong = format!("no network card has the id {}", quote(name));
            problems.report(capture.nic.span(), wrong, right);
            continue;
        };
        let (wrong, right) = match capture.port {
            CapturePort::Vf(number) if number >= nic.vfs => {
                let right = match nic.vfs.checked_sub(1) {
                    Some(last) => format!("name `{name}/vf0` to `{name}/vf{last}`"),
                    None => format!("name `{name}`"),
                };
                (
                    format!("`{name}` has {} virtual functions and no number {number}", nic.vfs),
                    right,
                )
            }
            CapturePort::Uplink if is_on_segment(nic) => (
                format!("`{name}` is on a segment, which has no port of its own"),
                "name the card, or one of its virtual functions".to_owned(),
            ),
            CapturePort::Uplink if nic.uplink.is_none() => (
                format!("`{name}` has no uplink"),
                format!("give `{name}` an `uplink`, or name another port"),
            ),
            _ => continue,
        };
        problems.report(capture.nic.span(), wrong, right);
    }
}

fn is_on_segment(nic: &NicEntry) -> bool {
    nic.uplink.as_ref().is_some_and(|uplink| matches!(uplink.kind, UplinkKind::Segment { .. }))
}

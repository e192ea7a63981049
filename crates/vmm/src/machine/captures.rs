//! Captures: which ports of which cards are recorded in which files.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use pando_engine::Switch;
use pando_engine::pcap::CaptureFile;

use super::uplinks;
use crate::platform::{Capture, CapturePort};

/// Bytes kept of a frame: all of it.
pub(super) const SNAP_LENGTH: usize = 1 << 18;

/// The files, and who goes into them.
pub(super) struct Captures {
    files: BTreeMap<Box<Path>, CaptureFile>,
    wanted: Vec<Capture>,
}

impl Captures {
    /// Creates every file.
    pub(super) fn create(wanted: &[Capture]) -> Result<Self> {
        let mut files = BTreeMap::new();
        for capture in wanted {
            if let Entry::Vacant(place) = files.entry(capture.file.as_path().into()) {
                let file = CaptureFile::create(&capture.file, SNAP_LENGTH).with_context(|| {
                    format!("creating the capture file {}", capture.file.display())
                })?;
                place.insert(file);
            }
        }
        Ok(Self { files, wanted: wanted.to_vec() })
    }

    /// Watches what is wanted of the card `nic`.
    pub(super) fn watch(&self, nic: &str, switch: &Arc<Switch>) {
        for capture in self.wanted.iter().filter(|capture| capture.nic.as_str() == nic) {
            let port = match capture.port {
                CapturePort::Pf => nic.to_owned(),
                CapturePort::Vf(vf) => format!("{nic}.vf{vf}"),
                CapturePort::Uplink => uplinks::PORT.to_owned(),
            };
            if let (Some(file), Some(port)) =
                (self.files.get(capture.file.as_path()), switch.find(&port))
            {
                port.set_capture(Some(Arc::new(file.port(&format!("{nic}/{}", capture.port)))));
            }
        }
    }
}

//! The cards of a tree: one line per model, and what they share: the engine, a switch and an uplink each.

use std::sync::Arc;

use anyhow::{Context, Result};
use pando_engine::{Engine, MacAddress, Switch};
use pando_fabric::FabricBuilder;
use pando_ixgbe::IntelNic;
use pando_pci::{AriHierarchy, Device, Slot};
use pando_tlp::Link;
use pando_virtio_net::{NicConfig, VfConfig, VirtioNic};

use super::captures::Captures;
use super::reports::Reports;
use super::tree::{Parts, function_access_control};
use super::uplinks;
use crate::platform::{Nic, NicModel};

/// Descriptors of a virtio queue: a burst of long frames fits.
const QUEUE_SIZE: u16 = 1024;

/// What the cards of one machine share.
pub(super) struct Cards {
    engine: Arc<Engine>,
    captures: Captures,
    reports: Reports,
    keep: Vec<Box<dyn Send>>,
}

impl Cards {
    pub(super) fn new(parts: &Parts<'_>) -> Result<Self> {
        let engine =
            Engine::new(workers(parts), parts.epochs.clone()).context("starting the workers")?;
        let captures = Captures::create(&parts.platform.captures)?;
        let (engine, mut reports) = (Arc::new(engine), Reports::default());
        let told = engine.clone();
        reports.add(&["engine"], move || serde_json::to_value(told.report()));
        Ok(Self { engine, captures, reports, keep: Vec::new() })
    }

    /// After the tree is built: what lives as long as the machine, in the order in which it ends, and what is told of it.
    pub(super) fn finish(mut self) -> (Vec<Box<dyn Send>>, Reports) {
        self.keep.push(Box::new(self.engine));
        self.keep.push(Box::new(self.captures));
        (self.keep, self.reports)
    }

    /// Plugs a device into `port`: one card per function.
    pub(super) fn attach(
        &mut self,
        fabric: &mut FabricBuilder,
        port: &str,
        nics: &[&Nic],
    ) -> Result<()> {
        let Some(first) = nics.first() else { return Ok(()) };
        let link = fabric.reserve(first.id.as_str(), port)?;
        let mut devices = Vec::new();
        for (nic, slot) in nics.iter().zip(slots(nics)) {
            devices.push(self.card(nic, &slot, &link)?);
        }
        fabric.fill(first.id.as_str(), devices)?;
        Ok(())
    }

    /// Puts a device on the root bus: one card per function.
    pub(super) fn attach_integrated(
        &mut self,
        fabric: &mut FabricBuilder,
        nics: &[&Nic],
    ) -> Result<()> {
        let Some(first) = nics.first() else { return Ok(()) };
        let mut built = Ok(());
        fabric.attach_integrated(first.id.as_str(), Some(first.position.device), |link, _| {
            let slots = slots(nics).into_iter().map(|slot| Slot { integrated: true, ..slot });
            let devices: Result<Vec<_>> =
                nics.iter().zip(slots).map(|(nic, slot)| self.card(nic, &slot, &link)).collect();
            devices.unwrap_or_else(|error| {
                built = Err(error);
                Vec::new()
            })
        })?;
        built
    }

    fn card(&mut self, nic: &Nic, slot: &Slot, link: &Arc<dyn Link>) -> Result<Arc<dyn Device>> {
        let switch = Switch::new(nic.id.as_str());
        let device: Arc<dyn Device> = match nic.model {
            NicModel::Virtio => self.virtio(nic, slot, link, &switch)?,
            NicModel::Intel82599 => self.intel(nic, slot, link, &switch)?,
        };
        if let Some(uplink) = &nic.uplink {
            let cable = uplinks::plug(uplink, &self.engine, &switch)
                .with_context(|| format!("the uplink of card `{}`", nic.id.as_str()))?;
            let counters = cable.counters();
            self.tell(nic, "uplink", move || serde_json::to_value(&*counters));
            self.keep.push(Box::new(cable));
        }
        self.captures.watch(nic.id.as_str(), &switch);
        self.tell(nic, "ports", move || serde_json::to_value(switch.report()));
        Ok(device)
    }

    /// Adds a part of what is told of a card.
    fn tell(
        &mut self,
        nic: &Nic,
        part: &str,
        source: impl Fn() -> serde_json::Result<serde_json::Value> + Send + Sync + 'static,
    ) {
        self.reports.add(&["cards", nic.id.as_str(), part], source);
    }

    fn virtio(
        &mut self,
        nic: &Nic,
        slot: &Slot,
        link: &Arc<dyn Link>,
        switch: &Arc<Switch>,
    ) -> Result<Arc<dyn Device>> {
        let mac = |octets| Some(MacAddress(octets));
        let vfs =
            nic.vfs.iter().map(|vf| VfConfig { mac: mac(vf.mac.octets()), ..VfConfig::default() });
        let config = NicConfig {
            name: nic.id.as_str().to_owned(),
            mac: MacAddress(nic.mac.octets()),
            vfs: nic.vfs.len() as u16,
            pf_queue_pairs: nic.queues,
            vf_queue_pairs: nic.vf_queues,
            total_queue_pairs: nic.queue_budget,
            queue_size: QUEUE_SIZE,
            mtu: nic.mtu,
            speed: nic.speed.mbit_per_second(),
            vf_overrides: (0..).zip(vfs).collect(),
        };
        let card = VirtioNic::new(&config, slot, link.clone(), &self.engine, switch)
            .with_context(|| format!("card `{}`", nic.id.as_str()))?;
        let endpoint = card.endpoint().clone();
        let told = endpoint.clone();
        self.tell(nic, "functions", move || serde_json::to_value(told.report()));
        self.tell(nic, "drivers", move || serde_json::to_value(card.report()));
        Ok(endpoint)
    }

    fn intel(
        &mut self,
        nic: &Nic,
        slot: &Slot,
        link: &Arc<dyn Link>,
        switch: &Arc<Switch>,
    ) -> Result<Arc<dyn Device>> {
        let config = pando_ixgbe::NicConfig {
            name: nic.id.as_str().to_owned(),
            mac: MacAddress(nic.mac.octets()),
            vfs: nic.vfs.len() as u16,
            ..pando_ixgbe::NicConfig::default()
        };
        let card = IntelNic::new(&config, slot, link.clone(), &self.engine, switch)
            .with_context(|| format!("card `{}`", nic.id.as_str()))?;
        let endpoint = card.endpoint().clone();
        let told = endpoint.clone();
        self.tell(nic, "functions", move || serde_json::to_value(told.report()));
        self.tell(nic, "drivers", move || serde_json::to_value(card.report()));
        Ok(endpoint)
    }
}

/// Threads for the packets: as the user says, or one per CPU of the host as long as there are functions for them.
fn workers(parts: &Parts<'_>) -> usize {
    let functions: usize =
        parts.platform.root_complex.nics().iter().map(|nic| 1 + nic.vfs.len()).sum();
    let host = std::thread::available_parallelism().map_or(1, usize::from);
    parts.workers.unwrap_or(host.min(functions)).max(1)
}

/// The places of the cards that are functions of one device. VFs of the first lie where its model puts them; with several PFs
/// that have VFs each gets a bus of its own for them.
fn slots(nics: &[&Nic]) -> Vec<Slot> {
    let ari = AriHierarchy::default();
    let with_vfs = |nics: &[&Nic]| nics.iter().filter(|nic| !nic.vfs.is_empty()).count();
    let several = with_vfs(nics) > 1;
    let functions = nics.iter().map(|nic| 1 + nic.vfs.len()).sum();
    (0..nics.len())
        .map(|index| Slot {
            function: nics[index].position.bits(),
            multi_function: nics.len() > 1,
            next_function: nics.get(index + 1).map_or(0, |next| next.position.bits()),
            integrated: false,
            acs: nics[index].acs.map(|acs| function_access_control(acs, functions)),
            vf_offset: several
                .then(|| nics[index].vf_offset_behind(with_vfs(&nics[..index]) as u8)),
            ari: ari.clone(),
            follows: with_vfs(&nics[..index]) > 0,
        })
        .collect()
}

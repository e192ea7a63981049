//! The cards of a tree: one line per model, and what they share: the engine, a switch and an uplink each.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use pando_engine::{Engine, MacAddress, Switch};
use pando_exerciser::{Exerciser as ExerciserCard, ExerciserConfig};
use pando_fabric::FabricBuilder;
use pando_ixgbe::{IntelNic, Model};
use pando_pci::{Device, Slot};
use pando_tlp::Link;
use pando_virtio_net::{NicConfig, VfConfig, VirtioNic};

use super::captures::Captures;
use super::functions::{Function, slots};
use super::reports::Reports;
use super::tree::Parts;
use super::uplinks::{self, SetLink};
use crate::platform::{Exerciser, Id, Nic, NicModel, UplinkKind};

/// Descriptors of a virtio queue: a burst of long frames fits.
const QUEUE_SIZE: u16 = 1024;

/// What the cards of one machine share.
pub(super) struct Cards {
    engine: Arc<Engine>,
    captures: Captures,
    reports: Reports,
    /// The switches that several cards share, by the segment's name.
    segments: BTreeMap<Id, Arc<Switch>>,
    keep: Vec<Box<dyn Send>>,
}

impl Cards {
    pub(super) fn new(parts: &Parts<'_>) -> Result<Self> {
        let engine = Engine::polling(workers(parts), parts.epochs.clone(), parts.poll)
            .context("starting the workers")?;
        let captures = Captures::create(&parts.platform.captures)?;
        let (engine, mut reports) = (Arc::new(engine), Reports::default());
        let told = engine.clone();
        reports.add(&["engine"], move || serde_json::to_value(told.report()));
        Ok(Self { engine, captures, reports, segments: BTreeMap::new(), keep: Vec::new() })
    }

    /// After the tree is built: what lives as long as the machine, in the order in which it ends, and what is told of it.
    pub(super) fn finish(mut self) -> (Vec<Box<dyn Send>>, Reports) {
        self.keep.push(Box::new(self.engine));
        self.keep.push(Box::new(self.captures));
        (self.keep, self.reports)
    }

    /// Plugs a device into `port`: one card per function, switches not among them.
    pub(super) fn attach(
        &mut self,
        fabric: &mut FabricBuilder,
        port: &str,
        functions: &[(Function<'_>, Slot)],
    ) -> Result<()> {
        let Some((first, _)) = functions.first() else { return Ok(()) };
        let link = fabric.reserve(first.id().as_str(), port)?;
        let mut devices = Vec::new();
        for (function, slot) in functions {
            devices.extend(self.function(*function, slot, &link)?);
        }
        fabric.fill(first.id().as_str(), devices)?;
        Ok(())
    }

    /// Puts a device on the root bus: one card per function.
    pub(super) fn attach_integrated(
        &mut self,
        fabric: &mut FabricBuilder,
        functions: &[Function<'_>],
    ) -> Result<()> {
        let Some(first) = functions.first() else { return Ok(()) };
        let mut built = Ok(());
        let (id, device) = (first.id().as_str(), first.position().device);
        fabric.attach_integrated(id, Some(device), |link, _| {
            self.functions(functions, true, &link).unwrap_or_else(|error| {
                built = Err(error);
                Vec::new()
            })
        })?;
        built
    }

    /// Puts a device behind the bridge `bridge`.
    pub(super) fn attach_conventional(
        &mut self,
        fabric: &mut FabricBuilder,
        bridge: &str,
        functions: &[Function<'_>],
    ) -> Result<()> {
        let Some(first) = functions.first() else { return Ok(()) };
        let mut built = Ok(());
        fabric.attach_conventional(first.id().as_str(), bridge, |link| {
            self.functions(functions, false, &link).unwrap_or_else(|error| {
                built = Err(error);
                Vec::new()
            })
        })?;
        built
    }

    /// The functions of a device on a bus.
    fn functions(
        &mut self,
        functions: &[Function<'_>],
        integrated: bool,
        link: &Arc<dyn Link>,
    ) -> Result<Vec<Arc<dyn Device>>> {
        let slots = slots(functions).into_iter().map(|slot| Slot {
            integrated,
            conventional: slot.conventional || !integrated,
            ..slot
        });
        let device =
            |(of, slot): (&Function<'_>, Slot)| self.function(*of, &slot, link).transpose();
        functions.iter().zip(slots).filter_map(device).collect()
    }

    /// The function's device; a switch is none.
    fn function(
        &mut self,
        function: Function<'_>,
        slot: &Slot,
        link: &Arc<dyn Link>,
    ) -> Result<Option<Arc<dyn Device>>> {
        match function {
            Function::Nic(nic) => self.card(nic, slot, link).map(Some),
            Function::Exerciser(exerciser) => self.exerciser(exerciser, slot, link).map(Some),
            Function::Switch(_) => Ok(None),
        }
    }

    fn exerciser(
        &mut self,
        exerciser: &Exerciser,
        slot: &Slot,
        link: &Arc<dyn Link>,
    ) -> Result<Arc<dyn Device>> {
        let id = exerciser.id.as_str();
        let config = ExerciserConfig { name: id.to_owned(), vfs: exerciser.vfs };
        let card = ExerciserCard::new(&config, slot, link.clone())
            .with_context(|| format!("exerciser `{id}`"))?;
        let device = card.device();
        self.reports.add(&["cards", id, "functions"], move || serde_json::to_value(card.report()));
        Ok(device)
    }

    fn card(&mut self, nic: &Nic, slot: &Slot, link: &Arc<dyn Link>) -> Result<Arc<dyn Device>> {
        let switch = self.switch(nic);
        let (device, set_link): (Arc<dyn Device>, SetLink) = match nic.model {
            NicModel::Virtio => self.virtio(nic, slot, link, &switch)?,
            NicModel::Intel82599 => self.intel(Model::default(), nic, slot, link, &switch)?,
            NicModel::Intel82599Sfp => self.intel(Model::SfpPlus, nic, slot, link, &switch)?,
            NicModel::IntelX540 => self.intel(Model::BaseT, nic, slot, link, &switch)?,
        };
        if let Some(uplink) = &nic.uplink
            && let Some(cable) = uplinks::plug(uplink, &self.engine, &switch, set_link)
                .with_context(|| format!("the uplink of card `{}`", nic.id.as_str()))?
        {
            self.tell(nic, "uplink", cable.report());
            self.keep.push(Box::new(cable));
        }
        self.captures.watch(nic.id.as_str(), &switch);
        self.tell(nic, "ports", move || serde_json::to_value(switch.report()));
        Ok(device)
    }

    /// The card's own switch, or the one that all cards of its segment share.
    fn switch(&mut self, nic: &Nic) -> Arc<Switch> {
        match nic.uplink.as_ref().map(|uplink| &uplink.kind) {
            Some(UplinkKind::Segment { name }) => {
                let switch = || Switch::new(name.as_str());
                self.segments.entry(name.clone()).or_insert_with(switch).clone()
            }
            _ => Switch::new(nic.id.as_str()),
        }
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
    ) -> Result<(Arc<dyn Device>, SetLink)> {
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
            packed_rings: nic.packed_rings,
            mtu: nic.mtu,
            speed: nic.speed.mbit_per_second(),
            vf_overrides: (0..).zip(vfs).collect(),
        };
        let card = VirtioNic::new(&config, slot, link.clone(), &self.engine, switch)
            .with_context(|| format!("card `{}`", nic.id.as_str()))?;
        let endpoint = card.endpoint().clone();
        let (told, card) = (endpoint.clone(), Arc::new(card));
        let linked = card.clone();
        self.tell(nic, "functions", move || serde_json::to_value(told.report()));
        self.tell(nic, "drivers", move || serde_json::to_value(card.report()));
        Ok((endpoint, Box::new(move |up| linked.set_link(up))))
    }

    fn intel(
        &mut self,
        model: Model,
        nic: &Nic,
        slot: &Slot,
        link: &Arc<dyn Link>,
        switch: &Arc<Switch>,
    ) -> Result<(Arc<dyn Device>, SetLink)> {
        let config = pando_ixgbe::NicConfig {
            name: nic.id.as_str().to_owned(),
            model,
            mac: MacAddress(nic.mac.octets()),
            vfs: nic.vfs.len() as u16,
            ..pando_ixgbe::NicConfig::default()
        };
        let card = IntelNic::new(&config, slot, link.clone(), &self.engine, switch)
            .with_context(|| format!("card `{}`", nic.id.as_str()))?;
        let endpoint = card.endpoint().clone();
        let (told, card) = (endpoint.clone(), Arc::new(card));
        let linked = card.clone();
        self.tell(nic, "functions", move || serde_json::to_value(told.report()));
        self.tell(nic, "drivers", move || serde_json::to_value(card.report()));
        Ok((endpoint, Box::new(move |up| linked.set_link(up))))
    }
}

/// Threads for the packets: as the user says, or one per CPU that the host has beside the guest's, as long as there are functions for
/// them. One at least; more would poll on CPUs that the guest's own need.
fn workers(parts: &Parts<'_>) -> usize {
    let functions: usize =
        parts.platform.root_complex.nics().iter().map(|nic| 1 + nic.vfs.len()).sum();
    let host = std::thread::available_parallelism().map_or(1, usize::from);
    let spare = host.saturating_sub(parts.layout.cpus.into());
    parts.workers.unwrap_or(spare.min(functions)).max(1)
}

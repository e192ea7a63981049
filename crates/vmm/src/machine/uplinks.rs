//! Cables: what a platform file calls an uplink, connected to a card's switch.

use std::sync::Arc;

use anyhow::{Context, Result};
use pando_engine::fault::{self, Faults};
use pando_engine::pcap::CaptureFile;
use pando_engine::uplink::{
    self, Carrier, SocketConfig, UplinkConfig, UplinkCounters, UplinkQueue,
};
use pando_engine::{
    Engine, OnError, Port, PortKind, QueueError, ReceiveHandle, Switch, TaskHandle,
};
use serde::Serialize;

use super::captures::SNAP_LENGTH;
use super::follower::Follower;
pub(super) use super::follower::SetLink;
use crate::platform::{self, SocketKind, UplinkKind};

/// The name of an uplink's port in a switch.
pub(super) const PORT: &str = "uplink";

/// A plugged cable. Dropping it unplugs it: sockets and taps that were made for it are gone then.
pub(super) struct Cable {
    _sources: Vec<TaskHandle>,
    _sinks: Vec<ReceiveHandle>,
    _file: Option<CaptureFile>,
    _follower: Follower,
    carrier: Arc<Carrier>,
    counters: Arc<UplinkCounters>,
}

/// What is told of a cable.
#[derive(Serialize)]
struct CableReport<'a> {
    /// Whether there is anybody at its end.
    carrier: bool,
    /// What has passed through it.
    #[serde(flatten)]
    counters: &'a UplinkCounters,
}

impl Cable {
    /// Says what is told of it, whenever it is called.
    pub(super) fn report(&self) -> impl Fn() -> serde_json::Result<serde_json::Value> + use<> {
        let (carrier, counters) = (self.carrier.clone(), self.counters.clone());
        move || serde_json::to_value(CableReport { carrier: carrier.is_up(), counters: &counters })
    }
}

/// Connects `uplink` to `switch`, and the card's link state to it; `None` where the switch itself is the wire.
pub(super) fn plug(
    uplink: &platform::Uplink,
    engine: &Engine,
    switch: &Arc<Switch>,
    set_link: SetLink,
) -> Result<Option<Cable>> {
    let Some((mut opened, file)) = open(&uplink.kind)? else { return Ok(None) };
    if let Some(faults) = &uplink.faults {
        opened = fault::inject(opened, chances(faults))?.0;
    }
    let port = switch.port(PORT, PortKind::Uplink);
    port.set_receive_queues(opened.queues.len() as u16, None);
    let follower = Follower::start(opened.carrier.clone(), set_link)?;
    let mut cable = Cable {
        _sources: Vec::new(),
        _sinks: Vec::new(),
        _file: file,
        _follower: follower,
        carrier: opened.carrier,
        counters: opened.counters,
    };
    for (index, queue) in (0..).zip(opened.queues) {
        let (source, sink) = connect(engine, &port, index, queue)?;
        cable._sources.push(source);
        cable._sinks.push(sink);
    }
    Ok(Some(cable))
}

fn open(kind: &UplinkKind) -> Result<Option<(uplink::Uplink, Option<CaptureFile>)>> {
    let (config, queues) = match kind {
        UplinkKind::Loopback => (UplinkConfig::Loopback, 1),
        UplinkKind::Tap { name, queues } => (UplinkConfig::Tap(name.clone()), *queues),
        UplinkKind::Socket { path, kind, listen } => {
            let path = path.clone();
            let config = match (kind, listen) {
                (SocketKind::Stream, true) => SocketConfig::Listen(path),
                (SocketKind::Stream, false) => SocketConfig::Connect(path),
                (SocketKind::Datagram, true) => {
                    SocketConfig::Datagram { local: Some(path), remote: None }
                }
                (SocketKind::Datagram, false) => {
                    SocketConfig::Datagram { local: None, remote: Some(path) }
                }
            };
            (UplinkConfig::Socket(config), 1)
        }
        UplinkKind::Pcap { file } => {
            let capture = CaptureFile::create(file, SNAP_LENGTH)
                .with_context(|| format!("creating the capture file {}", file.display()))?;
            return Ok(Some((uplink::recorder(capture.port(PORT))?, Some(capture))));
        }
        UplinkKind::Segment { .. } => return Ok(None),
    };
    Ok(Some((config.open(queues)?, None)))
}

fn connect(
    engine: &Engine,
    port: &Arc<Port>,
    index: u16,
    queue: UplinkQueue,
) -> Result<(TaskHandle, ReceiveHandle)> {
    let source = engine
        .source(port, index, queue.transmit, queue.readable, on_error())
        .context("waiting for frames from outside")?;
    Ok((source, engine.receive(port, index, queue.receive, on_error())))
}

/// An uplink queue that fails is out of the machine's reach; the guest sees a cable with nobody at its end.
fn on_error() -> OnError {
    Box::new(|error: QueueError| tracing::warn!(%error, "an uplink queue stopped"))
}

/// Shares in parts per million as chances.
fn chances(faults: &platform::Faults) -> Faults {
    let chance = |millionths: u32| f64::from(millionths) / 1e6;
    Faults {
        drop: chance(faults.drop),
        duplicate: chance(faults.duplicate),
        corrupt: chance(faults.corrupt),
        delay: chance(faults.delay),
        delay_by: faults.delay_by.duration(),
        seed: faults.seed,
    }
}

//! Frames from one function to another: Pando's engine (rings, switch, counters on one worker), the plainest loop that moves the same
//! frames, and an engine on `virtio-queue`; the driver on another thread.
#![expect(clippy::unwrap_used, reason = "a bench that can't begin can only end")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pando_benches::{Driver, Machine, RawReceive, RawTransmit, plain_loop, virtio_queue};
use pando_engine::ring::{SplitConfig, SplitRing};
use pando_engine::{Engine, Filter, MacAddress, PortKind, Switch};
use pando_tlp::{DmaView, Epochs};

type Peer = fn(&Machine, SplitConfig, SplitConfig, &AtomicBool);

fn pando(len: u32, frames: u64, functions: u64) -> Duration {
    let machine = Machine::new();
    let mut driver = Driver::new(&machine, len);
    let engine = Engine::new(1, Epochs::new()).unwrap();
    let switch = Switch::new("card");
    let ports: Vec<_> = (0..functions)
        .map(|number| {
            let port = switch.port(&format!("vf{number}"), PortKind::Function);
            let unicast = vec![MacAddress([2, 0, 0, 0, 0, number as u8])];
            port.set_filter(Filter { link_up: true, unicast, ..Filter::default() });
            port
        })
        .collect();
    let ring = |config| SplitRing::new(config, DmaView::new(machine.clone())).unwrap();
    let receive = Box::new(RawReceive(ring(driver.receive.config())));
    let transmit = Box::new(RawTransmit(ring(driver.transmit.config())));
    let receive = engine.receive(&ports[1], 0, receive, Box::new(|error| panic!("{error}")));
    let transmit = engine.transmit(&ports[0], 0, transmit, Box::new(|error| panic!("{error}")));
    let (time, arrived) =
        driver.run(frames, &|| transmit.doorbell().ring(), &|| receive.doorbell().ring());
    assert_eq!(arrived, frames, "{:?}", ports[1].report());
    time
}

fn peer(peer: Peer, len: u32, frames: u64) -> Duration {
    let machine = Machine::new();
    let mut driver = Driver::new(&machine, len);
    let (from, to) = (driver.transmit.config(), driver.receive.config());
    let stop = Arc::new(AtomicBool::new(false));
    let thread = std::thread::spawn({
        let (machine, stop) = (machine.clone(), stop.clone());
        move || peer(&machine, from, to, &stop)
    });
    let (time, arrived) = driver.run(frames, &|| {}, &|| {});
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    assert_eq!(arrived, frames);
    time
}

fn forward(criterion: &mut Criterion) {
    for len in [64, 1500] {
        let mut group = criterion.benchmark_group(format!("forward/{len}"));
        group.throughput(Throughput::Elements(1));
        group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
        group.sample_size(20);
        for functions in [2, 255] {
            group.bench_with_input(BenchmarkId::new("pando", functions), &functions, |b, n| {
                b.iter_custom(|frames| pando(len, frames, *n));
            });
        }
        group.bench_function("plain loop", |b| b.iter_custom(|n| peer(plain_loop, len, n)));
        group.bench_function("virtio-queue", |b| b.iter_custom(|n| peer(virtio_queue, len, n)));
        group.finish();
    }
}

criterion_group!(benches, forward);
criterion_main!(benches);

//! A machine without processors around the engine: functions with rings, their drivers, and a switch.

use super::*;

const MIB: u64 = 1 << 20;
pub(super) const RING: u16 = 64;
pub(super) const BUFFER: u64 = 2048;

/// One machine with its engine and switch.
pub(super) struct World {
    pub(super) tree: Arc<Tree>,
    pub(super) epochs: Arc<Epochs>,
    pub(super) switch: Arc<Switch>,
    pub(super) engine: Engine,
}

/// A function, its driver's rings and what is running.
pub(super) struct Function {
    pub(super) number: u64,
    pub(super) port: Arc<Port>,
    pub(super) transmit: Driver,
    pub(super) receive: Driver,
    pub(super) sending: Option<TaskHandle>,
    pub(super) receiving: Option<ReceiveHandle>,
    pub(super) errors: Arc<Mutex<Vec<QueueError>>>,
}

pub(super) fn mac(number: u64) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, number as u8])
}

impl World {
    pub(super) fn new(workers: usize) -> Self {
        let epochs = Epochs::new();
        Self {
            tree: Tree::new((8 * MIB) as usize),
            switch: Switch::new("card"),
            engine: Engine::new(workers, epochs.clone()).unwrap(),
            epochs,
        }
    }

    /// A function with its rings made, but nothing running.
    pub(super) fn function(&self, number: u64) -> Function {
        let port = self.switch.port(&format!("vf{number}"), PortKind::Function);
        port.set_filter(Filter {
            link_up: true,
            unicast: vec![mac(number)],
            broadcast: true,
            ..Filter::default()
        });
        let base = number * MIB;
        Function {
            number,
            port,
            transmit: Driver::new(&self.tree, base, RING, true),
            receive: Driver::new(&self.tree, base + 0x8000, RING, true),
            sending: None,
            receiving: None,
            errors: Arc::default(),
        }
    }

    /// A function that sends and receives.
    pub(super) fn running(&self, number: u64) -> Function {
        let mut function = self.function(number);
        function.start_sending(&self.engine);
        function.start_receiving(&self.engine);
        function.refill();
        function
    }
}

impl Function {
    pub(super) fn on_error(&self) -> OnError {
        let errors = self.errors.clone();
        Box::new(move |error| errors.lock().unwrap().push(error))
    }

    pub(super) fn start_sending(&mut self, engine: &Engine) {
        let queue = Box::new(RawTransmit::new(&self.transmit));
        self.sending = Some(engine.transmit(&self.port, 0, queue, self.on_error()));
    }

    pub(super) fn start_receiving(&mut self, engine: &Engine) {
        let queue = Box::new(RawReceive::new(&self.receive));
        self.receiving = Some(engine.receive(&self.port, 0, queue, self.on_error()));
    }

    /// Adds a frame; `false` if the ring is full.
    pub(super) fn send(&mut self, to: MacAddress, number: u32, len: usize) -> bool {
        self.transmit.take_used();
        if self.transmit.room() < 2 {
            return false;
        }
        let slot = u64::from(self.transmit.available % RING);
        let address = self.number * MIB + 0x1_0000 + slot * BUFFER;
        let mut bytes = to.0.to_vec();
        bytes.extend(mac(self.number).0);
        bytes.extend([0x88, 0xb5]);
        bytes.extend(number.to_be_bytes());
        bytes.resize(len, number as u8);
        self.transmit.write(address, &bytes);
        let first = len as u32 / 3;
        self.transmit
            .add(&[(address, first, 0), (address + u64::from(first), len as u32 - first, 0)]);
        self.transmit.publish();
        if let Some(task) = &self.sending {
            task.doorbell().ring();
        }
        true
    }

    pub(super) fn send_all(&mut self, to: MacAddress, numbers: std::ops::Range<u32>, len: usize) {
        for number in numbers {
            wait(|| self.send(to, number, len));
        }
    }

    /// Gives all free descriptors to the device as buffers.
    pub(super) fn refill(&mut self) {
        while self.receive.room() > 0 {
            self.give_buffer();
        }
    }

    pub(super) fn give_buffer(&mut self) {
        let slot = u64::from(self.receive.available % RING);
        let address = self.number * MIB + 0x9_0000 + slot * BUFFER;
        self.receive.add(&[(address, BUFFER as u32, WRITE)]);
        if self.receive.publish()
            && let Some(queue) = &self.receiving
        {
            queue.doorbell().ring();
        }
    }

    /// The frames that came since the last call, without giving buffers back.
    pub(super) fn received(&mut self) -> Vec<Vec<u8>> {
        let before = self.receive.used;
        let used = self.receive.take_used();
        let slots = (0..).map(|at| u64::from(before.wrapping_add(at) % RING));
        slots
            .zip(used)
            .map(|(slot, (_, len))| {
                let address = self.number * MIB + 0x9_0000 + slot * BUFFER;
                self.receive.read(address, len as usize)
            })
            .collect()
    }

    /// The numbers of the frames that came, buffers given back.
    pub(super) fn numbers(&mut self) -> Vec<u32> {
        let frames = self.received();
        self.refill();
        frames.iter().map(|frame| number(frame)).collect()
    }

    pub(super) fn transmit_drops(&self, why: DropReason) -> u64 {
        self.port.transmit_counters(0).drops(why)
    }

    pub(super) fn receive_drops(&self, why: DropReason) -> u64 {
        self.port.receive_counters(0).drops(why)
    }
}

pub(super) fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[14..18].try_into().unwrap())
}

/// Waits until `ready`; a test that would hang fails.
#[track_caller]
pub(super) fn wait(mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(60), "it doesn't happen");
        std::thread::yield_now();
    }
}

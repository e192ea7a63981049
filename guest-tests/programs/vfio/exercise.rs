//! An exerciser driven by its registers as Linux' `pci_endpoint_test` and `pcitest` do it: every BAR, every kind of interrupt with every
//! vector, transfers of the usual sizes.

use std::time::Duration;

use crate::Outcome;
use crate::device::{Device, Interrupt};
use crate::sys::{Event, Mapping};

mod register {
    pub(super) const COMMAND: usize = 0x04;
    pub(super) const STATUS: usize = 0x08;
    pub(super) const SOURCE: usize = 0x0c;
    pub(super) const DESTINATION: usize = 0x14;
    pub(super) const SIZE: usize = 0x1c;
    pub(super) const CHECKSUM: usize = 0x20;
    pub(super) const IRQ_TYPE: usize = 0x24;
    pub(super) const IRQ_NUMBER: usize = 0x28;
}

const READ: u32 = 1 << 3;
const WRITE: u32 = 1 << 4;
const COPY: u32 = 1 << 5;
const IRQ_RAISED: u32 = 1 << 6;
/// Success of a read, a write and a copy; the bit after each is failure.
const OUTCOMES: [(u32, u32); 3] = [(READ, 1 << 0), (WRITE, 1 << 2), (COPY, 1 << 4)];

/// The sizes of `pcitest.sh`, in bytes.
const SIZES: [usize; 5] = [1, 1024, 1025, 1_024_000, 1_024_001];
const HALF: usize = 1 << 20;
const IOVA: u64 = 64 << 30;
const LIMIT: Duration = Duration::from_secs(10);
/// How long nothing must come.
const SILENCE: Duration = Duration::from_millis(50);

/// A function, its registers and the memory it may reach: a half to read, a half to write.
struct Exerciser {
    device: Device,
    registers: Mapping,
    memory: Mapping,
    kind: Interrupt,
    events: Vec<Event>,
}

impl Exerciser {
    fn open(address: &str) -> std::io::Result<Self> {
        let device = Device::open(address)?;
        let [command] = device.config::<1>(4)?;
        device.set_config(4, &[command | 6])?;
        let (registers, memory) = (device.bar(0)?, Mapping::memory(2 * HALF)?);
        device.map(&memory, IOVA)?;
        Ok(Self { device, registers, memory, kind: Interrupt::Pin, events: Vec::new() })
    }

    /// From now on the function interrupts in this way, with so many vectors.
    fn interrupt_by(&mut self, kind: Interrupt, vectors: usize) -> std::io::Result<()> {
        if !self.events.is_empty() {
            self.device.interrupts(self.kind, &[])?;
        }
        self.events = (0..vectors).map(|_| Event::new()).collect::<Result<_, _>>()?;
        self.kind = kind;
        self.device.interrupts(kind, &self.events.iter().collect::<Vec<_>>())
    }

    /// Starts a command that ends with the interrupt of this vector, from 0.
    fn start(&self, command: u32, vector: usize) {
        self.registers.set(register::IRQ_TYPE, self.kind as u32);
        self.registers.set(register::IRQ_NUMBER, vector as u32 + 1);
        self.registers.set(register::COMMAND, command);
    }

    /// Raises the interrupt of a vector and nothing else.
    fn raise(&self, vector: usize) {
        self.start(1 << self.kind as u32, vector);
    }

    /// The driver's handler, once the interrupt of this vector has come. Returns STATUS as it was.
    fn handle(&mut self, vector: usize) -> Result<u32, Box<dyn std::error::Error>> {
        if self.events[vector].wait(LIMIT) != 1 {
            return Err(format!("{:?} vector {vector}: not one interrupt", self.kind).into());
        }
        let status = self.registers.get::<u32>(register::STATUS);
        if status & IRQ_RAISED == 0 {
            return Err("an interrupt that STATUS knows nothing of".into());
        }
        self.registers.set(register::STATUS, status & !IRQ_RAISED);
        if self.kind == Interrupt::Pin {
            self.device.mask_pin(false)?; // masked by VFIO when it came
        }
        Ok(status)
    }

    /// One transfer, ended by an interrupt.
    fn transfer(&mut self, command: u32, size: usize) -> Outcome {
        let (source, destination) = (IOVA, IOVA + HALF as u64);
        for (at, address) in [(register::SOURCE, source), (register::DESTINATION, destination)] {
            self.registers.set(at, address as u32);
            self.registers.set(at + 4, (address >> 32) as u32);
        }
        self.registers.set(register::SIZE, size as u32);
        if command == READ {
            self.registers.set(register::CHECKSUM, self.checksum(0, size));
        }
        self.start(command, 0);
        let status = self.handle(0)?;
        let success = OUTCOMES.iter().find(|(of, _)| *of == command).map_or(0, |(_, bit)| *bit);
        if status != success | IRQ_RAISED {
            return Err(format!("command {command:#x}, {size} bytes: status {status:#x}").into());
        }
        let changed = if command == READ { 0 } else { HALF };
        if self.registers.get::<u32>(register::CHECKSUM) != self.checksum(changed, size) {
            return Err(format!("command {command:#x}, {size} bytes: wrong data").into());
        }
        Ok(())
    }

    /// CRC-32 of memory, from all ones, not inverted at the end.
    fn checksum(&self, at: usize, size: usize) -> u32 {
        let table: Vec<u32> = (0..256)
            .map(|byte| {
                (0..8).fold(byte, |crc: u32, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
            })
            .collect();
        (at..at + size).fold(u32::MAX, |crc, at| {
            crc >> 8 ^ table[(crc as u8 ^ self.memory.get::<u8>(at)) as usize]
        })
    }
}

/// Every BAR keeps what is written; of the one with registers, the first.
pub(crate) fn bars(function: &str) -> Outcome {
    const VALUE: u32 = 0xa0a0_a0a0;
    let exerciser = Exerciser::open(function)?;
    for index in 0..6 {
        let bar = exerciser.device.bar(index)?;
        let end = if index == 0 { 4 } else { bar.len() };
        (0..end).step_by(4).for_each(|at| bar.set(at, VALUE));
        if let Some(at) = (0..end).step_by(4).find(|at| bar.get::<u32>(*at) != VALUE) {
            return Err(format!("BAR {index} at {at:#x}").into());
        }
    }
    Ok(())
}

/// Every vector of a kind interrupts, and no other does; then transfers of every size.
pub(crate) fn interrupts(function: &str, kind: &str) -> Outcome {
    let (kind, vectors) = match kind {
        "pin" => (Interrupt::Pin, 1),
        "msi" => (Interrupt::Msi, 32),
        "msix" => (Interrupt::Msix, 8),
        _ => return Err("no such kind of interrupt".into()),
    };
    let mut exerciser = Exerciser::open(function)?;
    exerciser.interrupt_by(kind, vectors)?;
    for vector in 0..vectors {
        exerciser.raise(vector);
        exerciser.handle(vector)?;
    }
    if exerciser.events.iter_mut().any(|event| event.wait(Duration::ZERO) != 0) {
        return Err("more interrupts than events".into());
    }
    let data: Vec<u8> =
        (0..HALF as u32).map(|at| (at.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
    exerciser.memory.copy_in(0, &data);
    for size in SIZES {
        for command in [WRITE, READ, COPY] {
            exerciser.transfer(command, size)?;
        }
    }
    Ok(())
}

/// The pin is a level: it comes again as long as nobody has read STATUS, and not while it is masked.
pub(crate) fn level(function: &str) -> Outcome {
    let mut exerciser = Exerciser::open(function)?;
    exerciser.interrupt_by(Interrupt::Pin, 1)?;
    exerciser.raise(0);
    for round in 0..100 {
        if exerciser.events[0].wait(LIMIT) != 1 {
            return Err(format!("round {round}: not one interrupt").into());
        }
        exerciser.device.mask_pin(false)?;
    }
    exerciser.handle(0)?;
    exerciser.device.mask_pin(true)?;
    exerciser.raise(0);
    if exerciser.events[0].wait(SILENCE) != 0 {
        return Err("an interrupt although masked".into());
    }
    exerciser.device.mask_pin(false)?;
    exerciser.handle(0)?;
    if exerciser.events[0].wait(SILENCE) != 0 {
        return Err("an interrupt without a cause".into());
    }
    exerciser.raise(0);
    exerciser.events[0].wait(LIMIT);
    exerciser.device.reset()?; // takes the cause away
    exerciser.device.mask_pin(false)?;
    if exerciser.events[0].wait(SILENCE) != 0 {
        return Err("an interrupt after a reset".into());
    }
    Ok(())
}

/// Two functions at once, each with its own interrupts, on one line if their pins meet there.
pub(crate) fn together(one: &str, other: &str, rounds: usize) -> Outcome {
    let mut both = [Exerciser::open(one)?, Exerciser::open(other)?];
    for exerciser in &mut both {
        exerciser.interrupt_by(Interrupt::Pin, 1)?;
    }
    for _ in 0..rounds {
        both.iter().for_each(|exerciser| exerciser.raise(0));
        for exerciser in &mut both {
            exerciser.handle(0)?;
        }
    }
    Ok(())
}

//! Any bytes as programs of the PF's and the VFs' drivers: registers, descriptors, frames, resets. Nothing panics, nothing hangs,
//! the card still works afterwards.

use arbitrary::{Result, Unstructured};
use pando_pci::FunctionId;

use crate::spec::descriptor::*;
use crate::spec::filter::*;
use crate::spec::general::*;
use crate::spec::{mailbox, queue};
use crate::testing::{Machine, PfDriver, VfDriver};

/// VFs that a program may have.
const VFS: u16 = 8;
/// Where rings and buffers are: each function has two pieces.
const PIECE: u64 = 0x4_0000;
/// Registers that do more than store.
const SPECIAL: [u32; 27] = [
    CTRL,
    CTRL_EXT,
    GCR_EXT,
    RXCTRL,
    DMATXCTL,
    RTTDQSEL,
    RTTBCNRC,
    EERD,
    QDE,
    0x800,
    0x808,
    0x880,
    0x898,
    0xa00,
    0x900,
    0x51e0,
    0x8110,
    mailbox::PFMAILBOX,
    mailbox::VFMAILBOX,
    mailbox::MBVFICR,
    mailbox::VFLREC,
    0x100,
    0x104,
    0x108,
    0x120,
    0x140,
    0x820,
];

#[test]
fn target() {
    // The PF sends again and again; a VF does.
    let seeds: &[&[u8]] = &[&[0; 128], &[24; 600], &[120; 600]];
    pando_fuzz::Target { name: "ixgbe", run, seeds, runs: 24 }.test();
}

fn run(bytes: &[u8]) {
    program(&mut Unstructured::new(bytes)).unwrap();
}

fn program(u: &mut Unstructured<'_>) -> Result<()> {
    let machine = Machine::enabled();
    let mut vfs = 0;
    if u.ratio(3, 4)? {
        start(&machine);
        vfs = 2;
    }
    for _ in 0..400 {
        if u.is_empty() {
            break;
        }
        step(u, &machine, &mut vfs)?;
    }
    works_again(&machine);
    Ok(())
}

/// Drivers of the PF and of two VFs are up, every queue 0 runs, and everybody hears everything.
fn start(machine: &Machine) {
    let mut pf = PfDriver::probe(machine);
    pf.open(2);
    machine.set_vfs(2);
    for vf in 0..2 {
        let mut driver = VfDriver::new(machine.vf(vf));
        assert!(driver.reset(&mut pf));
        driver.open(&mut pf);
    }
    let registers = machine.pf();
    registers.modify(FCTRL, 0, FCTRL_UPE | FCTRL_MPE | FCTRL_BAM);
    for pool in 0..3 {
        let all = VMOLR_AUPE | VMOLR_ROMPE | VMOLR_ROPE | VMOLR_BAM | VMOLR_MPE;
        registers.write(VMOLR + 4 * pool, all);
    }
    for function in [None, Some(0), Some(1)] {
        machine.write(buffers(function), &frame());
        for slot in 0..16 {
            let buffer = buffers(function) + 0x2000 + 0x800 * slot;
            let descriptor = [buffer.to_le_bytes(), [0; 8]].concat();
            machine.write(place(function, true) + 16 * slot, &descriptor);
        }
        set_up(machine, function, false, 0);
        set_up(machine, function, true, 1 << 25 | 2);
        queue_of(machine, function, true)(queue::TAIL, 15);
    }
}

/// A segment of TCP to everybody.
fn frame() -> Vec<u8> {
    let addresses = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x08, 0x00];
    let ip = [0x45, 0, 0x03, 0xe8, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let tcp = [0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0];
    [&addresses[..], &ip, &tcp, &[0x5a; 960]].concat()
}

/// The PF's first queue: behind those of two VFs, if they are there.
fn first(machine: &Machine) -> u32 {
    if machine.pf().read(VT_CTL) & 1 != 0 { 4 } else { 0 }
}

/// Writes to the registers of the function's first queue.
fn queue_of(machine: &Machine, function: Option<u16>, is_receive: bool) -> impl Fn(u32, u32) {
    let registers = function.map_or(machine.pf(), |vf| machine.vf(vf));
    let block = match (function, is_receive) {
        (None, true) => queue::RECEIVE_LOW + first(machine) * queue::STRIDE,
        (None, false) => queue::TRANSMIT + first(machine) * queue::STRIDE,
        (Some(_), true) => queue::VF_RECEIVE,
        (Some(_), false) => queue::VF_TRANSMIT,
    };
    move |register, value| registers.write(block + register, value)
}

fn set_up(machine: &Machine, function: Option<u16>, is_receive: bool, srrctl: u32) {
    let write = queue_of(machine, function, is_receive);
    write(queue::CONTROL, 0);
    write(queue::BASE_LOW, place(function, is_receive) as u32);
    write(queue::BASE_HIGH, 0);
    write(queue::LENGTH, 16 * queue::DESCRIPTOR);
    write(queue::HEAD, 0);
    write(queue::TAIL, 0);
    if is_receive {
        write(queue::SRRCTL, srrctl);
    }
    write(queue::CONTROL, queue::ENABLE);
}

fn works_again(machine: &Machine) {
    machine.flr(FunctionId::Pf);
    machine.enable(FunctionId::Pf);
    machine.messages();
    let mut pf = PfDriver::probe(machine);
    pf.open(2);
    machine.set_vfs(2);
    let mut driver = VfDriver::new(machine.vf(1));
    assert!(driver.reset(&mut pf));
    driver.open(&mut pf);
}

fn step(u: &mut Unstructured<'_>, machine: &Machine, vfs: &mut u16) -> Result<()> {
    let function = u.ratio(2, 5)?.then(|| u.int_in_range(0..=VFS - 1)).transpose()?;
    let registers = function.map_or(machine.pf(), |vf| machine.vf(vf));
    match u.int_in_range(0..=15)? {
        0 | 1 => {
            let mut data = [0; 8];
            let len = 1 << u.int_in_range(0..=3)?;
            registers.read_bytes(offset(u)?, &mut data[..len]);
        }
        2..=5 => {
            let len = [1, 2, 4, 4, 4, 8][u.choose_index(6)?];
            registers.write_bytes(offset(u)?, &value(u)?.to_le_bytes()[..len]);
        }
        6 => {
            let srrctl = if u.arbitrary()? { u.arbitrary()? } else { 1 << 25 | 2 };
            set_up(machine, function, u.arbitrary()?, srrctl);
        }
        7..=11 => send(u, machine, function)?,
        12 => {
            let is_receive = u.arbitrary()?;
            let slot = place(function, is_receive) + 16 * u.int_in_range(0..=15)?;
            machine.write(slot, &descriptor(u, function)?);
            queue_of(machine, function, is_receive)(queue::TAIL, u.int_in_range(0..=17)?);
        }
        13 => {
            let bytes: [u8; 64] = u.arbitrary()?;
            machine.write(buffers(function) + u.int_in_range(0..=0xff)?, &bytes);
        }
        14 => {
            let there = function.is_none_or(|vf| vf < *vfs);
            let function = function.map_or(FunctionId::Pf, FunctionId::Vf);
            if there {
                machine.flr(function);
                machine.enable(function);
                *vfs = if function == FunctionId::Pf { 0 } else { *vfs };
            }
        }
        _ => {
            *vfs = u.int_in_range(0..=VFS)?;
            machine.set_vfs(0);
            machine.set_vfs(*vfs);
        }
    }
    Ok(())
}

/// A few descriptors from the ring's beginning on, and all are the card's.
fn send(u: &mut Unstructured<'_>, machine: &Machine, function: Option<u16>) -> Result<()> {
    if u.ratio(1, 2)? {
        set_up(machine, function, false, 0);
    }
    let count = u.int_in_range(1..=4)?;
    for slot in 0..count {
        machine.write(place(function, false) + 16 * slot, &descriptor(u, function)?);
    }
    queue_of(machine, function, false)(queue::TAIL, count as u32);
    Ok(())
}

/// Where the descriptors of the function's queues of one direction are.
fn place(function: Option<u16>, is_receive: bool) -> u64 {
    PIECE * (1 + 2 * function.map_or(0, |vf| u64::from(vf) + 1) + u64::from(is_receive))
}

/// Where its buffers are.
fn buffers(function: Option<u16>) -> u64 {
    place(function, false) + 0x1_0000
}

fn offset(u: &mut Unstructured<'_>) -> Result<u32> {
    let blocks = [queue::TRANSMIT, queue::RECEIVE_LOW, queue::VF_TRANSMIT];
    match u.int_in_range(0..=13)? {
        0 | 1 => Ok(u.int_in_range(0..=SPACE - 1)? & !3),
        2 => u.int_in_range(0..=SPACE - 1),
        3..=11 => {
            let (queue, register) = (u.int_in_range(0..=7)?, u.int_in_range(0..=15)?);
            Ok(u.choose(&blocks)? + queue * queue::STRIDE + 4 * register)
        }
        _ => u.choose(&SPECIAL).copied(),
    }
}

fn value(u: &mut Unstructured<'_>) -> Result<u64> {
    match u.int_in_range(0..=2)? {
        0 => u.arbitrary(),
        1 => Ok(1 << u.int_in_range(0..=31)?),
        _ => Ok(u64::MAX),
    }
}

/// Mostly one that means something.
fn descriptor(u: &mut Unstructured<'_>, function: Option<u16>) -> Result<[u8; 16]> {
    let near = buffers(function) + if u.arbitrary()? { 0 } else { u.int_in_range(0..=0xff)? };
    let address: u64 = if u.ratio(15, 16)? { near } else { u.arbitrary()? };
    let len: u32 =
        if u.ratio(7, 8)? { u.int_in_range(0..=2000)? } else { u.int_in_range(0..=0xffff)? };
    let flags = u.arbitrary::<u32>()? & (TX_RS | TX_VLE | TX_TSE | TX_LEGACY_IC);
    let flags = flags | if u.ratio(3, 4)? { TX_EOP } else { 0 };
    let (command, options) = match u.int_in_range(0..=5)? {
        0 => (flags & !TX_DEXT | len, u.arbitrary()?),
        1 => {
            let kind = TX_DEXT | TX_TYPE_CONTEXT << TX_TYPE_SHIFT;
            (kind | u.int_in_range(0..=0x1fff)?, u.arbitrary()?)
        }
        2 => (u.arbitrary()?, u.arbitrary()?),
        3 | 4 => {
            let len = u.int_in_range(60..=1014)?;
            let kind = TX_DEXT | TX_TYPE_DATA << TX_TYPE_SHIFT | TX_EOP | TX_RS;
            (kind | len, len << 14)
        }
        _ => {
            let kind = TX_DEXT | TX_TYPE_DATA << TX_TYPE_SHIFT;
            let options = u.arbitrary::<u32>()? & 0x3ff0;
            let total = if u.ratio(3, 4)? { len } else { u.int_in_range(0..=0x3_ffff)? };
            (kind | flags | len, options | total << 14)
        }
    };
    let words = [address as u32, (address >> 32) as u32, command, options].map(u32::to_le_bytes);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(words.as_flattened());
    Ok(bytes)
}

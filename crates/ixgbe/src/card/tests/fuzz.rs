//! Any bytes as programs of the PF's and the VFs' drivers: registers, descriptors, frames, resets. Nothing panics, nothing hangs,
//! the card still works afterwards.

use arbitrary::{Result, Unstructured};
use pando_pci::FunctionId;

use crate::spec::descriptor::*;
use crate::spec::general::*;
use crate::spec::{mailbox, queue};
use crate::testing::{Machine, PfDriver, Registers, VfDriver};

/// VFs that a program may have.
const VFS: u16 = 8;
/// Where rings and buffers are: queue n of the PF or of a VF has the n-th piece.
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
    let seeds: &[&[u8]] = &[&[0; 128], &[6; 256], &[7; 256], &[8; 256]];
    pando_fuzz::Target { name: "ixgbe", run, seeds, runs: 24 }.test();
}

fn run(bytes: &[u8]) {
    program(&mut Unstructured::new(bytes)).unwrap();
}

fn program(u: &mut Unstructured<'_>) -> Result<()> {
    let machine = Machine::enabled();
    let mut vfs = 0;
    if u.arbitrary()? {
        PfDriver::probe(&machine).open(2);
        machine.set_vfs(2);
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
        0..=2 => {
            let mut data = [0; 8];
            let len = 1 << u.int_in_range(0..=3)?;
            registers.read_bytes(offset(u)?, &mut data[..len]);
        }
        3..=8 => {
            let len = [1, 2, 4, 4, 4, 8][u.choose_index(6)?];
            registers.write_bytes(offset(u)?, &value(u)?.to_le_bytes()[..len]);
        }
        9 | 10 => ring(u, registers, function)?,
        11 | 12 => {
            let place = piece(function, u.int_in_range(0..=1)?) + 16 * u.int_in_range(0..=15)?;
            machine.write(place, &descriptor(u, function)?);
        }
        13 => {
            let bytes: [u8; 64] = u.arbitrary()?;
            machine.write(piece(function, 0) + 0x1_0000 + u.int_in_range(0..=0xfff)?, &bytes);
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

fn piece(function: Option<u16>, queue: u64) -> u64 {
    PIECE * (1 + 2 * function.map_or(0, |vf| u64::from(vf) + 1) + queue)
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

/// A queue is set up as a driver does, or its tail moves.
fn ring(u: &mut Unstructured<'_>, registers: Registers<'_>, function: Option<u16>) -> Result<()> {
    let (queue, is_receive) = (u.int_in_range(0..=1)?, u.arbitrary()?);
    let first = match (function, is_receive) {
        (None, true) => queue::RECEIVE_LOW,
        (None, false) => queue::TRANSMIT,
        (Some(_), true) => queue::VF_RECEIVE,
        (Some(_), false) => queue::VF_TRANSMIT,
    };
    let write = |register, value| registers.write(first + queue * queue::STRIDE + register, value);
    if u.arbitrary()? {
        write(queue::TAIL, u.int_in_range(0..=17)?);
        return Ok(());
    }
    write(queue::CONTROL, 0);
    write(queue::BASE_LOW, piece(function, queue.into()) as u32);
    write(queue::BASE_HIGH, 0);
    write(queue::LENGTH, 16 * queue::DESCRIPTOR);
    write(queue::HEAD, 0);
    write(queue::TAIL, 0);
    if is_receive {
        write(queue::SRRCTL, if u.arbitrary()? { u.arbitrary()? } else { 1 << 25 | 2 });
    }
    write(queue::CONTROL, queue::ENABLE | u.int_in_range(0..=1)? << 30);
    Ok(())
}

/// Mostly one that means something.
fn descriptor(u: &mut Unstructured<'_>, function: Option<u16>) -> Result<[u8; 16]> {
    let near = piece(function, 0) + 0x1_0000 + u.int_in_range(0..=0xfff)?;
    let address: u64 = if u.ratio(7, 8)? { near } else { u.arbitrary()? };
    let len: u32 =
        if u.ratio(7, 8)? { u.int_in_range(0..=2000)? } else { u.int_in_range(0..=0xffff)? };
    let flags = u.arbitrary::<u32>()? & (TX_EOP | TX_RS | TX_VLE | TX_TSE | TX_LEGACY_IC);
    let (command, options) = match u.int_in_range(0..=3)? {
        0 => (flags & !TX_DEXT | len, u.arbitrary()?),
        1 => {
            let kind = TX_DEXT | TX_TYPE_CONTEXT << TX_TYPE_SHIFT;
            (kind | u.int_in_range(0..=0x1fff)?, u.arbitrary()?)
        }
        2 => (u.arbitrary()?, u.arbitrary()?),
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

//! Any program of register accesses by PF and VFs: nothing panics, nothing hangs, the card still works afterwards.

use pando_pci::FunctionId;
use proptest::prelude::*;

use crate::spec::general::*;
use crate::spec::{mailbox, queue};
use crate::testing::{Machine, PfDriver, VfDriver};

#[derive(Clone, Debug)]
enum Step {
    Read(Option<u16>, u32, usize),
    Write(Option<u16>, u32, Vec<u8>),
    Flr(Option<u16>),
    Vfs(u16),
}

fn function() -> impl Strategy<Value = Option<u16>> {
    prop_oneof![3 => Just(None), 2 => (0u16..8).prop_map(Some)]
}

fn offset() -> impl Strategy<Value = u32> {
    let block = |first: u32| {
        let register = (0u32..8, 0u32..16);
        register.prop_map(move |(queue, register)| first + queue * queue::STRIDE + 4 * register)
    };
    let special = vec![
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
    prop_oneof![
        2 => (0..SPACE).prop_map(|offset| offset & !3),
        1 => 0..SPACE,
        3 => block(queue::TRANSMIT),
        3 => block(queue::RECEIVE_LOW),
        3 => block(queue::VF_TRANSMIT),
        3 => proptest::sample::select(special),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let len = || proptest::sample::select(vec![1usize, 2, 4, 4, 4, 8]);
    let value = prop_oneof![
        any::<[u8; 8]>(),
        (0u32..32).prop_map(|bit| u64::from(1u32 << bit).to_le_bytes()),
        Just([0xff; 8]),
    ];
    prop_oneof![
        3 => (function(), offset(), len()).prop_map(|(f, o, len)| Step::Read(f, o, len)),
        12 => (function(), offset(), len(), value)
            .prop_map(|(f, o, len, value)| Step::Write(f, o, value[..len].to_vec())),
        1 => function().prop_map(Step::Flr),
        1 => (0u16..9).prop_map(Step::Vfs),
    ]
}

fn run(machine: &Machine, step: &Step, vfs: &mut u16) {
    let registers = |function: &Option<u16>| function.map_or(machine.pf(), |vf| machine.vf(vf));
    match step {
        Step::Read(function, offset, len) => {
            registers(function).read_bytes(*offset, &mut vec![0; *len]);
        }
        Step::Write(function, offset, data) => registers(function).write_bytes(*offset, data),
        Step::Flr(Some(vf)) if *vf >= *vfs => {}
        Step::Flr(function) => {
            let function = function.map_or(FunctionId::Pf, FunctionId::Vf);
            machine.flr(function);
            machine.enable(function);
            *vfs = if function == FunctionId::Pf { 0 } else { *vfs };
        }
        Step::Vfs(count) => {
            machine.set_vfs(0);
            machine.set_vfs(*count);
            *vfs = *count;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_panics(steps in proptest::collection::vec(step(), 1..400)) {
        let machine = Machine::enabled();
        let mut vfs = 0;
        for step in &steps {
            run(&machine, step, &mut vfs);
        }
        machine.flr(FunctionId::Pf);
        machine.enable(FunctionId::Pf);
        machine.messages();
        let mut pf = PfDriver::probe(&machine);
        pf.open(2);
        machine.set_vfs(2);
        let mut driver = VfDriver::new(machine.vf(1));
        prop_assert!(driver.reset(&mut pf));
        driver.open(&mut pf);
    }
}

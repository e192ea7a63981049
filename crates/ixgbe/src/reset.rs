//! What resets clear, and who hears of them (82599 datasheet, 4.2.1, 4.2.2; 7.10.2.9.1 for what VFs see). The clearing is done
//! while the queues stand still (`work`), the telling after that, with nothing locked.

use crate::chip::Chip;
use crate::layout::Pool;
use crate::phy::Phy;
use crate::queue::QueueIndex;
use crate::sfp::Cage;
use crate::spec::filter::{VFRE, VFTE};
use crate::spec::interrupt::CAUSE_MAILBOX;
use crate::vf::VirtualFunction;

impl Chip {
    /// CTRL.RST, CTRL.LNK_RST, FLR of the PF, power-on: registers as the EEPROM leaves them, every VF has to wait.
    pub(crate) fn clear_registers(&self) {
        tracing::debug!(card = self.name, "reset");
        self.storage.reset();
        self.load_address();
        for queue in QueueIndex::all() {
            self.transmit(queue).reset();
            self.receive(queue).reset();
        }
        self.clear_rates();
        self.policies.start_director(0, &self.statistics.director);
        self.interrupts.reset();
        self.eeprom.reset();
        self.cage.iter().for_each(Cage::reset);
        self.phy.iter().for_each(Phy::reset);
        self.semaphore.reset();
        self.statistics.clear();
        self.wishes.clear();
        self.vfs().iter().for_each(|vf| vf.mailbox.pf_reset());
    }

    /// VFs are told that the PF is in reset.
    pub(crate) fn announce_reset(&self) {
        self.existing().for_each(|vf| vf.interrupts.raise_mailbox());
    }

    /// CTRL_EXT.PFRSTD: the PF's driver is ready for its VFs.
    pub(crate) fn reset_done(&self) {
        self.vfs().iter().for_each(|vf| vf.mailbox.pf_ready());
        self.existing().for_each(|vf| vf.interrupts.raise_mailbox());
    }

    /// VFCTRL.RST or FLR of a VF: its queues and interrupts are as after power-on.
    pub(crate) fn clear_vf(&self, vf: Pool) {
        let Some(function) = self.vf(vf) else { return };
        tracing::debug!(card = self.name, vf = vf.0, "VF reset");
        let layout = self.layout();
        for queue in (0..).map_while(|number| layout.queue(vf, number)) {
            self.transmit(queue).reset();
            self.receive(queue).reset();
        }
        self.storage.clear_pool(VFRE, vf);
        self.storage.clear_pool(VFTE, vf);
        function.interrupts.reset();
        function.mailbox.vf_reset();
        self.wishes.was_reset(vf);
    }

    /// The PF is told that a VF was reset.
    pub(crate) fn announce_vf_reset(&self, vf: Pool) {
        if self.vf(vf).is_some() {
            self.interrupts.raise_other(CAUSE_MAILBOX);
        }
    }

    fn existing(&self) -> impl Iterator<Item = &VirtualFunction> {
        self.vfs().iter().take(usize::from(self.active_vfs()))
    }
}

//! An Intel 82599 network card with virtual functions, for the drivers that a stock guest has: ixgbe and ixgbevf, DPDK's PMDs, iPXE
//! (Intel 82599 10 GbE Controller datasheet). It can be an X540 too, which differs in little: see [`Model`].
//!
//! [`IntelNic`] is the card. Its registers: `pf` and `vf` find the subject of an offset (`interrupt`, `mailbox`, `statistics`, `queue`,
//! `eeprom`, `link`, `phy`, `semaphore`), the rest is `storage`; `chip` holds them all and is what workers share. A write that asks for
//! more than storing returns an `effect`; `card`, the `Model`, performs it. `work` starts and stops queues, `transmit` and `receive` are
//! what they do (`ring` and `packet` are their common ground), `select` which queue a frame goes to, `policy` what filters and pools
//! mean for the switch.
//!
//! Not implemented: I/O BAR, expansion ROM, VPD, firmware, flow control, DCB, MACsec, IPsec, FCoE, DCA, wake on LAN, time stamps.

mod card;
mod chip;
mod eeprom;
mod effect;
mod i2c;
mod identity;
mod interrupt;
mod layout;
mod link;
mod mailbox;
mod nic;
mod pf;
mod phy;
mod policy;
mod queue;
mod receive;
mod reset;
mod ring;
mod select;
mod semaphore;
mod settings;
mod sfp;
mod spec;
mod statistics;
mod storage;
#[cfg(test)]
mod testing;
mod throttle;
mod transmit;
mod vf;
mod work;

pub use identity::Model;
pub use nic::{BuildError, IntelNic, NicReport};
pub use settings::{ConfigError, MAX_VFS, NicConfig};

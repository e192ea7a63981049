//! Control, status, EEPROM, semaphores, link, security, MDIO and the globals of the packet path (82599 datasheet, 8.2.3.1 to 8.2.3.5,
//! 8.2.3.7, 8.2.3.9, 8.2.3.13, 8.2.3.22).

/// Bytes of the PF's register space (9.3.6.1).
pub(crate) const SPACE: u32 = 0x2_0000;

/// Device Control.
pub(crate) const CTRL: u32 = 0x0_0000;
/// CTRL.PCIe Master Disable.
pub(crate) const CTRL_GIO_DISABLE: u32 = 1 << 2;
/// CTRL.Link Reset.
pub(crate) const CTRL_LINK_RESET: u32 = 1 << 3;
/// CTRL.Device Reset.
pub(crate) const CTRL_RESET: u32 = 1 << 26;
/// Device Status: LAN id 0 in bits 3:2.
pub(crate) const STATUS: u32 = 0x0_0008;
/// STATUS: number of VFs, bits 17:10.
pub(crate) const STATUS_NUM_VFS_SHIFT: u32 = 10;
/// STATUS: VFs are enabled.
pub(crate) const STATUS_IOV: u32 = 1 << 18;
/// STATUS.PCIe Master Enable Status.
pub(crate) const STATUS_GIO: u32 = 1 << 19;
/// Extended Device Control.
pub(crate) const CTRL_EXT: u32 = 0x0_0018;
/// CTRL_EXT.PF Reset Done: the VFs may go on.
pub(crate) const CTRL_EXT_PF_RESET_DONE: u32 = 1 << 14;
/// I2C control: of an SFP+ cage.
pub(crate) const I2CCTL: u32 = 0x0_0028;
/// Wake Up Status.
pub(crate) const WUS: u32 = 0x0_5810;

/// EEPROM/Flash Control.
pub(crate) const EEC: u32 = 0x1_0010;
/// EEC: software requests the pins. Never granted.
pub(crate) const EEC_REQUEST: u32 = 1 << 6;
/// EEC: there is an EEPROM.
pub(crate) const EEC_PRESENT: u32 = 1 << 8;
/// EEC: it was read after reset.
pub(crate) const EEC_AUTO_READ: u32 = 1 << 9;
/// EEC: size, bits 14:11: 64 words times 2 to the power of this.
pub(crate) const EEC_SIZE_SHIFT: u32 = 11;
/// EEPROM Read.
pub(crate) const EERD: u32 = 0x1_0014;
/// EERD: start.
pub(crate) const EERD_START: u32 = 1 << 0;
/// EERD: done.
pub(crate) const EERD_DONE: u32 = 1 << 1;
/// EERD: word address, bits 15:2.
pub(crate) const EERD_ADDRESS_SHIFT: u32 = 2;
/// EERD: data, bits 31:16.
pub(crate) const EERD_DATA_SHIFT: u32 = 16;

/// Software Semaphore.
pub(crate) const SWSM: u32 = 0x1_0140;
/// SWSM.SMBI: a read sets it.
pub(crate) const SWSM_SMBI: u32 = 1 << 0;
/// SWSM.SWESMBI.
pub(crate) const SWSM_SWESMBI: u32 = 1 << 1;
/// Firmware Semaphore and status.
pub(crate) const FWSM: u32 = 0x1_0148;
/// FWSM: firmware valid, no mode, no error.
pub(crate) const FWSM_VALID: u32 = 1 << 15;
/// Function Active and Power State.
pub(crate) const FACTPS: u32 = 0x1_0150;
/// Host interface control: reads 0, no firmware to talk to.
pub(crate) const HICR: u32 = 0x1_5f00;

/// PCIe Control Extended.
pub(crate) const GCR_EXT: u32 = 0x1_1050;

/// Security Tx status.
pub(crate) const SECTXSTAT: u32 = 0x0_8804;
/// Security Rx status.
pub(crate) const SECRXSTAT: u32 = 0x0_8d04;
/// Both: quiet, and no security engine.
pub(crate) const SECURITY_READY_AND_OFF: u32 = 0b11;

/// PCS 1G and 10G link registers.
pub(crate) const AUTOC: u32 = 0x0_42a0;
/// AUTOC: link mode select, bits 15:13: 1 is 10 Gbit/s without negotiation.
pub(crate) const AUTOC_LMS_SHIFT: u32 = 13;
/// AUTOC: restart negotiation; clears itself.
pub(crate) const AUTOC_RESTART: u32 = 1 << 12;
/// AUTOC after reset: 10 Gbit/s without negotiation, on a backplane.
pub(crate) const AUTOC_BACKPLANE: u32 = 1 << AUTOC_LMS_SHIFT;
/// AUTOC after reset: 10 Gbit/s serial, to an SFP+ cage.
pub(crate) const AUTOC_FIBER: u32 = 3 << AUTOC_LMS_SHIFT;
/// Link status.
pub(crate) const LINKS: u32 = 0x0_42a4;
/// LINKS: up.
pub(crate) const LINKS_UP: u32 = 1 << 30;
/// LINKS: negotiation done.
pub(crate) const LINKS_COMPLETE: u32 = 1 << 31;
/// LINKS: 10 Gbit/s, bits 29:28.
pub(crate) const LINKS_10G: u32 = 3 << 28;
/// Auto negotiation control 2.
pub(crate) const AUTOC2: u32 = 0x0_42a8;
/// AUTOC2 after reset: SFI, bits 17:16, to an SFP+ cage.
pub(crate) const AUTOC2_FIBER: u32 = 2 << 16;
/// Link partner ability, word 1.
pub(crate) const ANLP1: u32 = 0x0_42b0;
/// ANLP1: negotiation isn't idle (bits 19:16 not zero), the partner announces no pause.
pub(crate) const ANLP1_ACTIVE: u32 = 0x0001_0000;
/// Link status 2.
pub(crate) const LINKS2: u32 = 0x0_4324;
/// LINKS2: the partner can negotiate.
pub(crate) const LINKS2_SUPPORTED: u32 = 1 << 6;
/// MDIO single command and address.
pub(crate) const MSCA: u32 = 0x0_425c;
/// MSCA: command in progress.
pub(crate) const MSCA_COMMAND: u32 = 1 << 30;
/// MDIO data: read data in bits 31:16.
pub(crate) const MSRWD: u32 = 0x0_4260;
/// MSRWD: what a read gets where no PHY answers.
pub(crate) const MSRWD_NOBODY: u32 = 0xffff_0000;

/// MAC core control 0.
pub(crate) const HLREG0: u32 = 0x0_4240;
/// HLREG0 after reset: CRC appended and stripped, short frames padded.
pub(crate) const HLREG0_RESET: u32 = 1 << 0 | 1 << 1 | 1 << 10;
/// HLREG0: received frames lose their CRC.
pub(crate) const HLREG0_RX_CRC_STRIP: u32 = 1 << 1;
/// HLREG0: loopback.
pub(crate) const HLREG0_LOOPBACK: u32 = 1 << 15;
/// Max Frame Size, bits 31:16, with CRC.
pub(crate) const MAXFRS: u32 = 0x0_4268;
/// MAXFRS after reset: 1518.
pub(crate) const MAXFRS_RESET: u32 = 0x05ee_0000;
/// Receive DMA control.
pub(crate) const RDRXCTL: u32 = 0x0_2f00;
/// RDRXCTL: initialisation done, read-only.
pub(crate) const RDRXCTL_DONE: u32 = 1 << 3;
/// RFCTL (8.2.3.7.8).
pub(crate) const RFCTL: u32 = 0x0_5008;
/// RFCTL: no queue coalesces.
pub(crate) const RFCTL_RSC_OFF: u32 = 1 << 5;
/// Queue Drop Enable: a command register.
pub(crate) const QDE: u32 = 0x0_2f04;
/// Receive Control.
pub(crate) const RXCTRL: u32 = 0x0_3000;
/// RXCTRL: receive enable.
pub(crate) const RXCTRL_ENABLE: u32 = 1;
/// Flow control thresholds low, 8.
pub(crate) const FCRTL: u32 = 0x0_3220;
/// Flow control thresholds high, 8.
pub(crate) const FCRTH: u32 = 0x0_3260;
/// Bits of both that exist.
pub(crate) const FCRT_MASK: u32 = 0x8007_fff0;
/// Receive packet buffer sizes, 8, in bytes.
pub(crate) const RXPBSIZE: u32 = 0x0_3c00;
/// RXPBSIZE 0 after reset: all of 512 KiB.
pub(crate) const RXPBSIZE_RESET: u32 = 0x8_0000;
/// The same of an X540: all of 384 KiB.
pub(crate) const RXPBSIZE_RESET_BASE_T: u32 = 0x6_0000;
/// Transmit packet buffer sizes, 8, in bytes.
pub(crate) const TXPBSIZE: u32 = 0x0_cc00;
/// TXPBSIZE 0 after reset: all of 160 KiB.
pub(crate) const TXPBSIZE_RESET: u32 = 0x2_8000;
/// DMA Tx Control.
pub(crate) const DMATXCTL: u32 = 0x0_4a80;
/// DMATXCTL: transmit enable.
pub(crate) const DMATXCTL_ENABLE: u32 = 1;
/// DMATXCTL after reset: the VLAN type in bits 31:16.
pub(crate) const DMATXCTL_RESET: u32 = 0x8100_0000;
/// Multiple Transmit Queues Command.
pub(crate) const MTQC: u32 = 0x0_8120;
/// Multiple Receive Queues Command.
pub(crate) const MRQC: u32 = 0x0_5818;

/// Transmit rate: queue select.
pub(crate) const RTTDQSEL: u32 = 0x0_4904;
/// Transmit rate: factor of the selected queue.
pub(crate) const RTTBCNRC: u32 = 0x0_4984;

/// Time stamps: receive control.
pub(crate) const TSYNCRXCTL: u32 = 0x0_5188;
/// Time stamps: transmit control.
pub(crate) const TSYNCTXCTL: u32 = 0x0_8c00;
/// Both: a stamp was taken; read-only.
pub(crate) const TSYNC_VALID: u32 = 1;

/// Flow director control.
pub(crate) const FDIRCTRL: u32 = 0x0_ee00;
/// FDIRCTRL: the table is ready.
pub(crate) const FDIRCTRL_DONE: u32 = 1 << 3;
/// Flow director command.
pub(crate) const FDIRCMD: u32 = 0x0_ee2c;
/// FDIRCMD: the command in hand, bits 1:0.
pub(crate) const FDIRCMD_COMMAND: u32 = 0b11;
/// FDIRCMD: answer to a query, read-only.
pub(crate) const FDIRCMD_VALID: u32 = 1 << 2;

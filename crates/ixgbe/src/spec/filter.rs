//! Receive filters and pools (82599 datasheet, 8.2.3.7, 8.2.3.27): offsets and bits.

/// Filter Control.
pub(crate) const FCTRL: u32 = 0x0_5080;
/// VLAN Control.
pub(crate) const VLNCTRL: u32 = 0x0_5088;
/// VLNCTRL after reset: the VLAN type in bits 15:0.
pub(crate) const VLNCTRL_RESET: u32 = 0x8100;
/// Multicast Control.
pub(crate) const MCSTCTRL: u32 = 0x0_5090;
/// Ethertype filters, 8.
pub(crate) const ETQF: u32 = 0x0_5128;
/// VT Control.
pub(crate) const VT_CTL: u32 = 0x0_51b0;
/// Pools that receive: bits 31:0 and 63:32.
pub(crate) const VFRE: [u32; 2] = [0x0_51e0, 0x0_51e4];
/// Multicast hash table, 128.
pub(crate) const MTA: u32 = 0x0_5200;
/// Receive addresses 0 to 15 once more.
pub(crate) const RAL_ALIAS: u32 = 0x0_5400;
/// Packet split types of pools 0 to 15 once more.
pub(crate) const PSRTYPE_ALIAS: u32 = 0x0_5480;
/// Redirection table, 32.
pub(crate) const RETA: u32 = 0x0_5c00;
/// RSS key, 10.
pub(crate) const RSSRK: u32 = 0x0_5c80;
/// VLAN tags for pools, 64.
pub(crate) const VMVIR: u32 = 0x0_8000;
/// Pools that transmit: bits 31:0 and 63:32.
pub(crate) const VFTE: [u32; 2] = [0x0_8110, 0x0_8114];
/// Anti-spoofing, 8.
pub(crate) const PFVFSPOOF: u32 = 0x0_8200;
/// Local switching.
pub(crate) const PFDTXGSWC: u32 = 0x0_8220;
/// VLAN filter table, 128.
pub(crate) const VFTA: u32 = 0x0_a000;
/// Receive addresses, 128 pairs.
pub(crate) const RAL: u32 = 0x0_a200;
/// Receive addresses.
pub(crate) const ADDRESSES: u32 = 128;
/// Bits of RAH that exist: address, and valid.
pub(crate) const RAH_MASK: u32 = 0x8000_ffff;
/// RAH: valid.
pub(crate) const RAH_VALID: u32 = 1 << 31;
/// Pools of a receive address, 128 pairs.
pub(crate) const MPSAR: u32 = 0x0_a600;
/// Packet split types, 64.
pub(crate) const PSRTYPE: u32 = 0x0_ea00;
/// Pool modes, 64.
pub(crate) const VMOLR: u32 = 0x0_f000;
/// Pool VLANs, 64.
pub(crate) const VLVF: u32 = 0x0_f100;
/// Pools of a pool VLAN, 64 pairs.
pub(crate) const VLVFB: u32 = 0x0_f200;
/// Unicast hash table, 128.
pub(crate) const UTA: u32 = 0x0_f400;
/// Mirror rules, 4.
pub(crate) const MRCTL: u32 = 0x0_f600;
/// Mirror rules: VLANs.
pub(crate) const VMRVLAN: u32 = 0x0_f610;
/// Mirror rules: pools.
pub(crate) const VMRVM: u32 = 0x0_f630;
/// Pools whose spoofed frames are counted: bits 31:0 and 63:32.
pub(crate) const VMECM: u32 = 0x0_8790;
/// Queue selects of ethertype filters, 8.
pub(crate) const ETQS: u32 = 0x0_ec00;
/// SYN filter.
pub(crate) const SYNQF: u32 = 0x0_ec30;
/// Five-tuple filters: source addresses, the first of five tables of 128 with 0x200 bytes each.
pub(crate) const SAQF: u32 = 0x0_e000;
/// Five-tuple filters: the end of the five tables.
pub(crate) const FIVE_TUPLE_END: u32 = 0x0_ea00;

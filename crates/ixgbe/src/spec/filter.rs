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

/// Flow director (8.2.3.21).
pub(crate) mod fdir {
    /// The end of its registers.
    pub(crate) const FDIR_END: u32 = 0x0_ef00;
    /// Source address.
    pub(crate) const FDIRIPSA: u32 = 0x0_ee18;
    /// Destination address.
    pub(crate) const FDIRIPDA: u32 = 0x0_ee1c;
    /// Ports: source 15:0, destination 31:16.
    pub(crate) const FDIRPORT: u32 = 0x0_ee20;
    /// VLAN 15:0, flexible bytes 31:16.
    pub(crate) const FDIRVLAN: u32 = 0x0_ee24;
    /// Bucket 14:0, software id or signature 30:16.
    pub(crate) const FDIRHASH: u32 = 0x0_ee28;
    /// What of FDIRHASH names a filter.
    pub(crate) const KEY_MASK: u32 = 0x7fff_7fff;
    /// The bucket.
    pub(crate) const BUCKET_MASK: u32 = 0x7fff;
    /// Filters that can be added 15:0, filters that were added twice 30:16; read-only.
    pub(crate) const FDIRFREE: u32 = 0x0_ee38;
    /// Mask of the destination address; a one is ignored, as in all masks.
    pub(crate) const FDIRDIP4M: u32 = 0x0_ee3c;
    /// Mask of the source address.
    pub(crate) const FDIRSIP4M: u32 = 0x0_ee40;
    /// Masks of TCP's ports.
    pub(crate) const FDIRTCPM: u32 = 0x0_ee44;
    /// Masks of UDP's ports.
    pub(crate) const FDIRUDPM: u32 = 0x0_ee48;
    /// The longest bucket: filters 5:0, number 30:16. A read clears this and the next four.
    pub(crate) const FDIRLEN: u32 = 0x0_ee4c;
    /// Filters added 15:0, removed 31:16.
    pub(crate) const FDIRUSTAT: u32 = 0x0_ee50;
    /// Filters not added 7:0, not removed 15:8.
    pub(crate) const FDIRFSTAT: u32 = 0x0_ee54;
    /// Packets that matched a filter.
    pub(crate) const FDIRMATCH: u32 = 0x0_ee58;
    /// Packets that matched none.
    pub(crate) const FDIRMISS: u32 = 0x0_ee5c;
    /// The bucket's key.
    pub(crate) const FDIRHKEY: u32 = 0x0_ee68;
    /// The signature's key.
    pub(crate) const FDIRSKEY: u32 = 0x0_ee6c;
    /// What else is ignored: VLAN id, VLAN priority, pool, protocol, flexible bytes, IPv6 destination.
    pub(crate) const FDIRM: u32 = 0x0_ee70;
    /// FDIRM: the IPv6 destination.
    pub(crate) const IGNORE_DESTINATION_V6: u32 = 1 << 5;
    /// Masks of IPv6 addresses, a bit for each byte: source 15:0, destination 31:16.
    pub(crate) const FDIRIP6M: u32 = 0x0_ee74;
    /// Masks of SCTP's ports.
    pub(crate) const FDIRSCTPM: u32 = 0x0_ee78;
    /// FDIRCTRL: memory of the table (PBALLOC): 64, 128 or 256 KiB, or none.
    pub(crate) const MEMORY_MASK: u32 = 3;
    /// Bits of a bucket's number in perfect mode, without memory; each step of memory adds one.
    pub(crate) const PERFECT_WIDTH: u32 = 10;
    /// The same in signature mode.
    pub(crate) const SIGNATURE_WIDTH: u32 = 12;
    /// FDIRCTRL: perfect filters.
    pub(crate) const PERFECT: u32 = 1 << 4;
    /// FDIRCTRL: where the flexible bytes are, bits 20:16, in words.
    pub(crate) const FLEX_SHIFT: u32 = 16;
    /// FDIRCTRL: an interrupt comes when no more filters are free, bits 31:28, in units of [`FULL_UNIT`].
    pub(crate) const FULL_SHIFT: u32 = 28;
    /// Filters.
    pub(crate) const FULL_UNIT: usize = 16;
    /// FDIRCMD: add.
    pub(crate) const ADD: u32 = 1;
    /// FDIRCMD: remove.
    pub(crate) const REMOVE: u32 = 2;
    /// FDIRCMD: a filter that is there is replaced.
    pub(crate) const UPDATE: u32 = 1 << 3;
    /// FDIRCMD: clear the table.
    pub(crate) const CLEAR_TABLE: u32 = 1 << 8;
    /// FDIRCMD: drop.
    pub(crate) const DROP: u32 = 1 << 9;
    /// FDIRCMD: what matches goes to the queue.
    pub(crate) const QUEUE_ENABLE: u32 = 1 << 15;
    /// FDIRCMD: the queue, bits 22:16.
    pub(crate) const QUEUE_SHIFT: u32 = 16;
    /// Protocols, as FDIRCMD 6:5 has them.
    pub(crate) const UDP: u8 = 1;
    /// TCP.
    pub(crate) const TCP: u8 = 2;
    /// SCTP.
    pub(crate) const SCTP: u8 = 3;
    /// IPv6, as FDIRCMD 7 has it above them.
    pub(crate) const V6: u8 = 4;
}
/// VLVF: valid.
pub(crate) const VLVF_VALID: u32 = 1 << 31;
/// VMOLR: all addresses (X540 alone).
pub(crate) const VMOLR_UPE: u32 = 1 << 22;
/// VMOLR: tags of any VLAN.
pub(crate) const VMOLR_VPE: u32 = 1 << 23;
/// VMOLR: untagged frames.
pub(crate) const VMOLR_AUPE: u32 = 1 << 24;
/// VMOLR: groups by their hash.
pub(crate) const VMOLR_ROMPE: u32 = 1 << 25;
/// VMOLR: addresses by their hash.
pub(crate) const VMOLR_ROPE: u32 = 1 << 26;
/// VMOLR: broadcasts.
pub(crate) const VMOLR_BAM: u32 = 1 << 27;
/// VMOLR: all groups.
pub(crate) const VMOLR_MPE: u32 = 1 << 28;
/// FCTRL: all groups.
pub(crate) const FCTRL_MPE: u32 = 1 << 8;
/// FCTRL: all addresses.
pub(crate) const FCTRL_UPE: u32 = 1 << 9;
/// FCTRL: broadcasts.
pub(crate) const FCTRL_BAM: u32 = 1 << 10;
/// VLNCTRL: VLANs are filtered.
pub(crate) const VLNCTRL_VFE: u32 = 1 << 30;
/// MCSTCTRL: the hash filter is on.
pub(crate) const MCSTCTRL_MFE: u32 = 1 << 2;
/// VT_CTL: the default pool, bits 12:7.
pub(crate) const VT_CTL_DEFAULT_SHIFT: u32 = 7;
/// VT_CTL: there is no default pool.
pub(crate) const VT_CTL_NO_DEFAULT: u32 = 1 << 29;
/// VT_CTL: groups are copied to every pool.
pub(crate) const VT_CTL_REPLICATION: u32 = 1 << 30;

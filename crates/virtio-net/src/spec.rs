//! Numbers and layouts of a virtio network device on PCI (virtio 1.3, 4.1 and 5.1): constants and types only.
//! Leaves out what this card doesn't offer: administration queues.

use pando_engine::vnet::VnetHeader;

/// Vendor id of every virtio device (4.1.2).
pub(crate) const VENDOR: u16 = 0x1af4;

/// Device id of a network device without a legacy interface: 0x1040 + 1 (4.1.2, 5.1.1).
pub(crate) const DEVICE: u16 = 0x1041;

/// Revision id of a device without a legacy interface (4.1.2.1).
pub(crate) const REVISION: u8 = 1;

/// Subsystem id: 0x40 or more in a device without a legacy interface (4.1.2.1).
pub(crate) const SUBSYSTEM: u16 = 0x41;

/// Class code: network controller, Ethernet.
pub(crate) const CLASS: u32 = 0x02_0000;

/// "No vector" in the vector registers (4.1.5.1.2).
pub(crate) const NO_VECTOR: u16 = 0xffff;

bitflags::bitflags! {
    /// Feature bits (2.2, 5.1.3, 6).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Features: u64 {
        /// The device finishes partial checksums of sent frames.
        const CSUM = 1 << 0;
        /// The driver takes frames with a partial or checked checksum.
        const GUEST_CSUM = 1 << 1;
        /// The control queue can switch the GUEST_* offloads.
        const CTRL_GUEST_OFFLOADS = 1 << 2;
        /// `mtu` is valid.
        const MTU = 1 << 3;
        /// `mac` is valid.
        const MAC = 1 << 5;
        /// The driver takes TCP over IPv4 that is still to be cut.
        const GUEST_TSO4 = 1 << 7;
        /// The driver takes TCP over IPv6 that is still to be cut.
        const GUEST_TSO6 = 1 << 8;
        /// The driver takes such frames with ECN.
        const GUEST_ECN = 1 << 9;
        /// The device cuts TCP over IPv4.
        const HOST_TSO4 = 1 << 11;
        /// The device cuts TCP over IPv6.
        const HOST_TSO6 = 1 << 12;
        /// The device cuts such frames with ECN.
        const HOST_ECN = 1 << 13;
        /// A received frame may fill several buffers.
        const MRG_RXBUF = 1 << 15;
        /// `status` is valid.
        const STATUS = 1 << 16;
        /// There is a control queue.
        const CTRL_VQ = 1 << 17;
        /// The control queue takes receive modes.
        const CTRL_RX = 1 << 18;
        /// The control queue takes VLAN filters.
        const CTRL_VLAN = 1 << 19;
        /// The device can ask for gratuitous announcements.
        const GUEST_ANNOUNCE = 1 << 21;
        /// More than one queue pair.
        const MQ = 1 << 22;
        /// The control queue takes a MAC address.
        const CTRL_MAC_ADDR = 1 << 23;
        /// Descriptors may point to tables.
        const INDIRECT_DESC = 1 << 28;
        /// Interrupt and doorbell suppression by index.
        const EVENT_IDX = 1 << 29;
        /// Not a legacy device.
        const VERSION_1 = 1 << 32;
        /// Addresses are the function's own, as the platform translates them.
        const ACCESS_PLATFORM = 1 << 33;
        /// Queues are packed rings.
        const RING_PACKED = 1 << 34;
        /// Buffers are used in the order they were made available.
        const IN_ORDER = 1 << 35;
        /// The function has an SR-IOV capability.
        const SR_IOV = 1 << 37;
        /// A queue can be reset alone.
        const RING_RESET = 1 << 40;
        /// The control queue can have interrupts held back queue by queue.
        const VQ_NOTF_COAL = 1 << 52;
        /// The control queue can have interrupts held back.
        const NOTF_COAL = 1 << 53;
        /// The driver takes datagrams over IPv4 that are still to be cut.
        const GUEST_USO4 = 1 << 54;
        /// The driver takes datagrams over IPv6 that are still to be cut.
        const GUEST_USO6 = 1 << 55;
        /// The device cuts datagrams.
        const HOST_USO = 1 << 56;
        /// The driver takes a hash with every frame, in a longer header.
        const HASH_REPORT = 1 << 57;
        /// The driver says which queue a frame goes to, by its hash.
        const RSS = 1 << 60;
        /// `speed` and `duplex` are valid.
        const SPEED_DUPLEX = 1 << 63;
    }
}

impl Features {
    /// Bytes in front of every frame: `struct virtio_net_hdr_v1` or `struct virtio_net_hdr_v1_hash` (5.1.6).
    pub(crate) fn header_len(self) -> usize {
        if self.contains(Self::HASH_REPORT) { HASH_HEADER } else { VnetHeader::LEN }
    }
}

/// Bytes of `struct virtio_net_hdr_v1_hash`: the shorter one, then value, type and two bytes of padding (5.1.6).
pub(crate) const HASH_HEADER: usize = VnetHeader::LEN + 8;

bitflags::bitflags! {
    /// `device_status` (2.1).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Status: u8 {
        /// The driver has seen the device.
        const ACKNOWLEDGE = 1 << 0;
        /// The driver knows how to drive it.
        const DRIVER = 1 << 1;
        /// The driver is ready: queues live.
        const DRIVER_OK = 1 << 2;
        /// Negotiation is over.
        const FEATURES_OK = 1 << 3;
        /// The device can't go on without a reset. Only the device sets it.
        const NEEDS_RESET = 1 << 6;
        /// The driver gave up.
        const FAILED = 1 << 7;
        /// Bits without a name are stored too.
        const _ = !0;
    }
}

/// `isr` (4.1.4.5).
pub(crate) mod isr {
    /// A queue has been used, for drivers without MSI-X.
    pub(crate) const QUEUE: u8 = 1 << 0;
    /// The configuration has changed.
    pub(crate) const CONFIG: u8 = 1 << 1;
}

/// `struct virtio_pci_cap` (4.1.4).
pub(crate) mod cap {
    /// `cfg_type`: common configuration.
    pub(crate) const COMMON: u8 = 1;
    /// `cfg_type`: notifications.
    pub(crate) const NOTIFY: u8 = 2;
    /// `cfg_type`: interrupt status.
    pub(crate) const ISR: u8 = 3;
    /// `cfg_type`: device configuration.
    pub(crate) const DEVICE: u8 = 4;
    /// `cfg_type`: access through configuration space.
    pub(crate) const PCI: u8 = 5;
}

/// Offsets in `struct virtio_pci_common_cfg` (4.1.4.3), in bytes.
pub(crate) mod common {
    pub(crate) const DEVICE_FEATURE_SELECT: usize = 0;
    pub(crate) const DEVICE_FEATURE: usize = 4;
    pub(crate) const DRIVER_FEATURE_SELECT: usize = 8;
    pub(crate) const DRIVER_FEATURE: usize = 12;
    pub(crate) const CONFIG_MSIX_VECTOR: usize = 16;
    pub(crate) const NUM_QUEUES: usize = 18;
    pub(crate) const DEVICE_STATUS: usize = 20;
    pub(crate) const CONFIG_GENERATION: usize = 21;
    pub(crate) const QUEUE_SELECT: usize = 22;
    pub(crate) const QUEUE_SIZE: usize = 24;
    pub(crate) const QUEUE_MSIX_VECTOR: usize = 26;
    pub(crate) const QUEUE_ENABLE: usize = 28;
    pub(crate) const QUEUE_NOTIFY_OFF: usize = 30;
    pub(crate) const QUEUE_DESC: usize = 32;
    pub(crate) const QUEUE_DRIVER: usize = 40;
    pub(crate) const QUEUE_DEVICE: usize = 48;
    pub(crate) const QUEUE_RESET: usize = 58;
    /// Length of the structure, administration fields (which read zero) included.
    pub(crate) const LENGTH: usize = 64;
}

/// `struct virtio_net_config` (5.1.4): offsets and values.
pub(crate) mod config {
    pub(crate) const MAC: usize = 0;
    pub(crate) const STATUS: usize = 6;
    pub(crate) const MAX_VIRTQUEUE_PAIRS: usize = 8;
    pub(crate) const MTU: usize = 10;
    pub(crate) const SPEED: usize = 12;
    pub(crate) const DUPLEX: usize = 16;
    pub(crate) const RSS_MAX_KEY_SIZE: usize = 17;
    pub(crate) const RSS_MAX_INDIRECTION_TABLE_LENGTH: usize = 18;
    pub(crate) const SUPPORTED_HASH_TYPES: usize = 20;
    /// Length of the structure.
    pub(crate) const LENGTH: usize = 24;

    /// `status`: the link is up.
    pub(crate) const LINK_UP: u16 = 1 << 0;
    /// `status`: the driver is to announce itself.
    pub(crate) const ANNOUNCE: u16 = 1 << 1;
    /// `duplex`: full.
    pub(crate) const FULL_DUPLEX: u8 = 1;
}

/// The control queue (5.1.6.5): (class, command).
pub(crate) mod ctrl {
    pub(crate) const RX_PROMISC: (u8, u8) = (0, 0);
    pub(crate) const RX_ALLMULTI: (u8, u8) = (0, 1);
    pub(crate) const MAC_TABLE_SET: (u8, u8) = (1, 0);
    pub(crate) const MAC_ADDR_SET: (u8, u8) = (1, 1);
    pub(crate) const VLAN_ADD: (u8, u8) = (2, 0);
    pub(crate) const VLAN_DEL: (u8, u8) = (2, 1);
    pub(crate) const ANNOUNCE_ACK: (u8, u8) = (3, 0);
    pub(crate) const MQ_PAIRS_SET: (u8, u8) = (4, 0);
    pub(crate) const MQ_RSS_CONFIG: (u8, u8) = (4, 1);
    pub(crate) const MQ_HASH_CONFIG: (u8, u8) = (4, 2);
    pub(crate) const GUEST_OFFLOADS_SET: (u8, u8) = (5, 0);
    pub(crate) const NOTF_COAL_TX_SET: (u8, u8) = (6, 0);
    pub(crate) const NOTF_COAL_RX_SET: (u8, u8) = (6, 1);
    pub(crate) const NOTF_COAL_VQ_SET: (u8, u8) = (6, 2);
    pub(crate) const NOTF_COAL_VQ_GET: (u8, u8) = (6, 3);

    /// `ack`: done.
    pub(crate) const OK: u8 = 0;
    /// `ack`: refused.
    pub(crate) const ERR: u8 = 1;
}

//! PCI Express capability, version 2 (7.5.3).

/// Device Control 15:0 (7.5.3.4), Device Status 31:16 (7.5.3.5).
pub(crate) const DEVICE_CONTROL: u16 = 0x08;
/// Link Control 15:0 (7.5.3.7), Link Status 31:16 (7.5.3.8).
pub(crate) const LINK_CONTROL: u16 = 0x10;
/// Slot Control 15:0 (7.5.3.10), Slot Status 31:16 (7.5.3.11).
pub(crate) const SLOT_CONTROL: u16 = 0x18;
/// Device Control 2 15:0 (7.5.3.16).
pub(crate) const DEVICE_CONTROL_2: u16 = 0x28;

/// PCI Express Capabilities: version 2 (7.5.3.2).
pub(crate) const VERSION: u32 = 2 << 16;
/// PCI Express Capabilities: where Device/Port Type lies.
pub(crate) const TYPE_SHIFT: u32 = 20;
/// Device/Port Type: PCI Express Endpoint.
pub(crate) const TYPE_ENDPOINT: u32 = 0x0;
/// Device/Port Type: Root Port.
pub(crate) const TYPE_ROOT_PORT: u32 = 0x4;
/// Device/Port Type: Upstream Port of a Switch.
pub(crate) const TYPE_UPSTREAM: u32 = 0x5;
/// Device/Port Type: Downstream Port of a Switch.
pub(crate) const TYPE_DOWNSTREAM: u32 = 0x6;
/// Device/Port Type: PCI Express to PCI/PCI-X Bridge.
pub(crate) const TYPE_PCI_BRIDGE: u32 = 0x7;
/// Device/Port Type: Root Complex Integrated Endpoint.
pub(crate) const TYPE_INTEGRATED: u32 = 0x9;
/// Device/Port Type: Root Complex Event Collector.
pub(crate) const TYPE_EVENT_COLLECTOR: u32 = 0xa;
/// PCI Express Capabilities: Slot Implemented.
pub(crate) const SLOT_IMPLEMENTED: u32 = 1 << 24;

/// Device Capabilities: Extended Tag Field Supported (7.5.3.3).
pub(crate) const EXTENDED_TAG: u32 = 1 << 5;
/// Device Capabilities: Role-Based Error Reporting.
pub(crate) const ROLE_BASED_ERRORS: u32 = 1 << 15;
/// Device Capabilities: Function Level Reset Capability.
pub(crate) const FLR_CAPABLE: u32 = 1 << 28;

/// Device Control: the four error reporting enables.
pub(crate) const ERROR_REPORTING: u32 = 0xf;
/// Device Control: Correctable, Non-Fatal, Fatal Error Reporting Enable and Unsupported Request Reporting Enable.
pub(crate) const REPORT_CORRECTABLE: u32 = 1 << 0;
/// As above.
pub(crate) const REPORT_NON_FATAL: u32 = 1 << 1;
/// As above.
pub(crate) const REPORT_FATAL: u32 = 1 << 2;
/// As above.
pub(crate) const REPORT_UNSUPPORTED: u32 = 1 << 3;
/// Device Control: Enable Relaxed Ordering.
pub(crate) const RELAXED_ORDERING: u32 = 1 << 4;
/// Device Control: where Max_Payload_Size lies.
pub(crate) const MAX_PAYLOAD: u32 = 0b111 << 5;
/// Device Control: Extended Tag Field Enable.
pub(crate) const EXTENDED_TAG_ENABLE: u32 = 1 << 8;
/// Device Control: Enable No Snoop.
pub(crate) const NO_SNOOP: u32 = 1 << 11;
/// Device Control: Max_Read_Request_Size.
pub(crate) const MAX_READ_REQUEST: u32 = 0b111 << 12;
/// Device Control: Max_Read_Request_Size of 512 bytes, the reset value.
pub(crate) const READ_REQUEST_512: u32 = 0b010 << 12;
/// Device Control: Initiate Function Level Reset.
pub(crate) const INITIATE_FLR: u32 = 1 << 15;
/// Device Control of a bridge to conventional PCI: Bridge Configuration Retry Enable. No request waits behind such a bridge here.
pub(crate) const BRIDGE_RETRY: u32 = 1 << 15;
/// Device Status: correctable, non-fatal, fatal error and unsupported request detected, each RW1C.
pub(crate) const DETECTED_ERRORS: u32 = 0xf << 16;

/// Device Status: the four bits of [`DETECTED_ERRORS`], in the order of their enables.
pub(crate) const DETECTED_SHIFT: u32 = 16;

/// Link Capabilities: where Maximum Link Width lies (7.5.3.6).
pub(crate) const LINK_WIDTH_SHIFT: u32 = 4;
/// Link Capabilities: Data Link Layer Link Active Reporting Capable.
pub(crate) const LINK_ACTIVE_REPORTING: u32 = 1 << 20;
/// Link Capabilities: ASPM Optionality Compliance.
pub(crate) const ASPM_OPTIONALITY: u32 = 1 << 22;
/// Link Capabilities: where Port Number lies.
pub(crate) const PORT_NUMBER_SHIFT: u32 = 24;

/// Link Control: ASPM Control.
pub(crate) const ASPM_CONTROL: u32 = 0b11;
/// Link Control: Read Completion Boundary.
pub(crate) const READ_COMPLETION_BOUNDARY: u32 = 1 << 3;
/// Link Control: Link Disable.
pub(crate) const LINK_DISABLE: u32 = 1 << 4;
/// Link Control: Common Clock Configuration.
pub(crate) const COMMON_CLOCK: u32 = 1 << 6;
/// Link Control: Extended Synch.
pub(crate) const EXTENDED_SYNCH: u32 = 1 << 7;
/// Link Status: Current Link Speed and Negotiated Link Width.
pub(crate) const LINK_NEGOTIATED: u32 = 0x3ff << 16;
/// Link Status: Slot Clock Configuration.
pub(crate) const SLOT_CLOCK: u32 = 1 << 28;
/// Link Status: Data Link Layer Link Active.
pub(crate) const LINK_ACTIVE: u32 = 1 << 29;

/// Slot Capabilities: where Physical Slot Number lies (7.5.3.9).
pub(crate) const SLOT_NUMBER_SHIFT: u32 = 19;
/// Slot Control: Data Link Layer State Changed Enable.
pub(crate) const LINK_STATE_CHANGED_ENABLE: u32 = 1 << 12;
/// Slot Status: Presence Detect Changed, RW1C.
pub(crate) const PRESENCE_CHANGED: u32 = 1 << 19;
/// Slot Status: Presence Detect State.
pub(crate) const PRESENCE: u32 = 1 << 22;
/// Slot Status: Data Link Layer State Changed, RW1C.
pub(crate) const LINK_STATE_CHANGED: u32 = 1 << 24;

/// Root Control: the three system error enables and PME Interrupt Enable (7.5.3.12).
pub(crate) const ROOT_CONTROL: u32 = 0xf;
/// Root Status: PME Status, RW1C (7.5.3.14).
pub(crate) const ROOT_PME_STATUS: u32 = 1 << 16;

/// Device Capabilities 2 and Device Control 2: Completion Timeout Disable (7.5.3.15, 7.5.3.16).
pub(crate) const TIMEOUT_DISABLE: u32 = 1 << 4;
/// Device Capabilities 2 and Device Control 2: ARI Forwarding.
pub(crate) const ARI_FORWARDING: u32 = 1 << 5;

/// Link Control 2: everything but Hardware Autonomous Speed Disable and Selectable De-emphasis; sticky (7.5.3.19).
pub(crate) const LINK_CONTROL_2: u32 = 0xff9f;

//! Access Control Services extended capability (7.7.11).

/// Capability 15:0 (7.7.11.2), Control 31:16 (7.7.11.3).
pub(crate) const CONTROL: u16 = 0x04;
/// The first dword of the Egress Control Vector (7.7.11.4).
pub(crate) const EGRESS_VECTOR: u16 = 0x08;

bitflags::bitflags! {
    /// The services, with one meaning in the Capability and in the Control register (7.7.11.2, 7.7.11.3).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct AcsServices: u16 {
        /// Source Validation: requests must carry an id of the buses behind the port.
        const SOURCE_VALIDATION = 1 << 0;
        /// Translation Blocking: requests must not carry an address type other than untranslated.
        const TRANSLATION_BLOCKING = 1 << 1;
        /// P2P Request Redirect.
        const REQUEST_REDIRECT = 1 << 2;
        /// P2P Completion Redirect.
        const COMPLETION_REDIRECT = 1 << 3;
        /// Upstream Forwarding.
        const UPSTREAM_FORWARDING = 1 << 4;
        /// P2P Egress Control.
        const EGRESS_CONTROL = 1 << 5;
        /// Direct Translated P2P.
        const DIRECT_TRANSLATED = 1 << 6;
    }
}

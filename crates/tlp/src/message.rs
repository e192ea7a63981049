//! Error messages, which travel to the root complex (PCI Express base 6.0, 2.2.8.3).

/// What is told; who tells it is the message's requester id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorMessage {
    /// ERR_COR: hardware dealt with it.
    Correctable,
    /// ERR_NONFATAL: a transaction is lost, the link is not.
    NonFatal,
    /// ERR_FATAL: the link isn't reliable any more.
    Fatal,
}

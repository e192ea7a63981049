//! What the shared cache is built on; the model checker of `tests/loom.rs` puts its own in their place.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, fence};

pub(crate) use pando_tlp::Epochs;

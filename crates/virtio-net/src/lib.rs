//! A virtio-net card.
mod bytes;
mod common;
mod config;
mod control;
mod settings;
mod spec;
pub use config::*;

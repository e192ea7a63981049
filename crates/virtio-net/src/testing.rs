//! A guest for tests: memory, a link that leads straight to it, and drivers that follow the order of a stock one.

mod driver;
mod guest;

pub(crate) use driver::{Driver, Header, descriptor};
pub(crate) use guest::{Guest, Memory, eventually};

use crate::spec::Features;

/// What a stock Linux takes of what is offered: all of it.
pub(crate) const LINUX: Features = Features::all().difference(Features::SR_IOV);

/// A driver with nothing but what it can't do without.
pub(crate) const PLAIN: Features = Features::VERSION_1.union(Features::MAC);

//! The platform file: what a machine is made of, in TOML; `docs/platform-file.md` is its reference.
//!
//! A file is read in steps, each in its own file below: `source` and `toml` (text and spans), `file` (each table by itself, by
//! the keys of `keys`), `link` and `number` (ids, ports, numbers), `mac`, `shared` and `bus` (what must not collide), `build`
//! (the tree). Every step goes on after a problem, so that one run tells all of them. Whatever the text is, the result is a
//! platform or [`Errors`], in bounded time and memory.

use std::fs::File as HostFile;
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use toml::de::DeTable;

mod acs;
mod build;
mod bus;
mod conventional;
mod exerciser;
mod file;
mod keys;
mod link;
mod mac;
mod machine;
mod model;
mod nic;
mod nic_entry;
mod number;
mod problem;
mod read;
mod reference;
mod shared;
mod show;
mod source;
mod suggest;
mod uplink;
mod value;

pub use acs::AcsServices;
pub use bus::Needs;
pub use exerciser::Exerciser;
pub use mac::MacAddress;
pub use machine::{Below, IommuModel, Machine, PciBridge, Port, RootComplex, Switch};
pub use model::{MODELS, ModelLimits, NicModel};
pub use nic::{Capture, CapturePort, Faults, Nic, SocketKind, Uplink, UplinkKind, Vf};
pub use problem::{Errors, Place, Problem};
pub use reference::reference;
pub use value::{Cpus, Delay, DeviceFunction, Id, MemorySize, PollTime, Speed, ValueError};

use problem::Problems;
use source::Source;

/// Bytes of a file at most.
const SIZE_MAX: usize = 1 << 20;

/// The platform without a file.
const DEFAULT: &str = include_str!("../../../examples/default.toml");

/// A machine and everything in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Platform {
    /// CPUs and memory.
    pub machine: Machine,
    /// The IOMMU.
    pub iommu: IommuModel,
    /// The tree.
    pub root_complex: RootComplex,
    /// Recordings.
    pub captures: Vec<Capture>,
}

impl Platform {
    /// Reads `text`; `name` is what reports call it.
    pub fn parse(name: &str, text: &str) -> Result<Self, Errors> {
        if text.len() > SIZE_MAX {
            return Err(Errors::of_file(
                name,
                "larger than 1 MiB".to_owned(),
                "this is no platform file",
            ));
        }
        let source = Source::new(name, text);
        let problems = Problems::new(&source);
        let platform = parse(text, &problems);
        problems.finish()?;
        platform.ok_or_else(|| {
            Errors::of_file(name, "not understood".to_owned(), "this is a fault of Pando")
        })
    }

    /// Reads the file at `path`.
    pub fn load(path: &Path) -> Result<Self, Errors> {
        let name = path.display().to_string();
        let failed = |error: std::io::Error| {
            Errors::of_file(
                &name,
                format!("it cannot be read ({error})"),
                "give a platform file, as those in examples/",
            )
        };
        let mut bytes = Vec::new();
        let file = HostFile::open(path).map_err(failed)?;
        file.take(SIZE_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::parse(&name, text),
            Err(_) if bytes.len() > SIZE_MAX => Self::parse(&name, &" ".repeat(bytes.len())),
            Err(error) => {
                let wrong = format!("byte {} is not UTF-8 text", error.valid_up_to());
                Err(Errors::of_file(&name, wrong, "save the file as UTF-8"))
            }
        }
    }
}

impl Default for Platform {
    /// One switch with one card below it; a test holds that the built-in text is a platform.
    fn default() -> Self {
        Self::parse("the built-in platform", DEFAULT).unwrap_or(Self {
            machine: Machine::default(),
            iommu: IommuModel::DEFAULT,
            root_complex: RootComplex::default(),
            captures: Vec::new(),
        })
    }
}

/// `None` only with a problem reported.
fn parse(text: &str, problems: &Problems<'_>) -> Option<Platform> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let right = if error.message().contains("duplicate") {
            "keep one of them"
        } else {
            "write lines of `key = value`, text in double quotes, below `[table]` or `[[list]]`"
        };
        problems.report(error.span().unwrap_or(0..0), error.message(), right);
    }
    if !problems.is_empty() {
        return None;
    }
    let file = file::File::read(table.get_ref(), 0..0, problems);
    let links = link::link(&file, problems);
    let cards = mac::assign(&file.nics, problems);
    shared::check(&file, problems);
    if !problems.is_empty() {
        return None;
    }
    bus::check(&file, &links, problems);
    if !problems.is_empty() {
        return None;
    }
    let (machine, iommu) = (file.machine.clone(), file.iommu);
    let (root_complex, captures) = build::build(file, links, cards);
    Some(Platform { machine, iommu, root_complex, captures })
}

#[cfg(test)]
mod tests;

//! The values of a platform file as types: what one of them holds is in range and well-formed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::problem::quote;

/// A value that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}; {right}")]
pub struct ValueError {
    /// What is wrong.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

impl ValueError {
    pub(super) fn new(wrong: impl Into<String>, right: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), right: right.into() }
    }
}

/// The name of a port, a switch or a network card.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Id(String);

/// What `at` says for a device on the root bus; no port can have this name.
pub(super) const ROOT_BUS: &str = "root-bus";

impl Id {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let first = text.starts_with(|c: char| c.is_ascii_alphabetic());
        if !first || text.len() > 32 || !text.chars().all(inner) {
            let right = "write up to 32 letters, digits, `-`, `_` and `.`, a letter first";
            return Err(ValueError::new(format!("{} is not an id", quote(text)), right));
        }
        if text == ROOT_BUS {
            return Err(ValueError::new(
                "`root-bus` names the bus of the root complex",
                "choose another id",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a machine's CPUs, 1 to 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cpus(u8);

impl Cpus {
    /// The most there can be.
    pub const MAX: u8 = 16;

    /// `count` CPUs.
    pub fn new(count: u8) -> Result<Self, ValueError> {
        match count {
            1..=Self::MAX => Ok(Self(count)),
            _ => Err(ValueError::new(format!("{count} CPUs"), "a machine has 1 to 16")),
        }
    }

    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for Cpus {
    fn default() -> Self {
        Self(1)
    }
}

/// A machine's memory: whole MiB, 128 MiB to 1 TiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySize(u64);

impl MemorySize {
    /// The least, in bytes.
    pub const MIN: u64 = 128 << 20;
    /// The most, in bytes; what the host's CPU can address may be less.
    pub const MAX: u64 = 1 << 40;

    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl Default for MemorySize {
    fn default() -> Self {
        Self(512 << 20)
    }
}

impl FromStr for MemorySize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let right = "write a number and a unit, as `\"512MiB\"` or `\"2GiB\"`";
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let shift = match unit {
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => {
                return Err(ValueError::new(
                    format!("{} is not a memory size", quote(text)),
                    right,
                ));
            }
        };
        let range = || ValueError::new(format!("{} of memory", quote(text)), "give 128MiB to 1TiB");
        let number: u64 = match number.parse() {
            Ok(number) => number,
            Err(_) if digits > 0 => return Err(range()),
            Err(_) => {
                return Err(ValueError::new(
                    format!("{} is not a memory size", quote(text)),
                    right,
                ));
            }
        };
        let bytes = number.checked_mul(1 << shift).ok_or_else(range)?;
        if !(Self::MIN..=Self::MAX).contains(&bytes) {
            return Err(range());
        }
        if bytes % (1 << 20) != 0 {
            return Err(ValueError::new(
                format!("{} is not a whole number of MiB", quote(text)),
                right,
            ));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 >> 20 {
            mib if mib % 1024 == 0 => write!(f, "{} GiB", mib / 1024),
            mib => write!(f, "{mib} MiB"),
        }
    }
}

impl Serialize for MemorySize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

/// A link speed in Mbit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Speed(u32);

impl Speed {
    /// The most, in Mbit/s.
    const MAX: u64 = 1_000_000;

    /// In Mbit/s.
    pub fn mbit_per_second(self) -> u32 {
        self.0
    }
}

impl Default for Speed {
    fn default() -> Self {
        Self(10_000)
    }
}

impl FromStr for Speed {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            let right =
                "write `\"10M\"` to `\"1000G\"`, in Mbit/s or Gbit/s, as `\"25G\"` or `\"2500M\"`";
            ValueError::new(format!("{} is not a link speed", quote(text)), right)
        };
        let (number, factor) = match (text.strip_suffix('M'), text.strip_suffix('G')) {
            (Some(number), _) => (number, 1),
            (_, Some(number)) => (number, 1000),
            _ => return Err(wrong()),
        };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u64 = number.parse().map_err(|_| wrong())?;
        match number.checked_mul(factor) {
            Some(mbit @ 10..=Self::MAX) => u32::try_from(mbit).map(Self).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            mbit if mbit % 1000 == 0 => write!(f, "{} Gbit/s", mbit / 1000),
            mbit => write!(f, "{mbit} Mbit/s"),
        }
    }
}

/// How late a frame arrives: 1 microsecond to 10 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay(u32);

impl Delay {
    /// The most, in microseconds.
    const MAX: u32 = 10_000_000;

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }
}

impl Default for Delay {
    fn default() -> Self {
        Self(1000)
    }
}

impl FromStr for Delay {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            let right = "write `\"1us\"` to `\"10s\"`, as `\"500us\"` or `\"20ms\"`";
            ValueError::new(format!("{} is not a delay", quote(text)), right)
        };
        let micros = micros(text).filter(|micros| (1..=Self::MAX).contains(micros));
        micros.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.duration())
    }
}

impl Serialize for Delay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How long a worker without work polls: nothing to a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollTime(u32);

impl PollTime {
    /// The most, in microseconds.
    const MAX: u32 = 1_000_000;

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }
}

impl FromStr for PollTime {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            let right = "write `\"0us\"` to `\"1s\"`, as `\"20us\"` or `\"5ms\"`";
            ValueError::new(format!("{} is not a time to poll", quote(text)), right)
        };
        micros(text).filter(|micros| *micros <= Self::MAX).map(Self).ok_or_else(wrong)
    }
}

impl Serialize for PollTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.duration()))
    }
}

/// A time in `us`, `ms` or `s`, as microseconds.
fn micros(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "us" => 1,
        "ms" => 1000,
        "s" => 1_000_000,
        _ => return None,
    };
    number.parse::<u32>().ok()?.checked_mul(factor)
}

/// A device and a function number on a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DeviceFunction {
    /// 0 to 31.
    pub device: u8,
    /// 0 to 7.
    pub function: u8,
}

impl DeviceFunction {
    /// Both in the low eight bits of a routing id: device 7:3, function 2:0.
    pub fn bits(self) -> u8 {
        self.device << 3 | self.function & 7
    }

    /// The First VF Offset of the physical function here with which its virtual functions lie from function 0 on the bus
    /// `nth` + 1 behind its own. With `nth` counting, from 0, the functions with virtual ones on one bus, no two get one routing id.
    pub fn vf_offset_behind(self, nth: u8) -> u16 {
        let bus = (u16::from(nth) + 1).wrapping_mul(0x100);
        bus.wrapping_sub(self.bits().into())
    }
}

impl fmt::Display for DeviceFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}.{}", self.device, self.function)
    }
}

#[cfg(test)]
mod tests;

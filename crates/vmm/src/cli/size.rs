//! A memory size as people write it: a number and KiB, MiB, GiB or TiB (K, M, G, T and KB, MB, GB, TB mean the same; a bare number is MiB).

use std::str::FromStr;

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
            "k" | "kb" | "kib" => 10,
            "" | "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            "t" | "tb" | "tib" => 40,
            _ => return Err(format!("unknown unit {unit:?}: write it like 512MiB or 4GiB")),
        };
        let number: u64 = number.parse().map_err(|_| "write it like 512MiB or 4GiB".to_owned())?;
        let bytes = number.checked_mul(1 << shift).ok_or("that is more than 64 bits can count")?;
        Ok(Self(bytes))
    }
}

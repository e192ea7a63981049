//! A program for guests: drives functions from user space by VFIO's container and group interface, well and badly.
//!
//! `vfio CASE ARGUMENTS`; the status is 0 if what the case says held. Static, so that it runs alone in an initramfs.

#![deny(unsafe_code)]

mod attack;
mod device;
mod exercise;
mod frame;
mod nic;
mod ring;
mod stress;
mod sys;
mod talk;

use std::process::ExitCode;

/// What went wrong, for people.
type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Outcome {
    match words {
        ["resolve", function, own, peer] => talk::resolve(function, own, peer),
        ["pair", one, other] => talk::pair(one, other),
        ["stray-read", function] => attack::stray_read(function),
        ["stray-write", function, sender] => attack::stray_write(function, sender),
        ["interrupt-range", function, sender] => attack::interrupt_range(function, sender),
        ["forge-compatibility", function, sender] => attack::forge_compatibility(function, sender),
        ["forge-index", function, sender] => attack::forge_index(function, sender),
        ["reset", function, sender, rounds] => stress::reset(function, sender, rounds.parse()?),
        ["remap", function, sender, rounds] => stress::remap(function, sender, rounds.parse()?),
        ["bars", function] => exercise::bars(function),
        ["interrupts", function, kind] => exercise::interrupts(function, kind),
        ["level", function] => exercise::level(function),
        ["together", one, other, rounds] => exercise::together(one, other, rounds.parse()?),
        ["kexec", kernel, initrd, line] => kexec(kernel, initrd, line),
        _ => Err("unknown case, or wrong arguments".into()),
    }
}

/// Starts another kernel; returns only if that fails.
fn kexec(kernel: &str, initrd: &str, line: &str) -> Outcome {
    let (kernel, initrd) = (std::fs::File::open(kernel)?, std::fs::File::open(initrd)?);
    sys::load_kernel(&kernel, &initrd, line)?;
    Err(sys::start_kernel().into())
}

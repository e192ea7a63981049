//! Builds each file of `payloads/` into an ELF: one call of rustc for the installed target's own `core`, no Cargo.
//!
//! They are no crate of the workspace, whose tests want `std` and unwinding.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// No start files, a fixed address, our own layout.
const LINK: &str = "-nostartfiles -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
-Wl,--gc-sections -Wl,-T,";

fn main() {
    println!("cargo::rerun-if-changed=payloads");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for entry in fs::read_dir("payloads").expect("the folder payloads") {
        let source = entry.expect("an entry of the folder payloads").path();
        if source.extension().is_some_and(|extension| extension == "rs") {
            compile(
                &source,
                &out.join(source.with_extension("elf").file_name().expect("a file has a name")),
            );
        }
    }
}

fn compile(source: &Path, elf: &Path) {
    let script = fs::canonicalize("payloads/link.ld").expect("the linker script");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args([
        "--edition",
        "2024",
        "--crate-type",
        "bin",
        "-O",
        "-C",
        "panic=abort",
        "-D",
        "warnings",
    ]);
    rustc
        .arg("-C")
        .arg(format!("link-args={LINK}{}", script.display()))
        .arg("-o")
        .arg(elf)
        .arg(source);
    let status = rustc.status().expect("rustc runs");
    assert!(status.success(), "{} does not compile", source.display());
}

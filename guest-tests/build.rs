//! Builds each file of `payloads/` into an ELF, and each folder of `programs/` into a static program for guests: one call
//! of rustc for the installed target, no Cargo.
//!
//! They are no crates of the workspace: payloads have no `std`, and programs have flags that its build scripts must not get.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// No start files, a fixed address, our own layout.
const LINK: &str = "-nostartfiles -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
-Wl,--gc-sections -Wl,-T,";

fn main() {
    println!("cargo::rerun-if-changed=payloads");
    println!("cargo::rerun-if-changed=programs");
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
    for entry in fs::read_dir("programs").expect("the folder programs") {
        let folder = entry.expect("an entry of the folder programs").path();
        compile_program(&folder, &out.join(folder.file_name().expect("a folder has a name")));
    }
}

/// A program that needs no library, nor a loader, of the system it runs on.
fn compile_program(folder: &Path, program: &Path) {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--crate-type", "bin", "-O", "-D", "warnings"]);
    for option in ["target-feature=+crt-static", "strip=symbols", "panic=abort"] {
        rustc.args(["-C", option]);
    }
    rustc.args(["--target", "x86_64-unknown-linux-gnu"]);
    let status = rustc.arg("-o").arg(program).arg(folder.join("main.rs")).status();
    assert!(status.expect("rustc runs").success(), "{} does not compile", folder.display());
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

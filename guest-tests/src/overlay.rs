//! The small archive that makes a guest out of the shared initramfs: init, the helpers, and the script to run.

use crate::cpio::Archive;

const INIT: &str = include_str!("../guest/init");
const LIB: &str = include_str!("../guest/lib");

/// The archive for a guest that runs `script` and finds `programs` in its PATH and perhaps a kernel's image, to be appended
/// to the shared ones.
#[must_use]
pub fn build(script: &str, programs: &[(&str, &[u8])], kernel: Option<&[u8]>) -> Vec<u8> {
    let mut archive = Archive::new();
    archive.file("init", 0o755, INIT.as_bytes());
    archive.file("pando/lib", 0o644, LIB.as_bytes());
    archive.file("pando/test", 0o644, format!("source /pando/lib\n{script}\n").as_bytes());
    for (name, program) in programs {
        archive.file(&format!("usr/bin/{name}"), 0o755, program);
    }
    if let Some(kernel) = kernel {
        archive.file("pando/kernel", 0o644, kernel);
    }
    archive.finish()
}

//! The newest QEMU, of Debian's sid: unpacked with the libraries that it wants and this machine lacks, not installed.
//!
//! Before 10.2 the SVM of QEMU's TCG changed a processor's pending interrupts without a lock, so an L1 of several processors lost some,
//! and it or its guests hung.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::ui::Step;
use crate::{apt, paths};

const SUITE: &str = "sid";
const PACKAGE: &str = "qemu-system-x86";

/// The program, which starts it with its own loader, libraries and firmware.
pub(crate) fn newest() -> Result<PathBuf> {
    let folder = paths::guest("qemu")?;
    let program = folder.join("qemu-system-x86_64");
    if !program.is_file() {
        let step = Step::start("getting the newest QEMU from Debian's sid");
        let archive = apt::Archive::open(&step)?;
        let packages = archive.resolve(&step, SUITE, PACKAGE)?;
        archive.download(&step, &packages)?;
        for package in &packages {
            archive.unpack(&step, package, &folder)?;
        }
        // Written last: without it nothing is there.
        let unfinished = folder.join("unfinished");
        fs::write(&unfinished, starter(&folder))
            .and_then(|()| fs::set_permissions(&unfinished, Permissions::from_mode(0o755)))
            .and_then(|()| fs::rename(&unfinished, &program))
            .context("cannot write what starts QEMU")?;
        step.done();
    }
    Ok(program)
}

fn starter(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"#!/bin/sh
usr='{folder}/usr'
lib=$usr/lib/x86_64-linux-gnu
exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib:$lib/systemd" "$usr/bin/qemu-system-x86_64" \
    -L "$usr/share/qemu" -L "$usr/share/seabios" "$@"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_is_a_script_that_a_shell_takes() {
        let script = starter(Path::new("/somewhere/with a blank"));
        let status = std::process::Command::new("sh").args(["-n", "-c", &script]).status();
        assert!(status.unwrap().success(), "{script}");
        assert!(script.contains("usr='/somewhere/with a blank/usr'"), "{script}");
    }
}

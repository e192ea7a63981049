//! What the host side of a test does: run a shell line, keep a program running meanwhile.

use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, ensure};

/// Runs a line of bash and returns its stdout.
///
/// # Errors
/// When it fails; the error tells what it said.
pub fn shell(line: &str) -> Result<String> {
    let Output { status, stdout, stderr } =
        Command::new("bash").args(["-c", line]).output().context("cannot run bash")?;
    ensure!(
        status.success(),
        "'{line}' failed ({status}): {}",
        String::from_utf8_lossy(&stderr).trim()
    );
    Ok(String::from_utf8_lossy(&stdout).into_owned())
}

/// A program that runs until this is dropped.
#[derive(Debug)]
pub struct Background(Child);

impl Background {
    /// Starts it, without any input or output.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn().with_context(|| format!("cannot start {program}"))?))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended by itself
        let _ = self.0.wait();
    }
}

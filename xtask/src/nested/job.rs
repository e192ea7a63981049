//! The folder through which L1 learns what to run: a bash script that brings the caller's environment with it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result};

use crate::scratch::Scratch;

/// Temporary files go into L1's own memory: on 9p a file has no size to change once it is unlinked, as iperf3 does.
const TEMPORARY: &[u8] = b"if [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi\n";

/// A job's own folder, removed with it.
pub(super) struct Folder(Scratch);

impl Folder {
    /// Makes the folder and its script.
    pub(super) fn new(command: &[OsString]) -> Result<Self> {
        let folder = Self(Scratch::new("nested")?);
        let script = script(env::vars_os(), &env::current_dir()?, command);
        fs::write(folder.path().join("run"), script)?;
        fs::write(folder.path().join("terminal"), terminal_size())?;
        Ok(folder)
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// What a file in it says, as far as it can be read.
    pub(super) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path().join(name)).unwrap_or_default()).into_owned()
    }

    /// Opens a file in it for a child's output.
    pub(super) fn create(&self, name: &str) -> Result<Stdio> {
        Ok(fs::File::create(self.path().join(name))
            .context("cannot write to the job's folder")?
            .into())
    }
}

fn script(
    variables: impl Iterator<Item = (OsString, OsString)>,
    cwd: &Path,
    command: &[OsString],
) -> Vec<u8> {
    let mut script = Vec::new();
    for (name, value) in variables.filter(|(name, _)| is_identifier(name.as_bytes())) {
        script.extend([b"export ", name.as_bytes(), b"=", &quoted(&value), b"\n"].concat());
    }
    script.extend(TEMPORARY);
    script.extend([b"cd ", quoted(cwd.as_os_str()).as_slice(), b" || exit 127\nexec"].concat());
    for word in command {
        script.push(b' ');
        script.extend(quoted(word));
    }
    script.push(b'\n');
    script
}

fn is_identifier(name: &[u8]) -> bool {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    name.first().is_some_and(|first| !first.is_ascii_digit()) && name.iter().all(inner)
}

fn quoted(word: &OsStr) -> Vec<u8> {
    let mut text = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => text.extend(b"'\\''"),
            byte => text.push(*byte),
        }
    }
    text.push(b'\'');
    text
}

/// `rows R cols C` for stty, or nothing.
fn terminal_size() -> String {
    let size =
        Command::new("stty").arg("size").stdin(Stdio::inherit()).stderr(Stdio::null()).output();
    let size =
        size.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    size.trim()
        .split_once(' ')
        .map(|(rows, columns)| format!("rows {rows} cols {columns}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;
    use std::process::Command;

    use super::script;

    #[test]
    fn bash_gives_back_what_went_in() {
        let strange = OsString::from("it's $HOME \"and\" `more`\n  two");
        let variables = [("GOOD".into(), strange.clone()), ("BAD-NAME".into(), "x".into())];
        let print = "printf '%s|%s|%s' \"$PWD\" \"$GOOD\" \"$0\"";
        let command =
            ["bash", "-c", print].map(OsString::from).into_iter().chain([strange.clone()]);
        let text = script(variables.into_iter(), Path::new("/usr"), &Vec::from_iter(command));
        let output =
            Command::new("bash").arg("-c").arg(String::from_utf8(text).unwrap()).output().unwrap();
        let strange = strange.to_str().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("/usr|{strange}|{strange}"));
    }
}

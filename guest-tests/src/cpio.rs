//! Writes "newc" cpio archives, the format of a Linux initramfs.
//!
//! Linux `Documentation/driver-api/early-userspace/buffer-format.rst`. Several archives may follow each other in one
//! initrd; later files win. Owner and times are always zero, so that equal content gives equal bytes.

use std::collections::BTreeSet;

const DIRECTORY: u32 = 0o040_755;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// An archive in the making. Parent folders are added by themselves.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<String>,
}

impl Archive {
    /// An empty archive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a regular file; `mode` holds the permission bits.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> &mut Self {
        self.parents(path);
        self.entry(path, REGULAR | mode, content, (0, 0));
        self
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) -> &mut Self {
        self.parents(path);
        self.entry(path, SYMLINK, target.as_bytes(), (0, 0));
        self
    }

    /// Adds a character device node.
    pub fn character_device(&mut self, path: &str, major: u32, minor: u32) -> &mut Self {
        self.parents(path);
        self.entry(path, CHARACTER_DEVICE, &[], (major, minor));
        self
    }

    /// Adds a folder and its parents.
    pub fn folder(&mut self, path: &str) -> &mut Self {
        let path = path.trim_matches('/');
        self.parents(path);
        if self.folders.insert(path.to_owned()) {
            self.entry(path, DIRECTORY, &[], (0, 0));
        }
        self
    }

    /// Closes the archive and returns its bytes, a multiple of 512.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[], (0, 0));
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        if let Some((parent, _)) = path.trim_matches('/').rsplit_once('/') {
            self.folder(parent);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8], device: (u32, u32)) {
        self.entries += 1;
        let name = path.trim_start_matches('/');
        let (inode, size, name_size) = (self.entries, content.len(), name.len() + 1);
        // magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
        let header = format!(
            "070701{inode:08x}{mode:08x}{0:08x}{0:08x}{1:08x}{0:08x}{size:08x}{0:08x}{0:08x}{2:08x}{3:08x}{name_size:08x}{0:08x}",
            0, 1, device.0, device.1
        );
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests;

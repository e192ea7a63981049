//! Puts a kernel, its initial RAM disk, its command line and the firmware's tables into guest memory.
//!
//! The files are checked once, before anything runs, and read anew at every start, so that nothing of them is kept beside guest RAM.

mod bzimage;
mod elf;
mod initrd;

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pando_firmware::boot::{paging, reset_vector::reset_vector};
use pando_firmware::{Blob, Platform, acpi, layout};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use self::bzimage::BzImage;
use self::elf::Elf;
use self::initrd::InitrdFile;
use crate::user_error::UserError;
use crate::vcpu::Entry;

/// What Pando says on every command line; the user's text follows and so wins where both speak.
/// reboot=acpi because Linux on hardware-reduced ACPI otherwise looks for EFI's reset service.
const COMMAND_LINE: &str =
    "console=ttyS0,115200 earlycon=uart8250,io,0x3f8,115200 panic=-1 reboot=acpi";

/// What the guest boots: files that passed every check.
#[derive(Debug)]
pub struct Payload {
    kernel: Kernel,
    initrd: Option<InitrdFile>,
    command_line: CString,
}

#[derive(Debug)]
enum Kernel {
    BzImage(BzImage),
    Elf(Elf),
}

/// A file and the name the user gave it.
#[derive(Debug)]
struct NamedFile {
    path: PathBuf,
    file: File,
    size: u64,
}

/// Enough of a file to recognise it: a bzImage's whole setup header.
const HEAD: u64 = 0x290;

impl Payload {
    /// Opens and checks the files.
    pub fn open(
        kernel: &Path,
        initrd: Option<&Path>,
        extra: Option<&str>,
    ) -> Result<Self, UserError> {
        let command_line = command_line(extra)?;
        let initrd = initrd.map(InitrdFile::open).transpose()?;
        let mut file = NamedFile::open("kernel", kernel)?;
        let mut head = Vec::new();
        let read = (&mut file.file).take(HEAD).read_to_end(&mut head);
        read.map_err(UserError::file("kernel", kernel))?;
        let kernel = if elf::is_elf(&head) {
            Kernel::Elf(Elf::check(file)?)
        } else {
            Kernel::BzImage(BzImage::check(file, &head)?)
        };
        let payload = Self { kernel, initrd, command_line };
        payload.check_command_line()?;
        Ok(payload)
    }

    /// Whether the payload is a whole kernel, too much for a KVM that interprets.
    pub fn is_linux(&self) -> bool {
        matches!(self.kernel, Kernel::BzImage(_))
    }

    /// The whole command line.
    pub fn command_line(&self) -> &str {
        self.command_line.to_str().unwrap_or_default()
    }

    /// Writes everything into cleared `memory`; returns where the boot CPU begins.
    pub fn load(&mut self, memory: &GuestMemoryMmap<()>, platform: &Platform) -> Result<Entry> {
        let low_end = platform.ram.first().map_or(0, |range| range.end());
        let map = pando_firmware::memory_map(platform);
        let tables = acpi::tables(platform)?;
        put(memory, &tables)?;
        put(memory, &reset_vector())?;
        let text = self.command_line.as_bytes_with_nul();
        memory
            .write_slice(text, GuestAddress(layout::COMMAND_LINE))
            .context("placing the command line")?;
        match &mut self.kernel {
            Kernel::BzImage(kernel) => {
                let initrd = load_initrd(&mut self.initrd, memory, kernel.free_range(low_end)?)?;
                put(memory, &paging::page_tables())?;
                put(memory, &paging::gdt(true))?;
                put(memory, &kernel.zero_page(&map, initrd))?;
                kernel.load(memory)
            }
            Kernel::Elf(kernel) => {
                let (entry, end) = kernel.load(memory, low_end)?;
                let initrd = load_initrd(&mut self.initrd, memory, (end, low_end))?;
                put(memory, &paging::gdt(false))?;
                put(memory, &elf::start_info(&map, initrd))?;
                Ok(entry)
            }
        }
    }

    fn check_command_line(&self) -> Result<(), UserError> {
        let max = match &self.kernel {
            Kernel::BzImage(kernel) => kernel.command_line_max(),
            Kernel::Elf(_) => layout::COMMAND_LINE_MAX - 1,
        };
        let length = self.command_line.as_bytes().len();
        if length > max { Err(UserError::CommandLineTooLong { length, max }) } else { Ok(()) }
    }
}

impl NamedFile {
    fn open(what: &'static str, path: &Path) -> Result<Self, UserError> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(UserError::file(what, path))?;
        if metadata.is_dir() {
            let error = std::io::Error::from(std::io::ErrorKind::IsADirectory);
            return Err(UserError::file(what, path)(error));
        }
        Ok(Self { path: path.to_owned(), file, size: metadata.len() })
    }
}

fn command_line(extra: Option<&str>) -> Result<CString, UserError> {
    let text = match extra {
        Some(extra) => format!("{COMMAND_LINE} {extra}"),
        None => COMMAND_LINE.into(),
    };
    CString::new(text).map_err(|_| UserError::CommandLineNul)
}

fn load_initrd(
    initrd: &mut Option<InitrdFile>,
    memory: &GuestMemoryMmap<()>,
    room: (u64, u64),
) -> Result<Option<pando_firmware::boot::Initrd>> {
    initrd.as_mut().map(|initrd| initrd.load(memory, room)).transpose()
}

fn put(memory: &GuestMemoryMmap<()>, blob: &Blob) -> Result<()> {
    memory.write_slice(&blob.bytes, GuestAddress(blob.address)).context("placing firmware tables")
}

#[cfg(test)]
mod tests;

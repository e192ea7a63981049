//! Kernels and initrds that are wrong in every way a user can get them wrong, and what is said about each.

use super::*;
use pando_tlp::{Gpa, GuestRam};
use std::io::Write;
use tempfile::NamedTempFile;

const MIB: u64 = 1 << 20;

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A bzImage of one setup sector and one page, preferring 16 MiB, needing 32 MiB.
fn bzimage() -> Vec<u8> {
    let mut image = vec![0; 2 * 512 + 4096];
    image[0x1f1] = 1;
    image[0x1f4..0x1f8].copy_from_slice(&256_u32.to_le_bytes());
    image[0x201] = 0x62;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
    image[0x22c..0x230].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    image[0x236] = 1;
    image[0x238..0x23c].copy_from_slice(&2047_u32.to_le_bytes());
    image[0x258..0x260].copy_from_slice(&(16 * MIB).to_le_bytes());
    image[0x260..0x264].copy_from_slice(&(32 * MIB as u32).to_le_bytes());
    image[1024..].fill(0x90);
    image
}

fn open(bytes: &[u8]) -> Result<Payload, UserError> {
    Payload::open(file(bytes).path(), None, None)
}

fn message(bytes: &[u8]) -> String {
    open(bytes).unwrap_err().to_string()
}

/// Loads into a machine of `memory` bytes and returns its memory.
fn load(payload: &mut Payload, memory: u64) -> Result<(GuestRam, Entry)> {
    let platform = layout::platform(1, memory, 40, 256, false)?;
    let ram = GuestRam::anonymous(&[(Gpa(0), memory as usize)])?;
    let entry = payload.load(ram.memory(), &platform)?;
    Ok((ram, entry))
}

#[test]
fn a_bzimage_lands_at_its_preferred_address_with_zero_page_and_initrd() {
    let (kernel, initrd) = (file(&bzimage()), file(&[0x77; 5000]));
    let mut payload = Payload::open(kernel.path(), Some(initrd.path()), Some("quiet x=1")).unwrap();
    assert!(payload.is_linux());
    let (ram, entry) = load(&mut payload, 128 * MIB).unwrap();
    assert_eq!(entry, Entry::Linux64 { rip: 16 * MIB + 0x200 });
    let byte = |address| ram.memory().read_obj::<u8>(GuestAddress(address)).unwrap();
    assert_eq!((byte(16 * MIB), byte(16 * MIB + 4095), byte(16 * MIB + 4096)), (0x90, 0x90, 0));
    let word = |address| ram.memory().read_obj::<u32>(GuestAddress(address)).unwrap();
    let zero_page = layout::ZERO_PAGE;
    let (address, size) = (word(zero_page + 0x218), word(zero_page + 0x21c));
    assert_eq!((address, size), (128 * MIB as u32 - 8192, 5000));
    assert_eq!((byte(address.into()), byte(u64::from(address) + 4999)), (0x77, 0x77));
    assert_eq!(word(zero_page + 0x202), u32::from_le_bytes(*b"HdrS"));
    let mut text = vec![0; payload.command_line().len() + 1];
    ram.memory().read_slice(&mut text, GuestAddress(layout::COMMAND_LINE)).unwrap();
    assert!(text.ends_with(b"reboot=acpi quiet x=1\0"));
}

#[test]
fn what_is_not_a_kernel_is_told_apart() {
    assert!(message(b"").contains("is not a kernel"));
    assert!(message(b"hello").contains("is not a kernel"));
    assert!(message(&[0; 8192]).contains("is not a kernel"));
}

#[test]
fn a_kernel_without_64_bit_entry_is_told() {
    let mut image = bzimage();
    image[0x236] = 0;
    assert!(message(&image).contains("has no 64-bit entry"));
    let mut image = bzimage();
    image[0x206..0x208].copy_from_slice(&0x20b_u16.to_le_bytes());
    assert!(message(&image).contains("has no 64-bit entry"));
}

#[test]
fn a_truncated_kernel_is_told_with_both_lengths() {
    let image = bzimage();
    let text = message(&image[..5000]);
    assert!(text.contains("truncated") && text.contains("5120") && text.contains("5000"), "{text}");
    let text = message(&image[..0x210]);
    assert!(text.contains("truncated"), "{text}");
}

#[test]
fn files_that_are_missing_are_named() {
    let missing = Path::new("/nonexistent/vmlinuz");
    let error = Payload::open(missing, None, None).unwrap_err().to_string();
    assert!(error.contains("the kernel /nonexistent/vmlinuz cannot be opened"), "{error}");
    let error = Payload::open(file(&bzimage()).path(), Some(missing), None).unwrap_err();
    assert!(error.to_string().contains("the initrd /nonexistent/vmlinuz"), "{error}");
    let error = Payload::open(Path::new("/"), None, None).unwrap_err().to_string();
    assert!(error.contains("directory"), "{error}");
}

#[test]
fn an_initrd_larger_than_memory_is_told_with_both_sizes() {
    let (kernel, initrd) = (file(&bzimage()), NamedTempFile::new().unwrap());
    initrd.as_file().set_len(100 * MIB).unwrap();
    let mut payload = Payload::open(kernel.path(), Some(initrd.path()), None).unwrap();
    let error = load(&mut payload, 128 * MIB).unwrap_err().to_string();
    assert!(error.contains("100 MiB") && error.contains("80 MiB"), "{error}");
}

#[test]
fn a_kernel_larger_than_memory_is_told() {
    let mut image = bzimage();
    image[0x260..0x264].copy_from_slice(&(200 * MIB as u32).to_le_bytes());
    let mut payload = open(&image).unwrap();
    let error = load(&mut payload, 128 * MIB).unwrap_err().to_string();
    assert!(error.contains("needs memory up to 216 MiB"), "{error}");
}

#[test]
fn a_command_line_too_long_or_with_nul_is_told() {
    let kernel = file(&bzimage());
    let error =
        |text: &str| Payload::open(kernel.path(), None, Some(text)).unwrap_err().to_string();
    let text = error(&"x".repeat(2048));
    assert!(text.contains("2047"), "{text}");
    assert!(error("a\0b").contains("NUL"));
}

/// An ELF header with one program header of the given type, offset, address and size.
fn elf(kind: u32, offset: u64, address: u64, size: u64) -> Vec<u8> {
    let mut elf = vec![0; 64 + 56];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    elf[16..20].copy_from_slice(&[2, 0, 62, 0]);
    elf[20] = 1;
    elf[24..32].copy_from_slice(&(2 * MIB).to_le_bytes());
    elf[32] = 64;
    elf[52..58].copy_from_slice(&[64, 0, 56, 0, 1, 0]);
    elf[64..68].copy_from_slice(&kind.to_le_bytes());
    for (index, value) in [offset, address, address, size, size].into_iter().enumerate() {
        elf[72 + index * 8..80 + index * 8].copy_from_slice(&value.to_le_bytes());
    }
    elf
}

#[test]
fn elf_files_that_cannot_be_booted_are_told() {
    let error = |bytes: &[u8]| match open(bytes) {
        Ok(mut payload) => load(&mut payload, 128 * MIB).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    assert!(error(b"\x7fELF").contains("truncated"));
    assert!(error(&elf(1, 0, 2 * MIB, 64)).contains("no PVH entry"));
    for bad in [elf(1, 0, 1 << 40, 64), elf(1, 1 << 40, 2 * MIB, 64), elf(1, 0, u64::MAX - 3, 64)] {
        assert!(error(&bad).contains("cannot be booted"), "{}", error(&bad));
    }
    let mut wrong_machine = elf(1, 0, 2 * MIB, 64);
    wrong_machine[4] = 1;
    assert!(error(&wrong_machine).contains("cannot be booted"));
}

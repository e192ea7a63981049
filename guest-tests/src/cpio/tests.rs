//! The archive is read back by a reader of the format's own rules.

use super::Archive;

/// Name, mode, content of each entry.
fn read(bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let mut entries = Vec::new();
    let mut at = 0;
    loop {
        let field = |n: usize| {
            let start = at + 6 + 8 * n;
            u32::from_str_radix(std::str::from_utf8(&bytes[start..start + 8]).unwrap(), 16).unwrap()
        };
        assert_eq!(&bytes[at..at + 6], b"070701");
        let (mode, size, name_size) = (field(1), field(6) as usize, field(11) as usize);
        let name = String::from_utf8(bytes[at + 110..at + 110 + name_size - 1].to_vec()).unwrap();
        let content = (at + 110 + name_size).next_multiple_of(4);
        if name == "TRAILER!!!" {
            return entries;
        }
        entries.push((name, mode, bytes[content..content + size].to_vec()));
        at = (content + size).next_multiple_of(4);
    }
}

#[test]
fn files_come_back_with_their_parents_once() {
    let mut archive = Archive::new();
    archive.file("/etc/a", 0o644, b"one").file("etc/b", 0o755, b"").symlink("/bin", "usr/bin");
    let bytes = archive.finish();
    assert_eq!(bytes.len() % 512, 0);
    let entries = read(&bytes);
    let names: Vec<_> = entries.iter().map(|entry| (entry.0.as_str(), entry.1)).collect();
    assert_eq!(
        names,
        [("etc", 0o040_755), ("etc/a", 0o100_644), ("etc/b", 0o100_755), ("bin", 0o120_777)]
    );
    assert_eq!(entries[1].2, b"one");
    assert_eq!(entries[3].2, b"usr/bin");
}

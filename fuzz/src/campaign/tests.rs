use super::*;

/// A fault that only inputs with these two bytes in a row have.
fn faulty(input: &[u8]) {
    assert!(!input.windows(2).any(|pair| pair == [0x42, 0x43]), "found");
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("pando-fuzz-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_fault_is_kept_small_and_told_with_the_command_that_repeats_it() {
    let folder = folder("fault");
    let target = Target { name: "test", run: faulty, seeds: &[b"..\x42..\x43.."], runs: 0 };
    let said = campaign(&target, None, Some(1_000_000), 1, &folder).expect("a fault");
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap()).collect();
    let fault = files.iter().find(|file| file.file_name().to_string_lossy().contains("fault-"));
    let file = fault.unwrap().path();
    assert_eq!(std::fs::read(&file).unwrap(), [0x42, 0x43]);
    let again = format!("cargo xtask fuzz test --input {}", file.display());
    assert!(said.contains(&again), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_campaign_without_faults_leaves_nothing_behind() {
    let folder = folder("clean");
    let target = Target { name: "test", run: |_| (), seeds: &[], runs: 0 };
    assert_eq!(campaign(&target, None, Some(1000), 1, &folder), None);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
#[should_panic(expected = "found")]
fn a_unit_test_fails_at_the_fault() {
    crate::check(&[b"\x42\x43"], 100_000, faulty);
}

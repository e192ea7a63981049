//! Files made to harm: whatever the text is, a platform or a report comes back.

use proptest::prelude::*;

use super::super::*;

/// Words that a platform file is made of, and some that none is.
const WORDS: &[&str] = &[
    "[[root-port]]\n",
    "[[switch]]\n",
    "[[nic]]\n",
    "[[nic.vf]]\n",
    "[[capture]]\n",
    "[machine]\n",
    "[iommu]\n",
    "[root-complex]\n",
    "id = ",
    "at = ",
    "upstream = ",
    "downstream = ",
    "acs = ",
    "device = ",
    "function = ",
    "vfs = ",
    "mac = ",
    "number = ",
    "uplink = ",
    "queues = ",
    "vf-queues = ",
    "memory = ",
    "cpus = ",
    "port = ",
    "file = ",
    "mtu = ",
    "speed = ",
    "\"rp0\"",
    "\"sw0\"",
    "\"dp0\"",
    "\"nic0\"",
    "\"nic0/vf3\"",
    "\"nic0/vf99999999999999999999\"",
    "\"root-bus\"",
    "\"\"",
    "0",
    "1",
    "255",
    "256",
    "-1",
    "9223372036854775807",
    "99999999999999999999",
    "0x7f",
    "nan",
    "inf",
    "1e308",
    "true",
    "false",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "\n",
    "\n",
    "\n",
    "\"",
    "'''",
    "# ",
    "\u{0}",
    "\u{1b}[31m",
    "\u{1f332}",
    "\t",
    "1979-05-27",
    "{ id = \"dp0\" }",
    "{ id = \"dp1\", acs = [\"sv\"] }",
    "{ tap = \"tap0\" }",
    "{ loopback = true, faults = { drop = 2 } }",
    "\"02:00:00:00:00:01\"",
    "\"02:ff:ff:ff:ff:ff\"",
    "\"18446744073709551616GiB\"",
    "\"128MiB\"",
    "\"4294967296G\"",
];

fn survives(text: &str) {
    match Platform::parse("hostile.toml", text) {
        Ok(platform) => {
            assert!(!platform.tree().contains(['\u{1b}', '\u{0}']));
            assert!((1..=256).contains(&platform.root_complex.needs().buses));
            serde_json::to_string(&platform).expect("a platform serialises");
        }
        Err(errors) => {
            let report = errors.to_string();
            assert!(!errors.problems().is_empty() && errors.problems().len() <= 40);
            assert!(report.starts_with("hostile.toml:") && report.len() < 100_000);
            assert!(!report.contains(['\u{1b}', '\u{0}']), "{report}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_words_in_any_order(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        survives(&words.concat());
    }

    #[test]
    fn an_example_with_pieces_replaced(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..24, prop::sample::select(WORDS)), 1..6),
        which in 0_usize..3,
    ) {
        let examples = [
            include_str!("../../../../../examples/two-cards.toml"),
            include_str!("../../../../../examples/multi-function.toml"),
            include_str!("../../../../../examples/nested.toml"),
        ];
        let mut text: Vec<char> = examples[which].chars().collect();
        for (at, length, word) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            text.splice(at..end, word.chars());
        }
        survives(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_text(text in "(?s).{0,200}") {
        survives(&text);
    }
}

#[test]
fn large_and_deep_files_end_in_a_report() {
    let nested =
        |open: &str, close: &str| format!("a = {}{}", open.repeat(100_000), close.repeat(100_000));
    let switches = |count: usize| -> String {
        let switch = |n: usize| {
            format!(
                "[[switch]]\nid = \"s{n}\"\nupstream = \"d{n}\"\ndownstream = [{{ id = \"d{}\" }}]\n",
                n + 1
            )
        };
        std::iter::once("[[root-port]]\nid = \"d0\"\n".to_owned())
            .chain((0..count).map(switch))
            .collect()
    };
    survives(&nested("[", "]"));
    survives(&nested("{ a = ", "}"));
    survives(&format!("{} = 1", "a.".repeat(100_000)));
    survives(&format!("[[nic]]\nid = \"{}\"\n", "x".repeat(1_000_000)));
    survives(&"[[nic]]\n".repeat(100_000));
    survives(&"[[nic]]\nid = \"n\"\nat = \"nowhere\"\n".repeat(20_000));
    survives(&format!("x = 1{}", " ".repeat(1 << 20)));
    survives(&switches(10_000));
    survives(&switches(256));
    survives(&switches(127));
    let port: String = (0..30_000).map(|n| format!("{{ id = \"p{n}\" }},")).collect();
    survives(&format!("[[switch]]\nid = \"s\"\nupstream = \"u\"\ndownstream = [{port}]\n"));
}

#[test]
fn files_that_are_no_text_or_too_large_are_refused() {
    let folder = std::env::temp_dir().join(format!("pando-platform-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let report = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, content).expect("a file");
        let report = Platform::load(&path).expect_err("it is refused").to_string();
        report.replace(&folder.display().to_string(), "")
    };
    assert_eq!(
        report("binary", b"id = \"\xff\""),
        "/binary: byte 6 is not UTF-8 text; save the file as UTF-8"
    );
    assert_eq!(
        report("large", &[b' '; (1 << 20) + 1]),
        "/large: larger than 1 MiB; this is no platform file"
    );
    assert_eq!(
        report("zeros", &[0xff; 1 << 21]),
        "/zeros: larger than 1 MiB; this is no platform file"
    );
    let missing = Platform::load(&folder.join("missing")).expect_err("it is refused").to_string();
    assert!(missing.ends_with("/missing: it cannot be read (No such file or directory (os error 2)); give a platform file, as those in examples/"), "{missing}");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

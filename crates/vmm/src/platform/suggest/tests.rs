//! Typing errors that are recognised, and words that aren't taken for one.

use super::nearest;

#[test]
fn the_meant_word_is_found() {
    let known = ["vfs", "vf-queues", "queues", "queue-budget", "uplink", "mac"];
    for (word, meant) in [
        ("vf_queues", Some("vf-queues")),
        ("VFS", Some("vfs")),
        ("vf", Some("vfs")),
        ("uplnik", Some("uplink")),
        ("queue-buget", Some("queue-budget")),
        ("frobnicate", None),
        ("", None),
    ] {
        assert_eq!(nearest(word, known), meant, "{word}");
    }
    assert_eq!(nearest(&"x".repeat(100_000), known), None);
}

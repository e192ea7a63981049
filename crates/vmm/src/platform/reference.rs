//! The keys of a platform file as Markdown, made from what the reader accepts: the body of `docs/platform-file.md`.

use std::fmt::Write;

use super::keys::{SECTIONS, Section};

/// Every table of a platform file with its keys, in Markdown.
pub fn reference() -> String {
    SECTIONS.map(section).join("\n")
}

fn section(section: &Section) -> String {
    let mut text = format!("## {}\n\n{}\n\n", section.heading(), section.about);
    text.push_str("| key | takes | default | meaning |\n| --- | --- | --- | --- |\n");
    for key in section.keys {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            key.name, key.takes, key.default, key.meaning
        );
    }
    text
}

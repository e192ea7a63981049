//! The text of a platform file, and where in it a byte is: lines and columns count from 1, columns in characters.

use std::ops::Range;

use super::problem::Place;

/// Characters of a source line that are shown, so that a report of a one-line file stays readable.
const SHOWN: usize = 100;

/// A platform file's text under the name that its reports carry.
pub(super) struct Source<'t> {
    pub(super) name: &'t str,
    text: &'t str,
    /// Byte offset at which each line starts.
    lines: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(super) fn new(name: &'t str, text: &'t str) -> Self {
        let starts =
            text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(i, _)| i + 1);
        Self { name, text, lines: std::iter::once(0).chain(starts).collect() }
    }

    /// The line that holds the byte at `offset`, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|&start| start <= offset.min(self.text.len()))
    }

    /// The place of `span`'s beginning, with the part of its line that is shown.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let line = self.line(span.start);
        let start = self.lines.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        let rest = self.text.get(start..).unwrap_or("");
        let text = rest.lines().next().unwrap_or("");
        let characters =
            |bytes: usize| text.char_indices().take_while(|&(at, _)| at < bytes).count();
        let before = characters(span.start.saturating_sub(start));
        let marked = characters(span.end.saturating_sub(start)).saturating_sub(before);
        let skipped = if before < SHOWN { 0 } else { before - SHOWN / 2 };
        let shown: String = text.chars().skip(skipped).take(SHOWN).map(printable).collect();
        let room = shown.chars().count().saturating_sub(before - skipped);
        Place { line, column: before + 1, shown, skipped, marked: marked.min(room).max(1) }
    }
}

/// Keeps a file from steering the terminal that its report is printed on.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        other if other.is_control() => '\u{fffd}',
        other => other,
    }
}

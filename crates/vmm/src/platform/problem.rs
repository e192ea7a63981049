//! What is wrong with a platform file, collected to the end and shown as `FILE:LINE:COLUMN: what is wrong; what would be right`.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::ops::Range;

use super::source::Source;

/// Problems that are reported in full; the rest is counted.
const REPORTED: usize = 40;
/// Problems that are kept while a file is read.
const KEPT: usize = 1000;
/// Characters of a value that a message repeats.
const QUOTED: usize = 48;

/// A place in a platform file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The line's text, or the part of it around the place.
    pub(super) shown: String,
    /// Characters left out before `shown`.
    pub(super) skipped: usize,
    /// Characters that the problem spans.
    pub(super) marked: usize,
}

/// One problem of a platform file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None` when it concerns the file as a whole.
    pub place: Option<Place>,
    /// What is wrong.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

/// Everything that is wrong with a platform file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors {
    file: String,
    problems: Vec<Problem>,
    unshown: usize,
}

impl Errors {
    /// A problem of the file as a whole.
    pub(super) fn of_file(file: &str, wrong: String, right: &str) -> Self {
        let problem = Problem { place: None, wrong, right: right.to_owned() };
        Self { file: file.to_owned(), problems: vec![problem], unshown: 0 }
    }

    /// The problems, first line first.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The report: each problem with its source line and a mark below it; `colour` for a terminal.
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            // Writing to a string cannot fail.
            let _ = problem.write(&mut text, &self.file, colour);
        }
        if self.unshown > 0 {
            let _ =
                writeln!(text, "{}: {} more problems; mend these first", self.file, self.unshown);
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Errors {}

impl Problem {
    fn write(&self, text: &mut String, file: &str, colour: bool) -> fmt::Result {
        let (bold, red, plain) =
            if colour { ("\u{1b}[1m", "\u{1b}[1;31m", "\u{1b}[0m") } else { ("", "", "") };
        let Some(place) = &self.place else {
            return writeln!(text, "{bold}{file}{plain}: {}; {}", self.wrong, self.right);
        };
        let Place { line, column, shown, skipped, marked } = place;
        writeln!(text, "{bold}{file}:{line}:{column}{plain}: {}; {}", self.wrong, self.right)?;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(column - 1 - skipped);
        let mark = "^".repeat(*marked);
        writeln!(text, " {number} | {shown}")?;
        writeln!(text, " {margin} | {indent}{red}{mark}{plain}")
    }
}

/// Where problems gather while a file is read.
pub(super) struct Problems<'s> {
    pub(super) source: &'s Source<'s>,
    found: RefCell<Vec<(Range<usize>, String, String)>>,
}

impl<'s> Problems<'s> {
    pub(super) fn new(source: &'s Source<'s>) -> Self {
        Self { source, found: RefCell::default() }
    }

    /// `wrong` at `span`; `right` tells what to write instead.
    pub(super) fn report(
        &self,
        span: Range<usize>,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) {
        let mut found = self.found.borrow_mut();
        if found.len() < KEPT {
            found.push((span, wrong.into(), right.into()));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// `(line N)` of a span that another problem refers to.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.source.line(span.start)
    }

    /// All of them as one error; `Ok` when there are none.
    pub(super) fn finish(self) -> Result<(), Errors> {
        let mut found = self.found.into_inner();
        if found.is_empty() {
            return Ok(());
        }
        found.sort_by_key(|(span, ..)| span.start);
        found.dedup();
        let unshown = found.len().saturating_sub(REPORTED);
        let problem = |(span, wrong, right): (Range<usize>, String, String)| Problem {
            place: Some(self.source.place(&span)),
            wrong,
            right,
        };
        let problems = found.into_iter().take(REPORTED).map(problem).collect();
        Err(Errors { file: self.source.name.to_owned(), problems, unshown })
    }
}

/// A user's word for a message: escaped, cut, in backticks.
pub(super) fn quote(word: &str) -> String {
    let mut quoted: String = word.chars().take(QUOTED).flat_map(char::escape_debug).collect();
    if word.chars().nth(QUOTED).is_some() {
        quoted.push_str("...");
    }
    format!("`{quoted}`")
}

/// `a`, `b` or `c`.
pub(super) fn one_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.into_iter().map(quote).collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

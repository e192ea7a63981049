//! The lines by which a guest reports to the harness over its serial port.
//!
//! `PANDO:begin:`, `PANDO:check:NAME:ok`, `PANDO:check:NAME:fail:DETAIL`, `PANDO:await:WORD`, `PANDO:note:TEXT`,
//! `PANDO:value:NAME:NUMBER:UNIT`, `PANDO:end:CHECKS:STATUS:WHERE`. The guest writes them as kernel log records, which
//! reach the console whole; a mark may still follow a time stamp or the unfinished line of a program.

/// What a guest reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The guest is up; its script comes next.
    Begin,
    /// A check was made; a detail tells that it failed, and why.
    Check {
        /// Its name, unique in its script.
        name: String,
        /// Why it failed.
        failure: Option<String>,
    },
    /// The script waits for the host side.
    Await(String),
    /// For the reader.
    Note(String),
    /// A measurement.
    Value {
        /// What was measured.
        name: String,
        /// How much it is.
        number: f64,
        /// In which unit.
        unit: String,
    },
    /// The script is at its end.
    End {
        /// How many checks it made, to be compared with how many arrived.
        checks: usize,
        /// Its exit status.
        status: i32,
        /// Where it failed.
        place: String,
    },
}

const MARK: &str = "PANDO:";

/// The event that a console line holds.
#[must_use]
pub fn parse(line: &str) -> Option<Event> {
    let text = &line[line.find(MARK)? + MARK.len()..];
    let (kind, rest) = text.trim_end().split_once(':')?;
    match kind {
        "begin" => Some(Event::Begin),
        "check" => check(rest),
        "await" => Some(Event::Await(rest.to_owned())),
        "note" => Some(Event::Note(rest.to_owned())),
        "value" => value(rest),
        "end" => end(rest),
        _ => None,
    }
}

fn check(rest: &str) -> Option<Event> {
    let (name, verdict) = rest.split_once(':')?;
    let failure = match verdict.split_once(':') {
        None if verdict == "ok" => None,
        Some(("fail", detail)) => Some(detail.to_owned()),
        _ => return None,
    };
    Some(Event::Check { name: name.to_owned(), failure })
}

fn value(rest: &str) -> Option<Event> {
    let mut fields = rest.splitn(3, ':');
    let (name, number, unit) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Event::Value {
        name: name.to_owned(),
        number: number.parse().ok()?,
        unit: unit.to_owned(),
    })
}

fn end(rest: &str) -> Option<Event> {
    let mut fields = rest.splitn(3, ':');
    let (checks, status) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Event::End { checks, status, place: fields.next().unwrap_or_default().to_owned() })
}

#[cfg(test)]
mod tests;

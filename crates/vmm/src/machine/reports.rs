//! What a machine tells of itself while it runs: every part's own report, as one JSON tree.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

/// Makes one part's report.
pub(super) type Source = Box<dyn Fn() -> serde_json::Result<Value> + Send + Sync>;

/// Every part that has something to tell, and where it goes.
#[derive(Default)]
pub struct Reports {
    file: Option<PathBuf>,
    sources: Vec<(Vec<String>, Source)>,
}

impl Reports {
    /// Where reports go: a file, or standard error.
    pub(super) fn go_to(&mut self, file: Option<PathBuf>) {
        self.file = file;
    }

    /// Adds a part at `place`, the names from the top of the tree down.
    pub(super) fn add(
        &mut self,
        place: &[&str],
        source: impl Fn() -> serde_json::Result<Value> + Send + Sync + 'static,
    ) {
        self.sources.push((place.iter().map(ToString::to_string).collect(), Box::new(source)));
    }

    /// The tree as it is now. A part that can't be told is told as the reason.
    pub fn tree(&self) -> Value {
        let mut tree = Value::Object(Map::new());
        for (place, source) in &self.sources {
            let told = source().unwrap_or_else(|error| Value::String(error.to_string()));
            put(&mut tree, place, told);
        }
        tree
    }

    /// Writes the tree where reports go.
    pub(super) fn write(&self) -> Result<()> {
        let text = format!("{:#}\n", self.tree());
        let Some(file) = &self.file else {
            eprint!("{text}");
            return Ok(());
        };
        fs::write(file, text).with_context(|| format!("writing the report to {}", file.display()))
    }

    /// Writes the tree at the end, if a file was asked for.
    pub(super) fn write_last(&self) {
        if self.file.is_some() {
            self.write_or_warn();
        }
    }

    /// Writes the tree; a machine doesn't end because that fails.
    pub(crate) fn write_or_warn(&self) {
        if let Err(error) = self.write() {
            tracing::warn!("{error:#}");
        }
    }
}

fn put(tree: &mut Value, place: &[String], told: Value) {
    let [name, rest @ ..] = place else {
        *tree = told;
        return;
    };
    if let Value::Object(map) = tree {
        put(map.entry(name).or_insert_with(|| Value::Object(Map::new())), rest, told);
    }
}

#[cfg(test)]
mod tests;

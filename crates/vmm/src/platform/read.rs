//! Typed reading of a parsed TOML table that goes on after a mistake, so that one run tells all of them.
//!
//! The toml crate parses, with spans. Its serde side stops at the first mistake, therefore tables are read key by key here.

use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::Section;
use super::problem::{Problems, one_of, quote};
use super::suggest::nearest;
use super::value::ValueError;

/// A table of the file, with the keys that it may have.
pub(super) struct Reader<'a, 't, 's> {
    table: &'a DeTable<'t>,
    /// The table, for what it lacks.
    pub(super) span: Range<usize>,
    section: &'static Section,
    pub(super) problems: &'a Problems<'s>,
}

impl<'a, 't, 's> Reader<'a, 't, 's> {
    /// Opens a table and reports each key that `section` doesn't have.
    pub(super) fn new(
        table: &'a DeTable<'t>,
        span: Range<usize>,
        section: &'static Section,
        problems: &'a Problems<'s>,
    ) -> Self {
        for (key, _) in table {
            if section.key(key.get_ref()).is_none() {
                let wrong = format!("unknown key {} in {}", quote(key.get_ref()), section.name);
                let names = || section.keys.iter().map(|key| key.name);
                let right = match nearest(key.get_ref(), names()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("its keys are {}", one_of(names()).replace(" or ", " and ")),
                };
                problems.report(key.span(), wrong, right);
            }
        }
        Self { table, span, section, problems }
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'t>>> {
        debug_assert!(self.section.key(key).is_some(), "{key} is no key of {}", self.section.name);
        self.table.get(key)
    }

    /// Whether such a table can have `key`.
    pub(super) fn section_has(&self, key: &str) -> bool {
        self.section.key(key).is_some()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The value's span, or the table's.
    pub(super) fn span_of(&self, key: &str) -> Range<usize> {
        self.get(key).map_or_else(|| self.span.clone(), Spanned::span)
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let wrong = format!("`{key}` is {}", kind(value.get_ref()));
        self.problems.report(value.span(), wrong, format!("write {wanted}"));
    }

    /// Reports `key` as missing unless it is there.
    pub(super) fn require(&self, key: &str) {
        if !self.has(key) {
            let takes = self.section.key(key).map_or("a value", |key| key.takes);
            let wrong = format!("{} without `{key}`", self.section.name);
            self.problems.report(self.span.clone(), wrong, format!("add `{key}`: {takes}"));
        }
    }

    /// A string.
    pub(super) fn text(&self, key: &str) -> Option<Spanned<String>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Spanned::new(value.span(), text.to_string())),
            _ => {
                self.wrong_type(key, value, "a string in double quotes");
                None
            }
        }
    }

    /// A string that is a `T`.
    pub(super) fn parsed<T: FromStr<Err = ValueError>>(&self, key: &str) -> Option<Spanned<T>> {
        let text = self.text(key)?;
        match text.get_ref().parse() {
            Ok(value) => Some(Spanned::new(text.span(), value)),
            Err(ValueError { wrong, right }) => {
                self.problems.report(text.span(), wrong, right);
                None
            }
        }
    }

    /// A string that is one of `names`, of which reports tell those that are `told`.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        names: &[(&str, T)],
        told: impl Fn(T) -> bool,
    ) -> Option<Spanned<T>> {
        let text = self.text(key)?;
        if let Some((_, value)) = names.iter().find(|(name, _)| name == text.get_ref()) {
            return Some(Spanned::new(text.span(), *value));
        }
        let wrong = format!("unknown `{key}` {}", quote(text.get_ref()));
        let names = names.iter().filter(|(_, value)| told(*value)).map(|(name, _)| *name);
        self.problems.report(text.span(), wrong, format!("write {}", one_of(names)));
        None
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        if value.get_ref().as_bool().is_none() {
            self.wrong_type(key, value, "`true` or `false`");
        }
        value.get_ref().as_bool()
    }

    /// A whole number in `range`.
    pub(super) fn integer<T>(&self, key: &str, range: RangeInclusive<T>) -> Option<Spanned<T>>
    where
        T: TryFrom<i64> + Into<i64> + Copy,
    {
        let most = *range.end();
        self.integer_telling(key, range, most)
    }

    /// A whole number in `range`, whose reports tell `most` as the end: the caller refuses what is above.
    pub(super) fn integer_telling<T>(
        &self,
        key: &str,
        range: RangeInclusive<T>,
        most: T,
    ) -> Option<Spanned<T>>
    where
        T: TryFrom<i64> + Into<i64> + Copy,
    {
        let value = self.get(key)?;
        let (low, high): (i64, i64) = ((*range.start()).into(), (*range.end()).into());
        let told = format!("{low} to {}", most.into());
        let DeValue::Integer(integer) = value.get_ref() else {
            let wanted = format!("a whole number from {told}, without quotes");
            self.wrong_type(key, value, &wanted);
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fitting = number.filter(|number| (low..=high).contains(number));
        if fitting.is_none() {
            self.out_of_range(key, value, &format!("give {told}"));
        }
        Some(Spanned::new(value.span(), T::try_from(fitting?).ok()?))
    }

    /// A share from 0 to 1, in parts per million.
    pub(super) fn share(&self, key: &str) -> Option<u32> {
        let value = self.get(key)?;
        let number = match value.get_ref() {
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            DeValue::Integer(integer) => integer.as_str().parse::<f64>().ok(),
            _ => {
                self.wrong_type(key, value, "a share from 0.0 to 1.0");
                return None;
            }
        };
        let fitting = number.filter(|share| (0.0..=1.0).contains(share));
        if fitting.is_none() {
            self.out_of_range(key, value, "give a share from 0.0 to 1.0");
        }
        fitting.map(|share| (share * 1e6).round() as u32)
    }

    /// Reports a number, as the file has it.
    fn out_of_range(&self, key: &str, value: &Spanned<DeValue<'_>>, right: &str) {
        let text = match value.get_ref() {
            DeValue::Integer(integer) => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => "out of range",
        };
        let wrong = format!("`{key}` is {}", quote(text).replace('`', ""));
        self.problems.report(value.span(), wrong, right);
    }

    /// A list of strings, or `true` or `false`.
    pub(super) fn switch_or_list(&self, key: &str, wanted: &str) -> Option<SwitchOrList> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(on) => Some(SwitchOrList::Switch(*on)),
            DeValue::Array(array) => {
                let mut words = Vec::new();
                for item in array {
                    match item.get_ref() {
                        DeValue::String(word) => {
                            words.push(Spanned::new(item.span(), word.to_string()));
                        }
                        other => {
                            let wrong = format!("`{key}` lists {}", kind(other));
                            self.problems.report(item.span(), wrong, format!("write {wanted}"));
                        }
                    }
                }
                Some(SwitchOrList::List(words))
            }
            _ => {
                self.wrong_type(key, value, wanted);
                None
            }
        }
    }

    /// A table.
    pub(super) fn table(&self, key: &str, section: &'static Section) -> Option<Reader<'a, 't, 's>> {
        let value = self.get(key)?;
        if value.get_ref().as_table().is_none() {
            self.wrong_type(key, value, &format!("a table with {}", names(section)));
        }
        Some(Reader::new(value.get_ref().as_table()?, value.span(), section, self.problems))
    }

    /// Tables, `most` of them.
    pub(super) fn tables(
        &self,
        key: &str,
        section: &'static Section,
        most: usize,
    ) -> Vec<Reader<'a, 't, 's>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            let wanted = if section.name.starts_with("[[") {
                format!("`{}` with double brackets before each one", section.name)
            } else {
                format!("a list of tables, as `{key} = [{{ id = \"..\" }}]`")
            };
            self.wrong_type(key, value, &wanted);
            return Vec::new();
        };
        if let Some(item) = array.get(most) {
            let wrong = format!("{} times `{key}`", array.len());
            self.problems.report(item.span(), wrong, format!("at most {most} are possible"));
        }
        let open = |item: &'a Spanned<DeValue<'t>>| match item.get_ref().as_table() {
            Some(table) => Some(Reader::new(table, item.span(), section, self.problems)),
            None => {
                let wrong = format!("`{key}` lists {}", kind(item.get_ref()));
                self.problems.report(
                    item.span(),
                    wrong,
                    format!("write a table with {}", names(section)),
                );
                None
            }
        };
        array.iter().take(most).filter_map(open).collect()
    }
}

/// What `acs` can be.
pub(super) enum SwitchOrList {
    Switch(bool),
    List(Vec<Spanned<String>>),
}

fn names(section: &Section) -> String {
    one_of(section.keys.iter().map(|key| key.name))
}

/// What a value is, for people.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

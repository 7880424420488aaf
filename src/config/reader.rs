//! Reads the tables of a TOML document key by key. Whatever is wrong is noted with its place, a
//! default takes its part, and the reading goes on; a key that nobody asked for is unknown.

use super::environment::Environment;
use super::{ConfigError, LateSecret, Problem, Secret};
use crate::http_client::without_userinfo;
use std::cell::RefCell;
use std::collections::BTreeSet;
use toml::{Table, Value};

/// A whole document under its environment, with what was found wrong so far.
pub(super) struct Reader {
    file: Box<str>,
    root: Value,
    environment: Environment,
    problems: RefCell<Vec<Problem>>,
    known: RefCell<BTreeSet<String>>,
}

/// One table, whether or not it stands in the document.
pub(super) struct Section<'r> {
    reader: &'r Reader,
    /// As it is written in messages: `issuers[0]`.
    path: String,
    table: Option<&'r Table>,
    asked: RefCell<BTreeSet<String>>,
}

/// What a text of the environment is to be read as.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Text,
    Number,
    List,
}

impl Reader {
    pub(super) fn new(file: &str, text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let root = text.parse::<Table>().map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
            let message = format!("line {line}: {}, correct the TOML", error.message().replace('\n', ", "));
            ConfigError { problems: vec![Problem { origin: file.into(), path: String::new(), message }] }
        })?;
        Ok(Self::of(file, root, Environment::new(environment)))
    }

    /// Reads a table that was not a file.
    pub(super) fn of(file: &str, root: Table, environment: Environment) -> Self {
        Self { file: file.into(), root: Value::Table(root), environment, problems: RefCell::default(), known: RefCell::default() }
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn root(&self) -> Section<'_> {
        self.table(String::new(), self.root.as_table())
    }

    /// Every key that was asked for so far.
    #[cfg(test)]
    pub(super) fn known(&self) -> std::collections::BTreeSet<String> {
        self.known.borrow().clone()
    }

    /// Ends the reading: with every problem, the unknown variables of the environment among them.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let mut problems = self.problems.into_inner();
        problems.extend(self.environment.unused().map(|name| Problem {
            origin: name.into(),
            path: String::new(),
            message: "names no key of the configuration, unset it or correct its name".into(),
        }));
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    fn table<'r>(&'r self, path: String, table: Option<&'r Table>) -> Section<'r> {
        Section { reader: self, path, table, asked: RefCell::default() }
    }
}

impl<'r> Section<'r> {
    /// The table `key`, if it is there or the environment names a key in it.
    pub(super) fn section(&self, key: &str) -> Option<Section<'r>> {
        let path = self.ask(key);
        let table = match self.table.and_then(|table| table.get(key)) {
            Some(Value::Table(table)) => Some(table),
            Some(_) => {
                self.problem(key, "is not a table, write its keys under a `[…]` header or in `{ … }`");
                return None;
            }
            None => None,
        };
        let is_there = table.is_some() || self.reader.environment.has_below(&path);
        is_there.then(|| self.reader.table(path, table))
    }

    /// The table `key`, empty where it is absent.
    pub(super) fn section_or_empty(&self, key: &str) -> Section<'r> {
        self.section(key).unwrap_or_else(|| self.reader.table(self.path_of(key), None))
    }

    /// The tables of the array `key`.
    pub(super) fn sections(&self, key: &str) -> Vec<Section<'r>> {
        let path = self.ask(key);
        let tables = match self.table.and_then(|table| table.get(key)) {
            Some(Value::Array(tables)) => tables.as_slice(),
            Some(_) => {
                self.problem(key, "is not an array of tables, write `[[…]]` headers");
                &[]
            }
            None => &[],
        };
        let named = |index: &usize| self.reader.environment.has_below(&format!("{path}[{index}]"));
        let count = (tables.len()..).find(|index| !named(index)).unwrap_or(tables.len());
        (0..count)
            .map(|index| {
                let table = tables.get(index).map(|table| table.as_table());
                if table == Some(None) {
                    self.problem(&format!("{key}[{index}]"), "is not a table");
                }
                self.reader.table(format!("{path}[{index}]"), table.flatten())
            })
            .collect()
    }

    /// The value of `key` through `read`, which says what is wrong and what to write instead.
    pub(super) fn read<T>(&self, key: &str, shape: Shape, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        let path = self.ask(key);
        let from_environment = self.reader.environment.take(&path, shape);
        let value = from_environment.as_ref().or_else(|| self.table?.get(key))?;
        match read(value) {
            Ok(read) => Some(read),
            Err(message) => {
                self.problem(key, message);
                None
            }
        }
    }

    /// Whether the table, or the environment, says anything of `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        let path = self.path_of(key);
        self.table.is_some_and(|table| table.contains_key(key)) || self.reader.environment.origin(&path).is_some() || self.reader.environment.has_below(&path)
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.read(key, Shape::Text, text)
    }

    pub(super) fn text_or(&self, key: &str, default: &str) -> String {
        self.text(key).unwrap_or_else(|| default.to_owned())
    }

    /// A text that `parse` understands; `remedy` says what to write instead.
    pub(super) fn parsed<T>(&self, key: &str, remedy: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.read(key, Shape::Text, |value| one(value, remedy, &parse))
    }

    /// A text or an array of texts, each understood by `parse`.
    pub(super) fn list<T>(&self, key: &str, remedy: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        self.read(key, Shape::List, |value| match value {
            Value::Array(values) => {
                let (read, wrong): (Vec<_>, Vec<_>) = values.iter().map(|value| one(value, remedy, &parse)).partition(Result::is_ok);
                let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
                match wrong.as_slice() {
                    [] => Ok(read.into_iter().flatten().collect()),
                    _ => Err(whole_if_cut(values, remedy).unwrap_or_else(|| wrong.join("; "))),
                }
            }
            value => one(value, remedy, &parse).map(|one| vec![one]),
        })
    }

    pub(super) fn boolean_or(&self, key: &str, default: bool) -> bool {
        let read = |value: &Value| match value {
            Value::Boolean(value) => Ok(*value),
            Value::String(text) if text == "true" || text == "false" => Ok(text == "true"),
            value => Err(format!("{} is neither true nor false, write one of them", shown(value))),
        };
        self.read(key, Shape::Text, read).unwrap_or(default)
    }

    /// A whole number from `least` up.
    pub(super) fn number_or(&self, key: &str, least: usize, default: usize) -> usize {
        let read = |value: &Value| {
            let number = value.as_integer().and_then(|number| usize::try_from(number).ok());
            let remedy = || format!("{} is no whole number from {least} up, write one such as {default}", shown(value));
            number.filter(|number| *number >= least).ok_or_else(remedy)
        };
        self.read(key, Shape::Number, read).unwrap_or(default)
    }

    /// A secret, where one is given.
    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        self.secret_by(key, Secret::read, Secret::plain)
    }

    /// A secret that is not always needed, where one is given.
    pub(super) fn late_secret(&self, key: &str) -> Option<LateSecret> {
        self.secret_by(key, LateSecret::read, LateSecret::plain)
    }

    fn secret_by<T>(&self, key: &str, read: fn(&Section<'_>) -> Option<T>, plain: fn(&Value) -> Result<T, String>) -> Option<T> {
        let path = self.path_of(key);
        let is_table = self.table.and_then(|table| table.get(key)).is_some_and(Value::is_table);
        if is_table || self.reader.environment.has_below(&path) {
            let source = self.section(key)?;
            let secret = read(&source);
            source.finish();
            return secret;
        }
        self.read(key, Shape::Text, plain)
    }

    /// An array of secrets, or a single one.
    pub(super) fn secrets(&self, key: &str) -> Vec<Secret> {
        let values = match self.read(key, Shape::List, |value| Ok(value.clone())) {
            Some(Value::Array(values)) => values,
            value => value.into_iter().collect(),
        };
        let read = |(index, value): (usize, &Value)| match value {
            Value::Table(table) => {
                let source = self.reader.table(self.path_of(&format!("{key}[{index}]")), Some(table));
                let secret = Secret::read(&source);
                source.finish();
                secret
            }
            value => Secret::plain(value).map_err(|message| self.problem(&format!("{key}[{index}]"), message)).ok(),
        };
        values.iter().enumerate().filter_map(read).collect()
    }

    /// A variable of the environment that a secret names.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.reader.environment.variable(name)
    }

    /// Notes what is wrong with `key`.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        let problem = self.problem_of(key, message);
        self.reader.problems.borrow_mut().push(problem);
    }

    /// What is wrong with `key`, to be told later if at all.
    pub(super) fn problem_of(&self, key: &str, message: impl Into<String>) -> Problem {
        let path = self.path_of(key);
        let variable = self.reader.environment.origin(&path);
        Problem { origin: variable.unwrap_or(&self.reader.file).into(), path, message: message.into() }
    }

    /// Notes every key of the table that nobody asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        let unknown = self.table.into_iter().flat_map(Table::keys).filter(|key| !asked.contains(*key));
        let known = asked.iter().map(String::as_str).collect::<Vec<_>>().join("`, `");
        for key in unknown {
            self.problem(key, format!("unknown key, remove it or write one of `{known}`"));
        }
    }

    fn ask(&self, key: &str) -> String {
        let path = self.path_of(key);
        self.asked.borrow_mut().insert(key.to_owned());
        self.reader.known.borrow_mut().insert(path.clone());
        path
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{} is no text, put it in quotes", shown(value)))
}

fn one<T>(value: &Value, remedy: &str, parse: &impl Fn(&str) -> Option<T>) -> Result<T, String> {
    value.as_str().and_then(parse).ok_or_else(|| format!("{} is not understood, {remedy}", shown(value)))
}

/// What is said of a list with an `@` in it. The comma between two elements may be one of a password, of
/// which the first element would show a part: so the list is shown as one text.
fn whole_if_cut(values: &[Value], remedy: &str) -> Option<String> {
    let whole = values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
    whole.contains('@').then(|| format!("{} is not understood, {remedy}", shown(&Value::String(whole))))
}

/// A value as it is quoted in a message; what may be the password of a URL is left out.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", without_userinfo(text).escape_debug()),
        Value::Array(_) => "an array".into(),
        Value::Table(_) => "a table".into(),
        value => format!("`{value}`"),
    }
}

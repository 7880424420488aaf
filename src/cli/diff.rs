//! `doorward diff`: which users gain or lose what between two snapshots. What cannot be told exactly is told as what it
//! may be; nothing that changes is told as kept.

mod asked;
mod side;
mod things;

use super::input;
use crate::api_map::ApiMap;
use crate::policy::{Change, OneLine, Policies};
use anyhow::Result;
use asked::Asked;
use jiff::Timestamp;
use side::{Held, Side};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use things::Thing;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The snapshot as it is.
    #[arg(long)]
    from: PathBuf,
    /// The snapshot as it would be.
    #[arg(long)]
    to: PathBuf,
    /// The API map; with it each feature is compared by what is decided, and entities are those of the map.
    #[arg(long)]
    api_map: Option<PathBuf>,
    /// The time of the comparison; the clock's by default.
    #[arg(long, value_parser = input::time)]
    now: Option<Timestamp>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let files = [("--from", Some(&arguments.from)), ("--to", Some(&arguments.to)), ("--api-map", arguments.api_map.as_ref())];
    input::require_one_standard_input(files.into_iter().filter_map(|(name, path)| Some((name, path?.as_path()))))?;
    let from = input::read_snapshot(&arguments.from)?.policies;
    let to = input::read_snapshot(&arguments.to)?.policies;
    let map = arguments.api_map.as_deref().map(input::read_map).transpose()?;
    print(&Comparison::new(&from, &to, map.as_ref(), input::time_or_clock(arguments.now)))?;
    Ok(ExitCode::SUCCESS)
}

/// Two snapshots, and everything that their users are asked about.
struct Comparison<'a> {
    from: &'a Policies,
    to: &'a Policies,
    map: Option<&'a ApiMap>,
    now: Timestamp,
    asked: Asked<'a>,
    things: Vec<Thing<'a>>,
}

/// What becomes of a user, in the order in which it is told.
#[derive(Default)]
struct Lines {
    gains: BTreeSet<String>,
    loses: BTreeSet<String>,
    /// What is no gain or loss for sure.
    changes: BTreeSet<String>,
}

fn print(comparison: &Comparison<'_>) -> std::io::Result<()> {
    let users: BTreeSet<&str> = comparison.from.users().iter().chain(comparison.to.users()).map(|user| user.id.as_ref()).collect();
    let mut out = std::io::stdout().lock();
    let (mut sure, mut others) = (0_u64, 0_u64);
    for id in users {
        let lines = comparison.lines(id);
        let told = lines.gains.iter().map(|right| format!(" gains {right}"));
        let told = told.chain(lines.loses.iter().map(|right| format!(" loses {right}"))).chain(lines.changes.iter().map(|change| format!(": {change}")));
        told.into_iter().try_for_each(|line| writeln!(out, "{}{}", OneLine(id), OneLine(&line)))?;
        match (lines.gains.is_empty() && lines.loses.is_empty(), lines.changes.is_empty()) {
            (false, _) => sure += 1,
            (true, false) => others += 1,
            (true, true) => {}
        }
    }
    let others = if others == 0 { String::new() } else { format!(", {others} others may") };
    writeln!(out, "{sure} users gain or lose something{others}")
}

impl<'a> Comparison<'a> {
    fn new(from: &'a Policies, to: &'a Policies, map: Option<&'a ApiMap>, now: Timestamp) -> Self {
        Self { from, to, map, now, asked: Asked::of([from, to], map), things: things::changed(from, to, map) }
    }

    fn lines(&self, id: &str) -> Lines {
        let [before, after] = [self.from, self.to].map(|policies| Side::new(policies, id, self.now));
        let mut lines = Lines::default();
        lines.of_held(&before.held(self.map), &after.held(self.map));
        let (was, is) = (before.subject(None), after.subject(None));
        for ((application, activity, entity), named) in self.asked.actions() {
            lines.of_change(Change::between(was.as_ref(), is.as_ref(), application, (activity, entity)), named);
        }
        let subjects = (was.as_ref(), is.as_ref());
        for thing in &self.things {
            thing.compare(subjects, &self.asked, self.now, &mut lines);
        }
        lines
    }
}

impl Lines {
    fn of_held(&mut self, before: &Held, after: &Held) {
        self.gains.extend(after.rights.difference(&before.rights).cloned());
        self.loses.extend(before.rights.difference(&after.rights).cloned());
        self.of_policies(&before.policies, &after.policies);
    }

    /// Policies by their names, with their texts.
    fn of_policies(&mut self, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
        let is_deny = |name: &str| name.starts_with(side::DENY);
        for (name, text) in after {
            match before.get(name) {
                None if is_deny(name) => self.changes.insert(format!("{name} is added")),
                None => self.gains.insert(name.clone()),
                Some(old) => old != text && self.changes.insert(format!("{name} changes")),
            };
        }
        for name in before.keys().filter(|name| !after.contains_key(*name)) {
            match is_deny(name) {
                true => self.changes.insert(format!("{name} is taken away")),
                false => self.loses.insert(name.clone()),
            };
        }
    }

    /// What becomes of a right that has this name.
    fn of_change(&mut self, change: Change, named: &str) {
        let may = |what: &str| format!("what policies say of {named} changes ({what})");
        match change {
            Change::None => false,
            Change::Gains => self.gains.insert(named.to_owned()),
            Change::Loses => self.loses.insert(named.to_owned()),
            Change::MayGain => self.changes.insert(may("may gain")),
            Change::MayLose => self.changes.insert(may("may lose")),
            Change::MayGainOrLose => self.changes.insert(may("may gain or lose")),
        };
    }
}

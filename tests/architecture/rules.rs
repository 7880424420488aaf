//! The rules: which room may name which, and who may touch the world outside.

use crate::source::{Reference, Source};

/// A room of `src/` and the rooms that it may name.
pub(crate) struct Room {
    /// Its name, as in `crate::name`.
    pub(crate) name: &'static str,
    /// Whether it is below the edges: no runtime, socket, file, clock or random source.
    pub(crate) is_pure: bool,
    /// The rooms it may name.
    pub(crate) may: &'static [&'static str],
}

const fn pure(name: &'static str, may: &'static [&'static str]) -> Room {
    Room { name, is_pure: true, may }
}

const fn edge(name: &'static str, may: &'static [&'static str]) -> Room {
    Room { name, is_pure: false, may }
}

/// What every door works with.
const OF_A_DOOR: &[&str] = &["door", "authorize", "snapshot", "api_map", "token", "policy", "json_filter", "http_client", "sources", "observe"];

/// Every room there may be, from the ground up. A new room is written in here with its rule.
pub(crate) const ROOMS: &[Room] = &[
    pure("policy", &[]),
    pure("json_filter", &[]),
    pure("api_map", &["policy", "json_filter"]),
    pure("token", &["policy"]),
    pure("snapshot", &["api_map", "token", "policy"]),
    pure("authorize", &["snapshot", "api_map", "token", "policy", "json_filter"]),
    edge("http_client", &[]),
    edge("http_server", &[]),
    edge("sources", &["http_client", "authorize", "snapshot", "token", "policy"]),
    edge("observe", &["sources", "http_client", "authorize"]),
    edge("config", &["sources", "http_client", "snapshot", "token"]),
    edge("cases", &["config", "authorize", "snapshot", "api_map", "token", "policy", "json_filter"]),
    edge("store", &["observe", "policy"]),
    edge("door", &["authorize", "snapshot", "http_client", "sources", "observe"]),
    edge("proxy", OF_A_DOOR),
    edge("pingora", OF_A_DOOR),
    edge("envoy", OF_A_DOOR),
    edge("forward_auth", OF_A_DOOR),
    edge("admin", &["door", "authorize", "snapshot", "api_map", "token", "policy", "json_filter", "http_client", "http_server", "sources", "observe"]),
    edge("control", &["store", "cases", "authorize", "snapshot", "api_map", "token", "policy", "http_client", "http_server", "sources", "observe", "config"]),
    edge(
        "gateway",
        &[
            "door",
            "proxy",
            "pingora",
            "envoy",
            "forward_auth",
            "admin",
            "control",
            "store",
            "cases",
            "config",
            "sources",
            "http_client",
            "observe",
            "authorize",
            "snapshot",
            "api_map",
            "token",
            "policy",
        ],
    ),
    edge("demo", &["gateway", "control", "config", "cases", "http_client", "observe", "authorize", "snapshot", "api_map", "token", "policy"]),
    edge(
        "cli",
        &[
            "demo",
            "gateway",
            "control",
            "cases",
            "config",
            "sources",
            "http_client",
            "observe",
            "authorize",
            "snapshot",
            "api_map",
            "token",
            "policy",
            "json_filter",
        ],
    ),
    edge("main", &["cli"]),
];

/// What may be named in few rooms only: the beginning of the path, and the rooms.
const KEPT: &[(&[&str], &[&str])] = &[
    (&["hyper"], &["proxy", "forward_auth", "http_client", "http_server"]),
    (&["hyper_util"], &["proxy", "forward_auth", "http_client", "http_server"]),
    (&["axum"], &["admin", "control", "forward_auth", "http_server", "demo"]),
    (&["pingora"], &["pingora"]),
    (&["pingora_core"], &["pingora"]),
    (&["pingora_proxy"], &["pingora"]),
    (&["pingora_http"], &["pingora"]),
    (&["tonic"], &["envoy"]),
    (&["envoy_types"], &["envoy"]),
    (&["sqlx"], &["store"]),
    (&["listenfd"], &["config"]),
    (&["rustix"], &["gateway"]),
    (&["utoipa"], &["control"]),
    (&["utoipa_axum"], &["control"]),
    (&["maud"], &["control"]),
    (&["clap"], &["cli", "main"]),
    (&["anyhow"], &["cli", "main"]),
];

/// What reads the environment.
const ENVIRONMENT: &[&str] = &["var", "var_os", "vars", "vars_os", "set_var", "remove_var", "*"];

/// What no room below the edges may name.
const OUTSIDE: &[(&[&str], &str)] = &[
    (&["tokio"], "a runtime"),
    (&["tokio_rustls"], "a runtime"),
    (&["futures"], "a runtime"),
    (&["std", "thread"], "threads"),
    (&["std", "net"], "sockets"),
    (&["socket2"], "sockets"),
    (&["rustls"], "sockets"),
    (&["std", "fs"], "files"),
    (&["std", "process"], "processes"),
    (&["notify"], "files"),
    (&["std", "io", "stdin"], "standard input"),
    (&["std", "io", "stdout"], "standard output"),
    (&["std", "io", "stderr"], "standard error"),
    (&["std", "time", "Instant"], "a clock"),
    (&["std", "time", "SystemTime"], "a clock"),
    (&["rand"], "a random source"),
    (&["getrandom"], "a random source"),
    (&["fastrand"], "a random source"),
    (&["aws_lc_rs", "rand"], "a random source"),
    (&["tracing"], "logging"),
    (&["log"], "logging"),
    (&["prometheus"], "metrics"),
];

/// Calls that read a clock, however they were imported.
const CLOCKS: &[(&str, &str)] = &[("Timestamp", "now"), ("Zoned", "now"), ("SystemTime", "now")];

/// Words that say nothing; no file, folder or module is called by them.
const EMPTY_WORDS: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "type", "types", "manager", "managers"];

/// Files that may be longer than the limit, by their path below `src/`, each with its reason. None is today.
const LONG_FILES: &[(&str, &str)] = &[];

/// Lines without tests past which a file is split.
pub(crate) const LONGEST_FILE: usize = 450;

/// A file of `src/`.
pub(crate) struct File<'a> {
    /// Its path below `src/`, with `/`.
    pub(crate) path: &'a str,
    /// Its content.
    pub(crate) source: &'a Source,
}

impl File<'_> {
    /// The room that the file belongs to.
    pub(crate) fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many times `super` leads to the crate's root.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    /// Every rule that the file breaks, one sentence each.
    pub(crate) fn offences(&self) -> Vec<String> {
        let mut found = self.offences_of_name();
        let Some(room) = ROOMS.iter().find(|room| room.name == self.room()) else {
            // `lib.rs` is the map of the rooms and belongs to none.
            if self.path != "lib.rs" {
                found.push(format!("{}: `{}` is no known room; write it with its rule into tests/architecture/rules.rs", self.path, self.room()));
            }
            return found;
        };
        found.extend(self.source.references().iter().flat_map(|reference| self.offences_of_reference(room, reference)));
        found.extend(self.offence_of_length());
        found
    }

    fn offences_of_name(&self) -> Vec<String> {
        let modules = self.source.modules();
        let names = self.path.split('/').map(|part| part.trim_end_matches(".rs")).chain(modules.iter().map(String::as_str));
        let is_empty = |name: &&str| name.split('_').any(|word| EMPTY_WORDS.contains(&word));
        names.filter(is_empty).map(|name| format!("{}: `{name}` names nothing of the domain", self.path)).collect()
    }

    fn offences_of_reference(&self, room: &Room, reference: &Reference) -> Vec<String> {
        let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
        let place = format!("{}:{}: `{}`", self.path, reference.line, path.join("::"));
        let mut found = Vec::new();
        if let Some(other) = self.room_of(&path).filter(|other| *other != room.name && !room.may.contains(other)) {
            found.push(format!("{place}: `{}` may not name `{other}`", room.name));
        }
        if let Some((_, rooms)) = KEPT.iter().find(|(start, rooms)| path.starts_with(start) && !rooms.contains(&room.name)) {
            found.push(format!("{place}: only {} may name it", rooms.join(", ")));
        }
        let is_environment = matches!(path.as_slice(), ["std", "env", what] | ["env", what] if ENVIRONMENT.contains(what));
        if is_environment && room.name != "config" {
            found.push(format!("{place}: only config reads the environment"));
        }
        if room.is_pure {
            found.extend(outside(&path).map(|what| format!("{place}: no {what} below the edges")));
        }
        found
    }

    /// The room that a path leads to, if it leads to one of ours.
    fn room_of<'p>(&self, path: &[&'p str]) -> Option<&'p str> {
        let supers = path.iter().take_while(|segment| **segment == "super" || **segment == "self").filter(|segment| **segment == "super").count();
        let start = path.iter().take_while(|segment| **segment == "super" || **segment == "self").count();
        match path {
            ["crate" | "doorward", room, ..] => Some(*room),
            _ if supers > 0 && supers >= self.depth() => path.get(start).copied(),
            _ => None,
        }
    }

    fn offence_of_length(&self) -> Option<String> {
        let lines = self.source.lines();
        let is_listed = LONG_FILES.iter().any(|(path, _)| *path == self.path);
        match (lines > LONGEST_FILE, is_listed) {
            (true, false) => Some(format!("{}: {lines} lines without tests, split it past {LONGEST_FILE}", self.path)),
            (false, true) => Some(format!("{}: is short enough now, take it off the list of long files", self.path)),
            _ => None,
        }
    }
}

fn outside(path: &[&str]) -> Option<&'static str> {
    let is_clock = path.windows(2).any(|pair| CLOCKS.iter().any(|(kind, call)| pair == [*kind, *call]));
    if is_clock {
        return Some("a clock");
    }
    OUTSIDE.iter().find(|(start, _)| path.starts_with(start)).map(|(_, what)| *what)
}

/// Rooms that stand on themselves by way of others.
pub(crate) fn cycles() -> Vec<String> {
    let reaches = |from: &str, to: &str| {
        let mut open = vec![from];
        let mut seen: Vec<&str> = Vec::new();
        while let Some(name) = open.pop() {
            let next = ROOMS.iter().find(|room| room.name == name).map_or(&[][..], |room| room.may);
            if next.contains(&to) {
                return true;
            }
            open.extend(next.iter().filter(|name| !seen.contains(*name)));
            seen.extend(next);
        }
        false
    };
    ROOMS.iter().filter(|room| reaches(room.name, room.name)).map(|room| room.name.to_owned()).collect()
}

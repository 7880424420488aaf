//! Request bodies of which the caller decides what they are full of: what they take in memory, and that the
//! verdict is what a literal reading of the specification says (semantics §9, interfaces §3).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use doorward::cases::{Case, CaseFile, run_case};
use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::path::Path;
use std::sync::{PoisonError, RwLock};

/// Held by who measures what the whole process takes, against all others.
static MEASURED: RwLock<()> = RwLock::new(());

const WORLD: &str = r#"
name: bodies
now: 2026-11-21T12:00:00Z
snapshot:
  schema: doorward.snapshot/1
  revision: 1
  issuedAt: 2020-01-01T00:00:00Z
  users: [{ id: us, login: us@x, type: Service, status: ACTIVE, roles: [{ scope: default, code: us }] }]
  roles: [{ id: { scope: default, code: us }, roleHierarchyIndex: 1, resource: { policyIdRoleResource: { policies: [
    { scope: default, code: features }, { scope: default, code: items }, { scope: default, code: properties }, { scope: default, code: marked }] } } }]
  policies:
    - { id: { scope: default, code: features }, grant: Allow, selectors: [{ idSelectorDefinition: { identifier: { scope: LUSID, code: "*" }, actions: [{ scope: default, activity: Execute, entity: Feature }] } }] }
    - { id: { scope: default, code: items }, grant: Allow, selectors: [{ idSelectorDefinition: { identifier: { scope: US }, actions: [{ scope: default, activity: Any, entity: Item }] } }] }
    - { id: { scope: default, code: properties }, grant: Allow, selectors: [{ idSelectorDefinition: { identifier: { domain: P, scope: a }, actions: [{ scope: default, activity: Any, entity: PropertyValue }] } }] }
    - { id: { scope: default, code: marked }, grant: Allow, selectors: [{ metadataSelectorDefinition: { expressions: [{ metadataKey: Desk, operator: Equals, textValue: EQ }], actions: [{ scope: default, activity: Any, entity: Marked }, { scope: default, activity: Any, entity: Asked }] } }] }
apiMap:
  application: LUSID
  entities:
    Item: { id: { scope: /scope }, metadata: none, properties: [/properties] }
    Marked: { id: { code: /code }, metadata: "body:/marks" }
    Asked: { id: { code: /code }, metadata: "upstream:/marks/{code}" }
  operations:
    - { feature: items, match: "POST /items", unfiltered: true, body: [{ items: "/items/*", entity: Item, id: { scope: "/scope | query.scope" } }, { properties: /props, of: Item }] }
    - { feature: list, match: "POST /list", unfiltered: true, body: [{ items: "/*", entity: Item, id: { scope: "/scope | query.scope" } }] }
    - { feature: marked, match: "POST /marked", unfiltered: true, body: [{ items: "/*", entity: Marked }] }
    - { feature: asked, match: "POST /asked", unfiltered: true, body: [{ items: "/*", entity: Asked }] }
cases:
  - { name: one, user: us, request: { method: POST, target: "/items?scope=US" }, upstream: { status: 200, body: {} }, expect: { status: 200 } }
"#;

fn call(case: &mut Case, target: &str, body: Vec<u8>) -> u16 {
    target.clone_into(&mut case.request.target);
    case.request.body = body;
    run_case(case, usize::MAX).status
}

fn case() -> Case {
    CaseFile::parse(WORLD, Path::new(".")).unwrap().cases.remove(0)
}

/// A list of so many bytes that holds nothing but this.
fn list_of(element: &str, bytes: usize) -> Vec<u8> {
    format!("[{}]", vec![element; bytes / (element.len() + 1)].join(",")).into_bytes()
}

/// The same of members, by their numbers.
fn members(member: &str, bytes: usize) -> String {
    let mut text = String::new();
    for number in 0.. {
        let next = member.replace('#', &format!("{number:x}"));
        if text.len() + next.len() + 1 > bytes {
            break;
        }
        text.push_str(if text.is_empty() { "" } else { "," });
        text.push_str(&next);
    }
    text
}

/// A line of this process's status, in bytes.
fn status(name: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

const BODY: usize = 2 << 20;

#[test]
fn a_body_takes_its_own_size_in_memory_whatever_it_is_full_of() {
    let _alone = MEASURED.write().unwrap_or_else(PoisonError::into_inner);
    let mut case = case();
    let properties = |inside: String| format!("[{{\"scope\":\"US\",\"properties\":{inside}}}]").into_bytes();
    let shapes = [
        ("objects", "/list?scope=US", list_of("{}", BODY), 200),
        ("numbers", "/list?scope=US", list_of("0", BODY), 200),
        ("lists", "/list?scope=US", list_of("[]", BODY), 200),
        ("lists in lists", "/list?scope=US", list_of(&format!("{}{}", "[".repeat(120), "]".repeat(120)), BODY), 403),
        ("items of their own", "/list", format!("[{}]", members("{\"scope\":\"#\"}", BODY)).into_bytes(), 403),
        ("members", "/list?scope=US", format!("[{{{}}}]", members("\"#\":0", BODY)).into_bytes(), 200),
        ("properties", "/list?scope=US", properties(format!("{{{}}}", members("\"P/a/#\":0", BODY))), 200),
        ("properties without a name", "/list?scope=US", properties(String::from_utf8(list_of("{}", BODY)).unwrap()), 403),
        ("a name", "/list?scope=US", format!("[{{\"{}\":1}}]", "\\u0061".repeat(BODY / 6)).into_bytes(), 200),
        ("metadata without a text", "/marked", format!("[{{\"marks\":{{\"Desk\":{}}}}}]", String::from_utf8(list_of("{}", BODY)).unwrap()).into_bytes(), 403),
        (
            "metadata spelt otherwise",
            "/marked",
            format!("[{{\"marks\":{{\"Desk\":[{{\"Value\":\"EQ\"}},{}]}}}}]", members("{\"Value\":\"#\"}", BODY)).into_bytes(),
            200,
        ),
    ];
    for (name, target, body, expected) in shapes {
        let size = body.len();
        let before = status("VmRSS:");
        // Where this is not allowed, the highest mark is that of all shapes before.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        assert_eq!(call(&mut case, target, body), expected, "{name}");
        let grown = status("VmHWM:").saturating_sub(before);
        assert!(grown < 4 * size, "{name}: {grown} bytes for a body of {size}");
    }
}

#[test]
fn a_body_that_names_more_than_is_looked_up_is_refused() {
    let _others = MEASURED.read().unwrap_or_else(PoisonError::into_inner);
    let mut case = case();
    let items = |count: usize| format!("[{}]", (0..count).map(|code| format!("{{\"code\":\"{code}\"}}")).collect::<Vec<_>>().join(",")).into_bytes();
    // Nothing is known of them, so they are denied once they were asked for.
    assert_eq!(call(&mut case, "/asked", items(10_000)), 403);
    assert_eq!(call(&mut case, "/asked", items(10_001)), 413);
    let twice = [items(10_000).strip_suffix(b"]").unwrap(), b",{\"code\":\"7\"}]"].concat();
    assert_eq!(call(&mut case, "/asked", twice), 403);
    let mut wrong = items(10_001);
    wrong.truncate(wrong.len() - 1);
    wrong.extend_from_slice(b",{\"code\":1,\"Code\":2}]");
    assert_eq!(call(&mut case, "/asked", wrong), 400);
}

#[test]
fn a_shape_that_is_wrong_at_the_end_goes_before_a_denial_at_the_beginning() {
    let _others = MEASURED.read().unwrap_or_else(PoisonError::into_inner);
    let mut case = case();
    let mut of = |items: &str| call(&mut case, "/items?scope=US", format!("{{\"items\":[{items}]}}").into_bytes());
    assert_eq!(of("{\"scope\":\"UK\"},{}"), 403);
    assert_eq!(of("{\"scope\":\"UK\"},{\"scope\":\"US\",\"Scope\":\"US\"}"), 400);
    assert_eq!(of("{\"scope\":\"UK\",\"properties\":{\"P/a/b\":{\"key\":1,\"KEY\":2}}}"), 400);
    assert_eq!(of("{},{\"scope\":\"US\"},{},{\"scope\":\"UK\"},{}"), 403);
    assert_eq!(of("{},{\"scope\":\"US\"},{}"), 200);
}

/// A JSON text as a tree that keeps every member.
#[derive(Debug)]
enum Tree {
    Null,
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_string()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = access.next_element()? {
                    list.push(element);
                }
                Ok(Tree::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(Tree::Object(members))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// The body is not what the operation takes.
struct Malformed;

impl Tree {
    fn member(&self, name: &str) -> Result<Option<&Self>, Malformed> {
        let Self::Object(members) = self else { return Ok(None) };
        let fitting: Vec<_> = members.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).collect();
        match fitting.as_slice() {
            [] => Ok(None),
            [(_, only)] => Ok(Some(only)),
            _ => Err(Malformed),
        }
    }

    fn children(&self) -> Vec<(Option<&str>, &Self)> {
        match self {
            Self::List(list) => list.iter().map(|element| (None, element)).collect(),
            Self::Object(members) => members.iter().map(|(name, value)| (Some(name.as_str()), value)).collect(),
            Self::Null | Self::Text(_) => Vec::new(),
        }
    }

    /// What stands in a member of this, or of what is in it where it is a list.
    fn behind_lists(&self, name: &str) -> Result<Vec<&Self>, Malformed> {
        match self {
            Self::List(list) => Ok(list.iter().map(|element| element.behind_lists(name)).collect::<Result<Vec<_>, _>>()?.concat()),
            other => Ok(other.member(name)?.into_iter().collect()),
        }
    }

    /// Whether every property in this is granted.
    fn has_granted_properties(&self) -> Result<bool, Malformed> {
        let mut granted = true;
        for (name, value) in self.children() {
            value.member("effectiveFrom")?;
            let key = value.member("key")?;
            let key = match key {
                None | Some(Self::Null) => None,
                Some(Self::Text(text)) => Some(text.as_str()),
                // What is no text is no property that anybody was granted.
                Some(Self::List(_) | Self::Object(_)) => Some(""),
            };
            let asked: Vec<&str> = name.into_iter().chain(key).collect();
            granted &= !asked.is_empty() && asked.iter().all(|key| key.starts_with("P/a/"));
        }
        Ok(granted)
    }
}

/// The status that `POST /items?scope=US` is answered with, read off the specification.
fn literally(body: &Tree) -> Result<u16, Malformed> {
    let mut granted = true;
    let items = match (body, body.member("items")?) {
        (Tree::Object(_), Some(Tree::Text(_)) | None) | (Tree::Null | Tree::Text(_) | Tree::List(_), _) => return Err(Malformed),
        (Tree::Object(_), Some(items)) => items.children(),
    };
    for (_, item) in items {
        granted &= match item.member("scope")? {
            // Nobody knows what an upstream makes of brackets where it expects an object.
            None if matches!(item, Tree::List(list) if !list.is_empty()) => false,
            None | Some(Tree::Null) => true,
            Some(Tree::Text(scope)) => scope == "US",
            Some(_) => false,
        };
        for properties in item.behind_lists("properties")? {
            granted &= properties.has_granted_properties()?;
        }
    }
    for properties in body.behind_lists("props")? {
        granted &= properties.has_granted_properties()?;
    }
    Ok(if granted { 200 } else { 403 })
}

/// A JSON text whose names and texts are those that the rules follow, for the most part.
fn value(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    let blank = || prop::sample::select(vec!["", "", "", " ", "\n\t"]);
    let scalar =
        prop::sample::select(vec!["null", "1", "true", "\"US\"", "\"US\"", "\"U\\u0053\"", "\"UK\"", "\"P/a/b\"", "\"P/z/b\"", "\"}],\\\"\"", "{}", "[]"]);
    scalar.prop_map(str::to_owned).prop_recursive(4, 40, 5, move |inner| {
        let list = prop::collection::vec((blank(), inner.clone(), blank()), 0..4)
            .prop_map(|parts| format!("[{}]", parts.iter().map(|(before, inner, after)| format!("{before}{inner}{after}")).collect::<Vec<_>>().join(",")));
        let object = prop::collection::vec((blank(), prop::sample::select(words), blank(), inner), 0..4).prop_map(|parts| {
            format!(
                "{{{}}}",
                parts.iter().map(|(before, name, after, inner)| format!("{before}\"{name}\"{after}:{before}{inner}{after}")).collect::<Vec<_>>().join(",")
            )
        });
        prop_oneof![list, object]
    })
}

const INSIDE: &[&str] =
    &["scope", "scope", "Scope", "s\\u0063ope", "properties", "properties", "P/a/b", "P/a/c", "P/z/b", "key", "KEY", "effectiveFrom", "x", "y", "z"];

fn body() -> impl Strategy<Value = String> {
    let items = (
        prop::collection::vec(value(INSIDE), 0..5),
        prop::sample::select(vec!["items", "items", "items", "ITEMS", "others"]),
        any::<bool>(),
        value(INSIDE),
        0..4,
    )
        .prop_map(|(items, name, first, props, more)| {
            let items = format!("\"{name}\":[{}]", items.join(","));
            let props = format!("\"props\":{props}");
            match (more, first) {
                (0, true) => format!("{{{props},{items}}}"),
                (0, false) => format!("{{{items},{props}}}"),
                (1, _) => format!("{{\"x\":{{\"items\":1}},{items}}} "),
                _ => format!("{{{items}}}"),
            }
        });
    prop_oneof![9 => items, 1 => value(&["items", "props", "scope", "properties"])]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_body_is_answered_as_the_literal_reading_says(bodies in prop::collection::vec(body(), 4)) {
        let _others = MEASURED.read().unwrap_or_else(PoisonError::into_inner);
        let mut case = case();
        for body in bodies {
            let tree: Tree = serde_json::from_str(&body).unwrap();
            let expected = literally(&tree).unwrap_or(400);
            prop_assert_eq!(call(&mut case, "/items?scope=US", body.clone().into_bytes()), expected, "{}", body);
        }
    }
}

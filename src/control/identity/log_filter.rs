//! What of the identity log is asked for: the filter expressions of the Okta API that clients know
//! (`eventType eq "user.session.start" and actor.id eq "00u1"`), and words.

use crate::control::problem::Problem;
use serde_json::Value;

/// No expression has more comparisons.
const MOST: usize = 50;

/// A filter and words; everything must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// One of these, of which all must hold; empty = everything.
    alternatives: Vec<Vec<Comparison>>,
    /// In lower case.
    words: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Comparison {
    /// Names of members, from the outside.
    path: Vec<String>,
    operator: Operator,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Present,
}

impl Filter {
    /// # Errors
    /// 400 for an expression that is not understood.
    pub(super) fn read(expression: Option<&str>, words: Option<&str>) -> Result<Self, Problem> {
        let words = words.unwrap_or_default().split_whitespace().map(str::to_lowercase).collect();
        let Some(expression) = expression else { return Ok(Self { alternatives: Vec::new(), words }) };
        let message = "The filter is not understood; write it like: eventType eq \"user.session.start\" and outcome.result eq \"SUCCESS\".";
        let alternatives = tokens(expression).and_then(|tokens| alternatives(&tokens)).ok_or_else(|| Problem::invalid().field("oktaFilter", message))?;
        Ok(Self { alternatives, words })
    }

    /// Whether it lets everything pass.
    pub(super) fn is_none(&self) -> bool {
        self.alternatives.is_empty() && self.words.is_empty()
    }

    /// Whether it lets this event pass.
    pub(super) fn admits(&self, event: &Value) -> bool {
        let holds = |all: &Vec<Comparison>| all.iter().all(|comparison| comparison.holds(event));
        let text = if self.words.is_empty() { String::new() } else { event.to_string().to_lowercase() };
        (self.alternatives.is_empty() || self.alternatives.iter().any(holds)) && self.words.iter().all(|word| text.contains(word))
    }
}

impl Comparison {
    /// Of a list any element will do; not being equal is said of all of them.
    fn holds(&self, event: &Value) -> bool {
        let mut found = Vec::new();
        collect(event, &self.path, &mut found);
        match self.operator {
            Operator::NotEqual => found.iter().all(|text| *text != self.value),
            _ => found.iter().any(|text| self.fits(text)),
        }
    }

    fn fits(&self, text: &str) -> bool {
        let value = self.value.as_str();
        match self.operator {
            Operator::Equal => text == value,
            Operator::NotEqual => text != value,
            Operator::Contains => text.contains(value),
            Operator::StartsWith => text.starts_with(value),
            Operator::EndsWith => text.ends_with(value),
            Operator::Greater => text > value,
            Operator::GreaterOrEqual => text >= value,
            Operator::Less => text < value,
            Operator::LessOrEqual => text <= value,
            Operator::Present => true,
        }
    }
}

/// The texts at a path.
fn collect<'a>(value: &'a Value, path: &[String], found: &mut Vec<&'a str>) {
    match (value, path.split_first()) {
        (Value::Array(items), _) => items.iter().for_each(|item| collect(item, path, found)),
        (Value::Object(members), Some((name, rest))) => members.get(name).into_iter().for_each(|member| collect(member, rest, found)),
        (Value::String(text), None) => found.push(text),
        _ => {}
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
}

/// Words, and texts in double quotes with `\"` and `\\` in them.
fn tokens(expression: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = expression.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            blank if blank.is_whitespace() => {}
            '"' => {
                let mut text = String::new();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => text.push(letters.next()?),
                        other => text.push(other),
                    }
                }
                tokens.push(Token::Text(text));
            }
            other => {
                let mut word = String::from(other);
                while let Some(letter) = letters.next_if(|letter| !letter.is_whitespace() && *letter != '"') {
                    word.push(letter);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

/// `and` binds closer than `or`.
fn alternatives(tokens: &[Token]) -> Option<Vec<Vec<Comparison>>> {
    let is = |token: &Token, name: &str| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(name));
    let (mut found, mut rest) = (vec![Vec::new()], tokens);
    for _ in 0..MOST {
        let (comparison, behind) = comparison(rest)?;
        found.last_mut()?.push(comparison);
        match behind.split_first() {
            None => return Some(found),
            Some((token, behind)) if is(token, "and") => rest = behind,
            Some((token, behind)) if is(token, "or") => {
                found.push(Vec::new());
                rest = behind;
            }
            Some(_) => return None,
        }
    }
    None
}

fn comparison(tokens: &[Token]) -> Option<(Comparison, &[Token])> {
    let [Token::Word(path), Token::Word(name), rest @ ..] = tokens else { return None };
    let operator = match name.to_ascii_lowercase().as_str() {
        "eq" => Operator::Equal,
        "ne" => Operator::NotEqual,
        "co" => Operator::Contains,
        "sw" => Operator::StartsWith,
        "ew" => Operator::EndsWith,
        "gt" => Operator::Greater,
        "ge" => Operator::GreaterOrEqual,
        "lt" => Operator::Less,
        "le" => Operator::LessOrEqual,
        "pr" => Operator::Present,
        _ => return None,
    };
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    if !path.iter().all(|name| is_name(name)) {
        return None;
    }
    if operator == Operator::Present {
        return Some((Comparison { path, operator, value: String::new() }, rest));
    }
    let [Token::Text(value), rest @ ..] = rest else { return None };
    Some((Comparison { path, operator, value: value.clone() }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn admits(expression: &str) -> bool {
        let event = json!({
            "eventType": "user.session.start", "published": "2026-11-21T12:00:00.0000000+00:00",
            "actor": {"id": "00u1", "displayName": "Ada \"A\" L"}, "target": [{"id": "00u2"}, {"id": "00g1"}]
        });
        Filter::read(Some(expression), None).unwrap().admits(&event)
    }

    #[test]
    fn comparisons_read_as_they_sound() {
        for expression in [
            "eventType eq \"user.session.start\"",
            "eventType sw \"user.\" and eventType ew \"start\"",
            "actor.displayName co \"\\\"A\\\"\"",
            "target.id eq \"00g1\"",
            "target.id ne \"00g9\"",
            "published ge \"2026-11-21\" and published lt \"2026-11-22\"",
            "actor.id pr",
            "eventType eq \"x\" or actor.id eq \"00u1\"",
            "eventType eq \"x\" and actor.id eq \"x\" OR actor.id eq \"00u1\"",
        ] {
            assert!(admits(expression), "{expression}");
        }
        for expression in [
            "eventType eq \"user.session.end\"",
            "target.id ne \"00g1\"",
            "outcome.result pr",
            "eventType eq \"x\" or actor.id eq \"00u1\" and actor.id eq \"x\"",
            "published gt \"2026-11-22\"",
        ] {
            assert!(!admits(expression), "{expression}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let long = ["actor.id pr"; 51].join(" and ");
        for expression in [
            "",
            "eventType",
            "eventType eq",
            "eventType eq x",
            "eventType is \"x\"",
            "(eventType eq \"x\")",
            "eventType eq \"x",
            "a eq \"x\" b",
            "a..b pr",
            &long,
        ] {
            assert!(Filter::read(Some(expression), None).is_err(), "{expression:?}");
        }
    }

    #[test]
    fn every_word_occurs_in_any_case() {
        let event = json!({"displayMessage": "Create user", "actor": {"displayName": "Ada Lovelace"}});
        let by = |words: &str| Filter::read(None, Some(words)).unwrap().admits(&event);
        assert!(by("LOVELACE create") && by(" ") && !by("lovelace delete"));
    }
}

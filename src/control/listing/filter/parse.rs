//! Expressions → steps. `and` binds tighter than `or`.
//!
//! The open groups are kept on a list, not on the call stack: the length of the text is the only limit of its nesting.

use std::mem;

use super::super::path::Path;
use super::literal::{Literal, Relation};
use super::scan::{Scanner, Token};
use super::{Comparison, FilterError, Step, Test};

/// Words that are no field where a field may be left out.
const RESERVED: [&str; 12] = ["eq", "neq", "gt", "gte", "lt", "lte", "startswith", "in", "not", "exists", "and", "or"];

const CLOSING_QUOTE: &str = "a closing quote for the text";

/// Reads a whole expression.
pub(super) fn steps(text: &str) -> Result<Vec<Step>, FilterError> {
    let mut scanner = Scanner::new(text);
    let (at, token) = scanner.take();
    Parser { scanner, at, token, steps: Vec::new() }.expression()
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    /// The part that is looked at, and the byte where it begins.
    at: usize,
    token: Token<'a>,
    steps: Vec<Step>,
}

/// Skips of an open group whose end is not yet known, by their index among the steps.
#[derive(Default)]
struct Group {
    ands: Vec<usize>,
    ors: Vec<usize>,
}

impl<'a> Parser<'a> {
    fn expression(mut self) -> Result<Vec<Step>, FilterError> {
        let mut outer = Vec::new();
        let mut group = Group::default();
        loop {
            while self.token == Token::Open {
                self.advance();
                outer.push(mem::take(&mut group));
            }
            let comparison = self.comparison()?;
            self.steps.push(Step::Ask(comparison));
            while self.token == Token::Close {
                let Some(around) = outer.pop() else { return Err(self.expected("`and`, `or` or the end")) };
                self.advance();
                self.close(mem::replace(&mut group, around));
            }
            if self.token == Token::End && outer.is_empty() {
                self.close(group);
                return Ok(self.steps);
            }
            self.connective(&mut group, outer.is_empty())?;
        }
    }

    fn connective(&mut self, group: &mut Group, is_outermost: bool) -> Result<(), FilterError> {
        if self.takes("and") {
            group.ands.push(self.skip_if(false));
        } else if self.takes("or") {
            self.land(mem::take(&mut group.ands));
            group.ors.push(self.skip_if(true));
        } else {
            return Err(self.expected(if is_outermost { "`and`, `or` or the end" } else { "`and`, `or` or `)`" }));
        }
        Ok(())
    }

    fn comparison(&mut self) -> Result<Comparison, FilterError> {
        let at = self.at;
        let Token::Word(first) = self.token else { return Err(self.expected("a field")) };
        self.advance();
        if first.eq_ignore_ascii_case("exists") && self.is_at_field() {
            return self.prefixed(Test::Exists);
        }
        let path = Path::parse(first).ok_or_else(|| self.expected_at(at, "a field"))?;
        if first.eq_ignore_ascii_case("not") && self.takes("exists") {
            return if self.is_at_field() { self.prefixed(Test::NotExists) } else { Ok(Comparison { path, test: Test::Exists }) };
        }
        Ok(Comparison { path, test: self.test()? })
    }

    /// The field of a test that stands before it.
    fn prefixed(&mut self, test: Test) -> Result<Comparison, FilterError> {
        let Token::Word(word) = self.token else { return Err(self.expected("a field")) };
        let path = Path::parse(word).ok_or_else(|| self.expected("a field"))?;
        self.advance();
        Ok(Comparison { path, test })
    }

    /// What follows a field.
    fn test(&mut self) -> Result<Test, FilterError> {
        if let Token::Word(word) = self.token
            && let Some(relation) = Relation::named(word)
        {
            self.advance();
            return Ok(Test::Is(relation, self.value()?));
        }
        if self.takes("startswith") {
            self.start()
        } else if self.takes("in") {
            Ok(Test::In(self.list()?))
        } else if self.takes("exists") {
            Ok(Test::Exists)
        } else if self.takes("not") {
            self.negated()
        } else {
            Err(self.expected("an operator"))
        }
    }

    fn negated(&mut self) -> Result<Test, FilterError> {
        if self.takes("in") {
            Ok(Test::NotIn(self.list()?))
        } else if self.takes("exists") {
            Ok(Test::NotExists)
        } else {
            Err(self.expected("`in` or `exists`"))
        }
    }

    fn start(&mut self) -> Result<Test, FilterError> {
        let at = self.at;
        match self.advance() {
            Token::Text(text) => Ok(Test::StartsWith(text)),
            Token::Unclosed => Err(self.expected_at(at, CLOSING_QUOTE)),
            _ => Err(self.expected_at(at, "text in single quotes")),
        }
    }

    /// One value or more, with commas between them, in parentheses or not.
    fn list(&mut self) -> Result<Vec<Literal>, FilterError> {
        let is_closed = self.token == Token::Open;
        if is_closed {
            self.advance();
        }
        let mut values = vec![self.value()?];
        while self.token == Token::Comma {
            self.advance();
            values.push(self.value()?);
        }
        if is_closed && self.token != Token::Close {
            return Err(self.expected("`,` or `)`"));
        }
        if is_closed {
            self.advance();
        }
        Ok(values)
    }

    fn value(&mut self) -> Result<Literal, FilterError> {
        let at = self.at;
        let value = match self.advance() {
            Token::Text(text) => Some(Literal::text(text)),
            Token::Word(word) => Literal::bare(word),
            Token::Unclosed => return Err(self.expected_at(at, CLOSING_QUOTE)),
            _ => None,
        };
        value.ok_or_else(|| self.expected_at(at, "text in single quotes, a number, a date, `true` or `false`"))
    }

    /// Whether a word follows that can only be a field.
    fn is_at_field(&self) -> bool {
        matches!(self.token, Token::Word(word) if !RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word)))
    }

    /// Goes past the word if it is this one.
    fn takes(&mut self, word: &str) -> bool {
        let is_it = matches!(self.token, Token::Word(found) if found.eq_ignore_ascii_case(word));
        if is_it {
            self.advance();
        }
        is_it
    }

    /// Goes past the part that is looked at, and gives it.
    fn advance(&mut self) -> Token<'a> {
        let (at, token) = self.scanner.take();
        self.at = at;
        mem::replace(&mut self.token, token)
    }

    /// A skip whose end is not yet known.
    fn skip_if(&mut self, answer: bool) -> usize {
        self.steps.push(Step::Skip { answer, to: usize::MAX });
        self.steps.len() - 1
    }

    /// The skips end here.
    fn land(&mut self, skips: Vec<usize>) {
        let here = self.steps.len();
        for at in skips {
            if let Some(Step::Skip { to, .. }) = self.steps.get_mut(at) {
                *to = here;
            }
        }
    }

    fn close(&mut self, group: Group) {
        self.land(group.ands);
        self.land(group.ors);
    }

    fn expected(&self, expected: &'static str) -> FilterError {
        self.expected_at(self.at, expected)
    }

    fn expected_at(&self, byte: usize, expected: &'static str) -> FilterError {
        FilterError::Syntax { position: self.scanner.position(byte), expected }
    }
}

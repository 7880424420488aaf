//! The words of an expression.

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// What stood in quotes, its doubled quotes made single.
    Text(Box<str>),
    /// A field, an operator, or a value without quotes.
    Word(&'a str),
    /// A quote that no other closes.
    Unclosed,
    /// A character that begins nothing.
    Odd,
    /// Nothing is left.
    End,
}

/// Takes the parts off the front of an expression.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    whole: &'a str,
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(whole: &'a str) -> Self {
        Self { whole, rest: whole }
    }

    /// The next part, and the byte at which it begins.
    pub(super) fn take(&mut self) -> (usize, Token<'a>) {
        self.rest = self.rest.trim_start();
        let at = self.whole.len() - self.rest.len();
        let mut letters = self.rest.chars();
        let token = match letters.next() {
            None => Token::End,
            Some('(') => Token::Open,
            Some(')') => Token::Close,
            Some(',') => Token::Comma,
            Some('\'') => return (at, self.quoted(letters.as_str())),
            Some(letter) if is_of_word(letter) => return (at, self.word()),
            Some(_) => Token::Odd,
        };
        self.rest = letters.as_str();
        (at, token)
    }

    /// Which character, counted from 1, begins at a byte.
    pub(super) fn position(&self, byte: usize) -> usize {
        self.whole.get(..byte).map_or(0, |before| before.chars().count()) + 1
    }

    fn word(&mut self) -> Token<'a> {
        let end = self.rest.find(|letter| !is_of_word(letter)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        Token::Word(word)
    }

    /// A text whose opening quote is gone.
    fn quoted(&mut self, mut rest: &'a str) -> Token<'a> {
        let mut text = String::new();
        while let Some((piece, after)) = rest.split_once('\'') {
            text.push_str(piece);
            match after.strip_prefix('\'') {
                Some(more) => {
                    text.push('\'');
                    rest = more;
                }
                None => {
                    self.rest = after;
                    return Token::Text(text.into());
                }
            }
        }
        self.rest = "";
        Token::Unclosed
    }
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || "_-+.:$".contains(letter)
}

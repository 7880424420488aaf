//! Names from outside in lines for people.

use std::fmt::{self, Display, Formatter, Write};

/// A text that stays in its line wherever it is printed: what would end the line, move the cursor or turn
/// the direction of writing is shown escaped, as `\n` or `\u{1b}`. All else is shown as it is.
#[derive(Clone, Copy, Debug)]
pub struct OneLine<'t>(pub &'t str);

impl Display for OneLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| if moves(letter) { write!(f, "{}", letter.escape_default()) } else { f.write_char(letter) })
    }
}

/// Whether it is more than a sign on the page: controls, separators of lines, turns of direction.
fn moves(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::OneLine;

    #[test]
    fn what_would_leave_the_line_is_shown_escaped_and_all_else_as_it_is() {
        for (text, shown) in [
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("\u{1b}[2Jx\u{7f}\u{85}\u{0}", "\\u{1b}[2Jx\\u{7f}\\u{85}\\u{0}"),
            ("\u{2028}\u{202e}\u{2066}\u{200f}", "\\u{2028}\\u{202e}\\u{2066}\\u{200f}"),
            ("O'Brien \\ \"Ü\" 名 e\u{301}", "O'Brien \\ \"Ü\" 名 e\u{301}"),
        ] {
            assert_eq!(OneLine(text).to_string(), shown);
        }
    }
}

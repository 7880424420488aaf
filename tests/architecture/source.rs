//! Reads Rust source as far as the architecture needs it: which paths it names, in which line, and
//! how long it is. Comments, texts and test items are left out: a test may reach where it likes.

/// A path that a file names, such as `crate::policy::Problem`, with a `use` tree written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The segments.
    pub(crate) path: Vec<String>,
}

/// A file without what does not count.
pub(crate) struct Source {
    code: String,
    test_modules: Vec<String>,
}

impl Source {
    /// Reads the text of a file.
    pub(crate) fn read(text: &str) -> Self {
        let (code, test_modules) = without_test_items(&without_comments_and_texts(text));
        Self { code, test_modules }
    }

    /// The modules that this file declares for tests alone.
    pub(crate) fn test_modules(&self) -> &[String] {
        &self.test_modules
    }

    /// Lines of the file that are not of test items; blank lines and comments count.
    pub(crate) fn lines(&self) -> usize {
        self.code.lines().filter(|line| *line != TEST_LINE).count()
    }

    /// Every module that the file opens or declares.
    pub(crate) fn modules(&self) -> Vec<String> {
        let tokens = tokens(&self.code);
        let pairs = tokens.iter().zip(tokens.iter().skip(1));
        pairs.filter(|((_, first), _)| first == "mod").map(|(_, (_, name))| name.clone()).collect()
    }

    /// Every path of two segments or more, and every path of a `use`.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let tokens = tokens(&self.code);
        let mut found = Vec::new();
        let mut place = 0;
        while let Some((line, token)) = tokens.get(place) {
            let before = place.checked_sub(1).and_then(|place| tokens.get(place)).map_or("", |(_, token)| token.as_str());
            place += 1;
            if !is_word(token) || before == "::" || before == "." {
                continue;
            }
            let mut paths = Vec::new();
            place = expand(&tokens, place - 1, &[], &mut paths);
            let is_use = before == "use";
            found.extend(paths.into_iter().filter(|path| is_use || path.len() > 1).map(|path| Reference { line: *line, path }));
        }
        found
    }
}

/// Stands for a line of a test item.
const TEST_LINE: &str = "\u{1}";

/// Follows a path from the token at `place`; returns where it ends.
fn expand(tokens: &[(usize, String)], mut place: usize, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    let text = |place: usize| tokens.get(place).map_or("", |(_, token)| token.as_str());
    loop {
        match text(place) {
            "{" => return expand_group(tokens, place + 1, &path, paths),
            "*" => {
                path.push("*".to_owned());
                place += 1;
            }
            word if is_word(word) => {
                path.push(word.to_owned());
                place += 1;
            }
            // `a::<T>` and the like end the path.
            _ => break,
        }
        if text(place) != "::" {
            break;
        }
        place += 1;
    }
    paths.push(path);
    place
}

fn expand_group(tokens: &[(usize, String)], mut place: usize, prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    while let Some((_, token)) = tokens.get(place) {
        match token.as_str() {
            "}" => return place + 1,
            word if is_word(word) || word == "*" => {
                place = expand(tokens, place, prefix, paths);
                // `a as b`: the new name is no path.
                if tokens.get(place).is_some_and(|(_, token)| token == "as") {
                    place += 2;
                }
            }
            _ => place += 1,
        }
    }
    place
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Words, `::`, and single characters, each with its line.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let is_part = |character: char| character.is_alphanumeric() || character == '_';
            let length = match first {
                _ if is_part(first) => rest.find(|character| !is_part(character)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            let (token, behind) = rest.split_at(length);
            if !first.is_whitespace() {
                found.push((index + 1, token.to_owned()));
            }
            rest = behind;
        }
    }
    found
}

/// The code with comments and texts made blank; line ends stay.
fn without_comments_and_texts(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = blank_length(rest, code.chars().next_back());
        let (taken, behind) = rest.split_at(length.unwrap_or(first.len_utf8()));
        match length {
            Some(_) => code.extend(taken.chars().map(|character| if character == '\n' { '\n' } else { ' ' })),
            None => code.push_str(taken),
        }
        rest = behind;
    }
    code
}

/// How long the comment or text is that begins here, if one does.
fn blank_length(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_length(rest));
    }
    if let Some(hashes) = raw_hashes(rest).filter(|_| !before.is_some_and(|before| before.is_alphanumeric() || before == '_')) {
        let end = format!("\"{}", "#".repeat(hashes));
        let start = hashes + 2;
        return Some(rest.split_at(start).1.find(&end).map_or(rest.len(), |found| start + found + end.len()));
    }
    match rest.chars().next() {
        Some('"') => Some(quoted_length(rest, '"')),
        // A quote before a name is a lifetime, unless another one follows at once.
        Some('\'') if rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'') => Some(quoted_length(rest, '\'')),
        _ => None,
    }
}

/// The hashes of `r"…"`, `r#"…"#` and so on.
fn raw_hashes(rest: &str) -> Option<usize> {
    let behind = rest.strip_prefix('r')?;
    let after = behind.trim_start_matches('#');
    after.starts_with('"').then_some(behind.len() - after.len())
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (place, character) in rest.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

fn block_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    for (place, _) in rest.char_indices() {
        let here = rest.split_at(place).1;
        if here.starts_with("/*") {
            depth += 1;
        } else if here.starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return place + 2;
            }
        }
    }
    rest.len()
}

/// Blanks out every item under `#[cfg(test)]` and names the modules that are declared so.
fn without_test_items(code: &str) -> (String, Vec<String>) {
    let mut kept: Vec<&str> = Vec::new();
    let mut modules = Vec::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if !line.trim_start().starts_with("#[cfg(test)]") {
            kept.push(line);
            continue;
        }
        kept.push(TEST_LINE);
        let mut depth = 0_i64;
        for item in lines.by_ref() {
            kept.push(TEST_LINE);
            let words: Vec<&str> = item.split(|character: char| !character.is_alphanumeric() && character != '_').collect();
            if depth == 0 && item.trim_end().ends_with(';') {
                modules.extend(words.iter().position(|word| *word == "mod").and_then(|place| words.get(place + 1)).map(ToString::to_string));
            }
            let opened = item.matches(['{', '(', '[']).count();
            let closed = item.matches(['}', ')', ']']).count();
            depth += i64::try_from(opened).unwrap_or_default() - i64::try_from(closed).unwrap_or_default();
            let is_attribute = item.trim_start().starts_with("#[");
            if depth <= 0 && !is_attribute && (item.trim_end().ends_with(';') || closed > 0) {
                break;
            }
        }
    }
    (kept.join("\n"), modules)
}

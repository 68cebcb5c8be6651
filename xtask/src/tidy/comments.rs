//! The comments of a source, in any of the languages here.

/// A line of a comment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Comment {
    /// Without the marks that make it a comment.
    pub(super) text: String,
    /// Counted from one.
    pub(super) line: usize,
}

/// The comments of a file; the end of its name tells the language.
pub(super) fn of(path: &str, text: &str) -> Vec<Comment> {
    let Some((_, end)) = path.rsplit_once('.') else { return by_hash(text) };
    match end {
        "rs" => of_rust(text),
        "ts" | "mjs" | "go" | "java" | "php" => by_slashes(text),
        "toml" | "py" | "rb" | "pl" | "sh" | "service" | "socket" => by_hash(text),
        _ => Vec::new(),
    }
}

/// Comments of lines that hold nothing else, and those behind two slashes and a space.
fn by_slashes(text: &str) -> Vec<Comment> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (index, line) in text.lines().enumerate() {
        let plain = line.trim_start();
        in_block |= plain.starts_with("/*");
        let comment = match plain.split_once("// ") {
            _ if in_block => Some(plain.trim_start_matches(['/', '*']).trim_end_matches("*/")),
            Some((before, comment)) if before.is_empty() || before.ends_with([' ', ';', '{', ',']) => Some(comment),
            _ => None,
        };
        in_block &= !plain.contains("*/");
        found.extend(comment.map(|comment| Comment { text: comment.trim().to_owned(), line: index + 1 }));
    }
    found
}

/// Comments of lines that hold nothing else.
fn by_hash(text: &str) -> Vec<Comment> {
    let comment = |(index, line): (usize, &str)| {
        let text = line.trim_start().strip_prefix('#').filter(|text| !text.starts_with('!'))?;
        Some(Comment { text: text.trim().to_owned(), line: index + 1 })
    };
    text.lines().enumerate().filter_map(comment).collect()
}

/// Comments of Rust in any place. Literals that look like comments are skipped.
fn of_rust(text: &str) -> Vec<Comment> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            let text = rest[..length].trim_start_matches(['/', '!']).trim().to_owned();
            found.push(Comment { text, line });
            length
        } else if rest.starts_with("/*") {
            let length = rest.find("*/").map_or(rest.len(), |end| end + 2);
            for (index, text) in rest[..length].lines().enumerate() {
                found.push(Comment { text: text.trim_matches(['/', '*', '!', ' ']).to_owned(), line: line + index });
            }
            length
        } else if first == '"' {
            1 + string(&rest[1..])
        } else if let Some(length) = raw_string(rest) {
            length
        } else if first == '\'' {
            character(rest)
        } else {
            word(rest).unwrap_or(first.len_utf8())
        };
        let (skipped, behind) = rest.split_at(length);
        line += skipped.matches('\n').count();
        rest = behind;
    }
    found
}

/// Bytes of a word that is no prefix of a literal: an `r` at its end begins none.
fn word(text: &str) -> Option<usize> {
    let length = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    (length > 0).then_some(length)
}

/// Bytes up to the end of a string whose opening quote is behind.
fn string(text: &str) -> usize {
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Bytes of a raw string, or of the prefix of a byte string.
fn raw_string(text: &str) -> Option<usize> {
    let behind = text.strip_prefix("br").or_else(|| text.strip_prefix("cr")).or_else(|| text.strip_prefix('r'));
    let Some(behind) = behind else { return text.starts_with("b\"").then_some(1) };
    let marks = behind.len() - behind.trim_start_matches('#').len();
    let body = behind[marks..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(marks));
    let prefix = text.len() - body.len();
    Some(body.find(&end).map_or(text.len(), |at| prefix + at + end.len()))
}

/// Bytes of a character, or of the mark of a lifetime.
fn character(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            text[from..].find('\'').map_or(text.len(), |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    fn texts(path: &str, text: &str) -> Vec<(usize, String)> {
        of(path, text).into_iter().map(|comment| (comment.line, comment.text)).collect()
    }

    #[test]
    fn comments_of_rust_are_not_literals() {
        let text = "//! Head.\nlet a = \"// no\\\"\"; // Yes.\nlet b = r#\"// \" no\"#; let c = '\"'; /* Two\n * lines */\nf::<'a>('\\''); /// Doc\n";
        let expected = [(1, "Head."), (2, "Yes."), (3, "Two"), (4, "lines"), (5, "Doc")];
        assert_eq!(texts("a.rs", text), expected.map(|(line, text)| (line, text.to_owned())));
        assert_eq!(texts("a.rs", "let b = br\"//\"; let d = b\"//\"; let er = \"//\";"), []);
    }

    #[test]
    fn comments_of_other_languages_are_lines() {
        let script = "// Head.\nconst a = 'http://x'; // Why.\n/** One\n * two */\nb();\n";
        assert_eq!(
            texts("a.ts", script),
            [(1, "Head."), (2, "Why."), (3, "One"), (4, "two")].map(|(line, text)| (line, text.to_owned()))
        );
        assert_eq!(texts("a.toml", "#! no\n# Why.\na = 1\n"), [(2, "Why.".to_owned())]);
        assert_eq!(texts("a.json", "# none"), []);
    }
}

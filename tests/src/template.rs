//! Text of transcripts as bytes: escapes, repetitions, variables and line ends.

/// Bytes and variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// A part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Text that an earlier pattern captured.
    Variable(String),
}

/// Parses the text after `> ` or `< `: escapes, repetitions, variables, and a line end unless the text ends in a single
/// backslash.
///
/// # Errors
/// Describes the mistake.
pub fn template(text: &str) -> Result<Template, String> {
    let mut pieces = Vec::new();
    let mut bytes = Vec::new();
    let mut rest = text;
    let mut line_end = true;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\\' if rest.is_empty() => line_end = false,
            '\\' => rest = escape(rest, &mut bytes)?,
            '$' if rest.starts_with('{') => {
                let (variable, after) = rest[1..].split_once('}').ok_or("unclosed `${`")?;
                pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
                pieces.push(Piece::Variable(variable.to_owned()));
                rest = after;
            }
            '{' => {
                let (inner, after) = rest.split_once('}').ok_or("unclosed `{` (a literal one is `\\{`)")?;
                let (what, count) = inner.rsplit_once('*').ok_or("a repetition is `{text*count}`")?;
                let count: usize = count.parse().map_err(|_| "a repetition needs a count")?;
                let mut unit = Vec::new();
                let mut what = what;
                while let Some(next) = what.chars().next() {
                    what = &what[next.len_utf8()..];
                    if next == '\\' {
                        what = escape(what, &mut unit)?;
                    } else {
                        unit.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
                bytes.extend(unit.repeat(count));
                rest = after;
            }
            _ => bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if line_end {
        bytes.extend_from_slice(b"\r\n");
    }
    pieces.push(Piece::Bytes(bytes));
    Ok(Template(pieces))
}

/// Consumes an escape after its backslash and appends its byte; returns the remaining text.
fn escape<'a>(rest: &'a str, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let mut chars = rest.chars();
    let byte = match chars.next() {
        Some('r') => b'\r',
        Some('n') => b'\n',
        Some('t') => b'\t',
        Some('s') => b' ',
        Some('0') => 0,
        Some(c @ ('\\' | '{' | '$')) => c as u8,
        Some('x') => {
            let digits = rest.get(1..3).ok_or("`\\x` needs two digits")?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| "`\\x` needs two hexadecimal digits")?);
            return Ok(&rest[3..]);
        }
        other => return Err(format!("unknown escape `\\{}`", other.unwrap_or(' '))),
    };
    bytes.push(byte);
    Ok(chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        match &template(text).unwrap().0[..] {
            [Piece::Bytes(bytes)] => bytes.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn escapes_and_repetitions() {
        assert_eq!(bytes("get a"), b"get a\r\n");
        assert_eq!(bytes("get a\\n\\"), b"get a\n");
        assert_eq!(bytes("\\x00\\xff\\s\\\\\\"), b"\0\xff \\");
        assert_eq!(bytes("{ab*3}\\{\\"), b"ababab{");
        assert_eq!(bytes("{\\n*2}\\"), b"\n\n");
        assert!(template("{ab").is_err());
        assert!(template("\\q").is_err());
    }

    #[test]
    fn variables() {
        let Template(pieces) = template("cas a 0 0 1 ${cas}").unwrap();
        assert_eq!(pieces[1], Piece::Variable("cas".into()));
    }
}

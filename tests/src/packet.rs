//! Packets of the binary protocol as lines of a transcript: a name and `field=text` pairs. The fields are described in
//! `tests/transcripts/README.md`; an unknown name or field is an error.

use crate::template::{Template, template};
use regex::bytes::Regex;
use std::collections::HashMap;

/// Length of the header of a packet.
pub const HEADER_BYTES: usize = 24;

const OPCODES: [(&str, u8); 38] = [
    ("get", 0x00),
    ("set", 0x01),
    ("add", 0x02),
    ("replace", 0x03),
    ("delete", 0x04),
    ("incr", 0x05),
    ("decr", 0x06),
    ("quit", 0x07),
    ("flush", 0x08),
    ("getq", 0x09),
    ("noop", 0x0a),
    ("version", 0x0b),
    ("getk", 0x0c),
    ("getkq", 0x0d),
    ("append", 0x0e),
    ("prepend", 0x0f),
    ("stat", 0x10),
    ("setq", 0x11),
    ("addq", 0x12),
    ("replaceq", 0x13),
    ("deleteq", 0x14),
    ("incrq", 0x15),
    ("decrq", 0x16),
    ("quitq", 0x17),
    ("flushq", 0x18),
    ("appendq", 0x19),
    ("prependq", 0x1a),
    ("verbosity", 0x1b),
    ("touch", 0x1c),
    ("gat", 0x1d),
    ("gatq", 0x1e),
    ("sasl_list", 0x20),
    ("sasl_auth", 0x21),
    ("sasl_step", 0x22),
    ("gatk", 0x23),
    ("gatkq", 0x24),
    ("rget", 0x30),
    ("config_get", 0x60),
];

const STATUSES: [(u16, &str); 9] = [
    (0x01, "Not found"),
    (0x02, "Data exists for key."),
    (0x03, "Too large."),
    (0x04, "Invalid arguments"),
    (0x05, "Not stored."),
    (0x06, "Non-numeric server-side value for incr or decr"),
    (0x20, "Auth failure."),
    (0x81, "Unknown command"),
    (0x82, "Out of memory allocating item"),
];

const REQUEST_FIELDS: [&str; 15] = [
    "opaque", "key", "value", "cas", "flags", "exptime", "delta", "initial", "ext", "magic", "keylen", "extlen",
    "bodylen", "datatype", "vbucket",
];
const ANSWER_FIELDS: [&str; 7] = ["opaque", "status", "key", "value", "cas", "flags", "number"];

/// A packet as a line describes it: opcode and fields.
#[derive(Clone, Debug)]
pub struct Packet {
    opcode: u8,
    fields: HashMap<&'static str, Field>,
}

#[derive(Clone, Debug)]
enum Field {
    /// These bytes.
    Text(Template),
    /// A value that matches.
    Matches(Regex),
    /// A value other than zero, kept under a variable if named.
    Some(Option<String>),
}

/// Resolves the variables of a template.
pub type Fill<'a> = &'a dyn Fn(&Template) -> Result<Vec<u8>, String>;

impl Packet {
    /// Parses the text after `>b `.
    ///
    /// # Errors
    /// Describes the mistake.
    pub fn request(text: &str) -> Result<Self, String> {
        Self::parse(text, &REQUEST_FIELDS)
    }

    /// Parses the text after `<b `.
    ///
    /// # Errors
    /// Describes the mistake.
    pub fn answer(text: &str) -> Result<Self, String> {
        Self::parse(text, &ANSWER_FIELDS)
    }

    fn parse(text: &str, known: &[&'static str]) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let name = words.next().ok_or("a packet needs a name")?;
        let opcode = match (OPCODES.iter().find(|(known, _)| *known == name), name.strip_prefix("0x")) {
            (Some((_, opcode)), _) => *opcode,
            (None, Some(digits)) => u8::from_str_radix(digits, 16).map_err(|_| format!("no opcode `{name}`"))?,
            (None, None) => return Err(format!("no opcode `{name}`")),
        };
        let mut fields = HashMap::new();
        for word in words {
            let (field, value) = word.split_once('=').ok_or_else(|| format!("`{word}` is no `field=text`"))?;
            let field = known.iter().find(|one| **one == field).ok_or_else(|| format!("no field `{field}` here"))?;
            let is_answer = known.contains(&"status");
            let value = match (value.strip_prefix('~'), value.strip_prefix('+')) {
                _ if !is_answer => Field::Text(template(&format!("{value}\\"))?),
                (Some(pattern), _) if *field == "value" => Field::Matches(pattern_of(pattern)?),
                (_, Some(name)) if *field == "cas" => Field::Some((!name.is_empty()).then(|| name.to_owned())),
                _ => Field::Text(template(&format!("{value}\\"))?),
            };
            if fields.insert(*field, value).is_some() {
                return Err(format!("`{field}` comes twice"));
            }
        }
        Ok(Self { opcode, fields })
    }

    /// The bytes to send.
    ///
    /// # Errors
    /// An unknown variable, or an invalid number.
    pub fn bytes(&self, fill: Fill<'_>) -> Result<Vec<u8>, String> {
        let (key, value) = (self.text("key", fill)?, self.text("value", fill)?);
        let extras = self.extras(fill)?;
        let body = [extras.as_slice(), &key, &value].concat();
        let number = |field, default| self.number(field, fill).map(|number| number.unwrap_or(default));
        let mut bytes = vec![number("magic", 0x80)? as u8, self.opcode];
        bytes.extend((number("keylen", key.len() as u64)? as u16).to_be_bytes());
        bytes.push(number("extlen", extras.len() as u64)? as u8);
        bytes.push(number("datatype", 0)? as u8);
        bytes.extend((number("vbucket", 0)? as u16).to_be_bytes());
        bytes.extend((number("bodylen", body.len() as u64)? as u32).to_be_bytes());
        bytes.extend((number("opaque", 0)? as u32).to_be_bytes());
        bytes.extend(number("cas", 0)?.to_be_bytes());
        bytes.extend(body);
        Ok(bytes)
    }

    /// Extras of the opcode.
    fn extras(&self, fill: Fill<'_>) -> Result<Vec<u8>, String> {
        if self.fields.contains_key("ext") {
            return self.text("ext", fill);
        }
        let number = |field, default| self.number(field, fill).map(|number| number.unwrap_or(default));
        let word = |field| number(field, 0).map(|number| (number as u32).to_be_bytes());
        Ok(match self.opcode {
            0x01..=0x03 | 0x11..=0x13 => [word("flags")?, word("exptime")?].concat(),
            0x05 | 0x06 | 0x15 | 0x16 => {
                let (delta, initial) = (number("delta", 1)?.to_be_bytes(), number("initial", 0)?.to_be_bytes());
                [&delta[..], &initial, &word("exptime")?].concat()
            }
            0x1c..=0x1e | 0x23 | 0x24 => word("exptime")?.to_vec(),
            0x08 | 0x18 if self.fields.contains_key("exptime") => word("exptime")?.to_vec(),
            _ => Vec::new(),
        })
    }

    /// Compares `bytes`, one packet, with the expected reply; returns the captured variables.
    ///
    /// # Errors
    /// Lists the differences.
    pub fn compare(&self, bytes: &[u8], fill: Fill<'_>) -> Result<Vec<(String, Vec<u8>)>, String> {
        let got = Received::read(bytes)?;
        let mut wrong = Vec::new();
        let mut same = |what: &str, expected: &dyn std::fmt::Display, got: &dyn std::fmt::Display, equal: bool| {
            if !equal {
                wrong.push(format!("{what} {got} instead of {expected}"));
            }
        };
        let number = |field| self.number(field, fill).map(Option::unwrap_or_default);
        let status = number("status")? as u16;
        same("opcode", &self.opcode, &got.opcode, self.opcode == got.opcode);
        same("status", &status, &got.status, status == got.status);
        let opaque = number("opaque")? as u32;
        same("opaque", &opaque, &got.opaque, opaque == got.opaque);
        let extras = match self.number("flags", fill)? {
            Some(flags) => (flags as u32).to_be_bytes().to_vec(),
            None => Vec::new(),
        };
        same("extras", &extras.escape_ascii(), &got.extras.escape_ascii(), extras == got.extras);
        let key = self.text("key", fill)?;
        same("key", &key.escape_ascii(), &got.key.escape_ascii(), key == got.key);
        match (self.fields.get("value"), self.number("number", fill)?) {
            (Some(Field::Matches(pattern)), _) => {
                same("value", pattern, &got.value.escape_ascii(), pattern.is_match(got.value));
            }
            (Some(_), _) => {
                let value = self.text("value", fill)?;
                same("value", &value.escape_ascii(), &got.value.escape_ascii(), value == got.value);
            }
            (None, Some(number)) => {
                let value = number.to_be_bytes();
                same("number", &number, &got.value.escape_ascii(), value == got.value);
            }
            (None, None) => {
                let text = STATUSES.iter().find(|(one, _)| *one == status).map_or("", |(_, text)| text);
                same("value", &text, &got.value.escape_ascii(), text.as_bytes() == got.value);
            }
        }
        let mut kept = Vec::new();
        match self.fields.get("cas") {
            Some(Field::Some(name)) => {
                same("cas", &"a unique", &got.cas, got.cas != 0);
                kept.extend(name.clone().map(|name| (name, got.cas.to_string().into_bytes())));
            }
            _ => {
                let cas = number("cas")?;
                same("cas", &cas, &got.cas, cas == got.cas);
            }
        }
        if wrong.is_empty() { Ok(kept) } else { Err(wrong.join(", ")) }
    }

    fn text(&self, field: &str, fill: Fill<'_>) -> Result<Vec<u8>, String> {
        match self.fields.get(field) {
            Some(Field::Text(text)) => fill(text),
            _ => Ok(Vec::new()),
        }
    }

    /// Decimal, or hexadecimal after `0x`.
    fn number(&self, field: &str, fill: Fill<'_>) -> Result<Option<u64>, String> {
        let Some(Field::Text(text)) = self.fields.get(field) else { return Ok(None) };
        let bytes = fill(text)?;
        let text = String::from_utf8_lossy(&bytes);
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        parsed.map(Some).map_err(|_| format!("`{text}` is no number for `{field}`"))
    }
}

/// A received packet.
#[derive(Debug)]
pub struct Received<'a> {
    /// Opcode of the request.
    pub opcode: u8,
    /// Status; zero is success.
    pub status: u16,
    /// Opaque of the request.
    pub opaque: u32,
    /// CAS unique.
    pub cas: u64,
    /// Extras.
    pub extras: &'a [u8],
    /// Key.
    pub key: &'a [u8],
    /// Value.
    pub value: &'a [u8],
}

impl<'a> Received<'a> {
    /// Splits a whole packet into its fields.
    ///
    /// # Errors
    /// If the bytes are no reply packet.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let short = || format!("no packet: \"{}\"", bytes.escape_ascii());
        let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or_else(short)?;
        let [0x81, opcode, k0, k1, extras, _, s0, s1, _, _, _, _, o0, o1, o2, o3, cas @ ..] = *header else {
            return Err(short());
        };
        let (extras, rest) = body.split_at_checked(usize::from(extras)).ok_or_else(short)?;
        let (key, value) = rest.split_at_checked(usize::from(u16::from_be_bytes([k0, k1]))).ok_or_else(short)?;
        Ok(Self {
            opcode,
            status: u16::from_be_bytes([s0, s1]),
            opaque: u32::from_be_bytes([o0, o1, o2, o3]),
            cas: u64::from_be_bytes(cas),
            extras,
            key,
            value,
        })
    }
}

/// Length of the first packet of `inbox`; of its header while that is incomplete.
pub fn packet_bytes(inbox: &[u8]) -> usize {
    match inbox.get(8..12).and_then(|length| length.try_into().ok()) {
        Some(length) => HEADER_BYTES + u32::from_be_bytes(length) as usize,
        None => HEADER_BYTES,
    }
}

fn pattern_of(text: &str) -> Result<Regex, String> {
    Regex::new(&format!("(?s-u)^(?:{text})$")).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Piece;

    fn fill(template: &Template) -> Result<Vec<u8>, String> {
        match &template.0[..] {
            [Piece::Bytes(bytes)] => Ok(bytes.clone()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn requests_are_built() {
        let packet = Packet::request("set key=ab flags=5 opaque=0x7 cas=9 value=c\\sd").unwrap();
        let mut expected = vec![0x80, 1, 0, 2, 8, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9];
        expected.extend(b"\0\0\0\x05\0\0\0\0abc d");
        assert_eq!(packet.bytes(&fill).unwrap(), expected);
        let packet = Packet::request("0x77 bodylen=3 ext=\\x01 extlen=9").unwrap();
        assert_eq!(packet.bytes(&fill).unwrap()[..12], [0x80, 0x77, 0, 0, 9, 0, 0, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn answers_are_compared() {
        let mut bytes = vec![0x81, 0x0c, 0, 1, 4, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9];
        bytes.extend(b"\0\0\0\x05kv");
        let is = |text: &str| Packet::answer(text).unwrap().compare(&bytes, &fill);
        assert_eq!(is("getk opaque=7 key=k value=v flags=5 cas=9").unwrap(), []);
        assert_eq!(is("getk opaque=7 key=k value=~[a-z] flags=5 cas=+c").unwrap(), [("c".into(), b"9".to_vec())]);
        for wrong in [
            "get opaque=7 key=k value=v flags=5 cas=9",
            "getk key=k value=v flags=5 cas=9",
            "getk opaque=7 value=v flags=5 cas=9",
            "getk opaque=7 key=k flags=5 cas=9",
            "getk opaque=7 key=k value=v cas=9",
            "getk opaque=7 key=k value=v flags=5",
            "getk opaque=7 key=k value=v flags=5 cas=9 status=1",
            "getk opaque=7 key=k value=~[0-9] flags=5 cas=9",
        ] {
            assert!(is(wrong).is_err(), "{wrong}");
        }
        assert_eq!(packet_bytes(&bytes), bytes.len());
    }

    #[test]
    fn mistakes_are_errors() {
        for text in ["", "foo", "get key", "get status=1", "get key=a key=b", "get cas=+c"] {
            assert!(Packet::request(text).and_then(|packet| packet.bytes(&fill)).is_err(), "{text:?}");
        }
        assert!(Packet::answer("get flags=5 exptime=3").is_err());
    }
}

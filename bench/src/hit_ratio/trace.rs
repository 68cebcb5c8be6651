//! A load from a file: lines of `time_s,key,bytes`, compressed with zstd or not.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use ruzstd::decoding::StreamingDecoder;

use super::load::{Intruders, Load};
use crate::outcome::{Outcome, ResultExt as _};

/// Name in the report.
pub const NAME: &str = "trace";

/// Reads at most `requests_max` requests of the trace at `path`.
pub fn load(path: &Path, requests_max: usize) -> Outcome<Load> {
    let shown = path.display().to_string();
    let file = File::open(path).context(&shown)?;
    let text: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "zst") {
        Box::new(StreamingDecoder::new(BufReader::new(file)).context(&shown)?)
    } else {
        Box::new(file)
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    parse(BufReader::new(text), requests_max, name).context(&shown)
}

/// Keys keep their numbers, which must be small; a value has the smallest size of its requests.
fn parse(mut lines: impl BufRead, requests_max: usize, about: String) -> Outcome<Load> {
    let (mut keys, mut value_bytes) = (Vec::new(), Vec::new());
    let (mut line, mut seconds) = (String::new(), 0);
    while keys.len() < requests_max {
        line.clear();
        if lines.read_line(&mut line).context("read")? == 0 {
            break;
        }
        let mut fields = line.trim_end().split(',').map(str::parse::<u32>);
        let (Some(Ok(second)), Some(Ok(key)), Some(Ok(bytes))) = (fields.next(), fields.next(), fields.next()) else {
            if keys.is_empty() {
                continue; // The header line.
            }
            return Err(format!("not a request: {line}"));
        };
        if key as usize >= value_bytes.len() {
            value_bytes.resize(key as usize + 1, u32::MAX);
        }
        let known = &mut value_bytes[key as usize];
        *known = bytes.min(*known);
        seconds = second;
        keys.push(key);
    }
    if keys.is_empty() {
        return Err("no requests".into());
    }
    let requests_per_second = keys.len().div_ceil(seconds as usize + 1);
    Ok(Load {
        name: NAME,
        about,
        value_bytes,
        ttl_s: Vec::new(),
        keys,
        intruders: Intruders::None,
        requests_per_second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_requests() {
        let text = "time_s,key,bytes\n0,0,737\n0,1,248\n3,0,737\n9,2,1\n";
        let load = parse(text.as_bytes(), 3, String::new()).unwrap();
        assert_eq!(load.keys, [0, 1, 0]);
        assert_eq!(load.value_bytes, [737, 248]);
        assert!(parse("time_s,key,bytes\n".as_bytes(), 3, String::new()).is_err());
        assert!(parse("0,1,2\n0,x,2\n".as_bytes(), 3, String::new()).is_err());
    }
}

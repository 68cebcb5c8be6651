//! Values of flags: strict where memcached's `atoi` accepts anything, with memcached's messages where it has some.

use crate::exit::{self, ExitError};
use std::str::FromStr;
use wasmcached_core::{boundary::config::Binding, limits};

/// A number greater than 0; else `message`.
pub(super) fn positive<T: FromStr + PartialOrd + Default>(text: &str, message: &str) -> Result<T, ExitError> {
    match text.parse::<T>() {
        Ok(number) if number > T::default() => Ok(number),
        _ => Err(ExitError::new(exit::FLAG, message)),
    }
}

/// A number; `what` names it in the error message.
pub(super) fn number<T: FromStr>(text: &str, what: &str) -> Result<T, ExitError> {
    text.parse().map_err(|_| ExitError::new(exit::FLAG, format!("{what}: \"{text}\" is not a number that fits")))
}

/// `-m`: MiB.
pub(super) fn mebibytes(text: &str) -> Result<u64, ExitError> {
    let most_mib = (limits::SHARD_BYTES_MAX * u64::from(limits::SHARDS_MAX)) >> 20;
    let number: u64 = number(text, "-m (megabytes)")?;
    if number > most_mib {
        return Err(ExitError::new(exit::FLAG, format!("-m: {number} is more than {most_mib} megabytes")));
    }
    Ok(number << 20)
}

/// `-I`: bytes, or with a suffix k or m.
pub(super) fn item_bytes(text: &str) -> Result<u32, ExitError> {
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1024),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1024 * 1024),
        _ => (text, 1),
    };
    let bytes = number::<u64>(digits, "-I")?.saturating_mul(factor);
    let failure = |message: &str| Err(ExitError::new(exit::USAGE, message));
    match u32::try_from(bytes) {
        Ok(bytes) if bytes < limits::ITEM_BYTES_MAX_MIN => failure("Item max size cannot be less than 1024 bytes."),
        Ok(bytes) if bytes <= limits::ITEM_BYTES_MAX_MAX => Ok(bytes),
        _ => failure("Cannot set item size limit higher than a gigabyte."),
    }
}

/// `-B`.
pub(super) fn binding(text: &str) -> Result<Binding, ExitError> {
    match text {
        "auto" => Ok(Binding::Auto),
        "ascii" => Ok(Binding::Ascii),
        "binary" => Ok(Binding::Binary),
        _ => Err(ExitError::new(
            exit::USAGE,
            format!("Invalid value for binding protocol: {text}\n -- should be one of auto, binary, or ascii"),
        )),
    }
}

/// `-a`: octal.
pub(super) fn mask(text: &str) -> Result<u32, ExitError> {
    match u32::from_str_radix(text, 8) {
        Ok(mask) if mask <= 0o7777 => Ok(mask),
        _ => Err(ExitError::new(exit::FLAG, format!("-a: \"{text}\" is not an access mask in octal, like 700"))),
    }
}

/// `-D`: one character, the first.
pub(super) fn delimiter(text: &str) -> Result<u8, ExitError> {
    text.bytes().next().ok_or_else(|| ExitError::new(exit::FLAG, "No delimiter specified"))
}

//! Random numbers of the system.

/// Unpredictable numbers.
pub(crate) fn random<const COUNT: usize>() -> Result<[u64; COUNT], getrandom::Error> {
    let mut numbers = [0; COUNT];
    for number in &mut numbers {
        *number = getrandom::u64()?;
    }
    Ok(numbers)
}

/// The message for the user when there are none.
pub(crate) fn no_randomness(error: &getrandom::Error) -> String {
    format!("the system gives no random numbers: {error}")
}

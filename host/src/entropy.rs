//! Randomness of the system.

/// Numbers that nobody can predict.
pub(crate) fn random<const COUNT: usize>() -> Result<[u64; COUNT], getrandom::Error> {
    let mut numbers = [0; COUNT];
    for number in &mut numbers {
        *number = getrandom::u64()?;
    }
    Ok(numbers)
}

/// One line for the user.
pub(crate) fn no_randomness(error: &getrandom::Error) -> String {
    format!("the system gives no random numbers: {error}")
}

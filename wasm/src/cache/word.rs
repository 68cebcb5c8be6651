//! Words of the mailbox, in which calls leave what one result cannot hold. Numbers of 64 bits have two words.

pub(super) const VALUE_AT: usize = 0;
pub(super) const EXPIRY: usize = 1;
pub(super) const FLAGS: usize = 2;
pub(super) const UNIQUE: usize = 3;
pub(super) const NUMBER: usize = 5;
pub(super) const RECORDS_AT: usize = 7;
pub(super) const RECORDS_BYTES: usize = 8;
pub(super) const VALUE_BYTES: usize = 9;
pub(super) const CURSOR: usize = 10;
pub(super) const SUMMARY: usize = 12;
pub(super) const SEEDS: usize = 26;
pub(super) const COUNT: usize = 38;

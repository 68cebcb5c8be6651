//! The settings in force.

use super::tuned_settings;
use crate::{boundary::config::Config, settings::Setting, statistics::HostStatistics};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};

/// The settings in force: those of the configuration, changed by what the shards and the host reply.
pub(super) fn settings(config: &Config, shards: &[u8], host: &[u8]) -> Vec<(Setting, String)> {
    let host = HostStatistics::decode(host);
    let mut settings = config.settings.clone();
    set(&mut settings, Setting::MaxBytes, host.limit_maxbytes.to_string());
    set(&mut settings, Setting::Verbosity, host.verbosity.to_string());
    for (setting, value) in tuned_settings(shards) {
        set(&mut settings, setting, setting.shown(value));
    }
    settings
}

fn set(settings: &mut Vec<(Setting, String)>, setting: Setting, value: String) {
    match settings.iter_mut().find(|(present, _)| *present == setting) {
        Some((_, present)) => *present = value,
        None => settings.push((setting, value)),
    }
}

//! `--service`: life as a service of Windows, whose manager starts the program, asks it to stop, and wants to be told.

use crate::{
    exit::{self, ExitError},
    options::Options,
    server,
    system::{
        signals,
        windows_service::{attach, report},
    },
};
use std::sync::{Mutex, OnceLock};
use windows_service::{
    service::{ServiceControl, ServiceExitCode, ServiceState},
    service_control_handler::{self, ServiceControlHandlerResult},
    service_dispatcher,
};

/// A service in a process of its own may have any name.
const NAME: &str = "wasmcached";

static OPTIONS: OnceLock<Options> = OnceLock::new();
static OUTCOME: Mutex<Result<(), ExitError>> = Mutex::new(Ok(()));

/// Serves as a service, until the manager wants it to stop.
///
/// # Errors
/// The manager did not start this process, or the server could not start.
pub(crate) fn run(options: Options) -> Result<(), ExitError> {
    if OPTIONS.set(options).is_err() {
        return Err(ExitError::new(exit::SYSTEM, "a process is one service"));
    }
    service_dispatcher::start(NAME, entry::MAIN).map_err(|error| {
        ExitError::new(exit::SYSTEM, format!("--service: the service manager did not start this: {error}"))
    })?;
    OUTCOME.lock().map_or(Ok(()), |mut outcome| std::mem::replace(&mut *outcome, Ok(())))
}

/// The manager calls in through a function of C's conventions, whose arguments the macro reads.
#[allow(unsafe_code, reason = "the macro's, which checks what the manager passes")]
mod entry {
    windows_service::define_windows_service!(service_main, serve);

    pub(super) const MAIN: extern "system" fn(u32, *mut *mut u16) = service_main;

    /// What the manager calls the service is of no interest.
    fn serve(_: Vec<std::ffi::OsString>) {
        super::serve();
    }
}

fn serve() {
    let handler = |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown => {
            signals::ask_to_stop();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::ParamChange => {
            signals::ask_to_reload();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    // Without the manager there is nobody to tell.
    let Ok(handle) = service_control_handler::register(NAME, handler) else { return };
    attach(handle);
    report(ServiceState::StartPending, ServiceExitCode::NO_ERROR);
    let outcome = OPTIONS.get().map_or(Ok(()), server::serve);
    let code = match &outcome {
        Ok(()) => ServiceExitCode::NO_ERROR,
        Err(error) => ServiceExitCode::ServiceSpecific(error.code.into()),
    };
    if let Ok(mut kept) = OUTCOME.lock() {
        *kept = outcome;
    }
    report(ServiceState::Stopped, code);
}

//! `--service`: a service of Windows, which the service manager starts, stops and observes.

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

/// The manager ignores this name: the process has one service only.
const NAME: &str = "wasmcached";

static OPTIONS: OnceLock<Options> = OnceLock::new();
static OUTCOME: Mutex<Result<(), ExitError>> = Mutex::new(Ok(()));

/// Serves until the service manager stops the service.
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

/// The manager calls a C function, whose arguments the macro reads.
#[allow(unsafe_code, reason = "the macro's, which checks what the manager passes")]
mod entry {
    windows_service::define_windows_service!(service_main, serve);

    pub(super) const MAIN: extern "system" fn(u32, *mut *mut u16) = service_main;

    /// The arguments hold the name of the service, which is not used.
    fn serve(_: Vec<std::ffi::OsString>) {
        super::serve();
    }
}

fn serve() {
    let handler = |control| match control {
        ServiceControl::Stop | ServiceControl::Shutdown => {
            signals::request_stop();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::ParamChange => {
            signals::request_reload();
            ServiceControlHandlerResult::NoError
        }
        ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
        _ => ServiceControlHandlerResult::NotImplemented,
    };
    // Without a manager there is no status to report.
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

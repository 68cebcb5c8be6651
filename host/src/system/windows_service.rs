//! The state of a service of Windows, as reported to its manager.

use std::{sync::OnceLock, time::Duration};
use windows_service::{
    service::{ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType},
    service_control_handler::ServiceStatusHandle,
};

/// Time that the manager waits for the next report while the server starts or stops.
const WAIT_HINT: Duration = Duration::from_secs(10);

static HANDLE: OnceLock<ServiceStatusHandle> = OnceLock::new();

/// Makes this process the service of that handle.
pub(crate) fn attach(handle: ServiceStatusHandle) {
    // A process is one service.
    let _ = HANDLE.set(handle);
}

/// Reports that the server accepts clients.
pub(crate) fn report_running() {
    report(ServiceState::Running, ServiceExitCode::NO_ERROR);
}

/// Reports that the server begins to stop.
pub(crate) fn report_stopping() {
    report(ServiceState::StopPending, ServiceExitCode::NO_ERROR);
}

/// Reports a state to the manager, if this is a service.
pub(crate) fn report(current_state: ServiceState, exit_code: ServiceExitCode) {
    let Some(handle) = HANDLE.get() else { return };
    let is_pending = matches!(current_state, ServiceState::StartPending | ServiceState::StopPending);
    let status = ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state,
        controls_accepted: match current_state {
            ServiceState::Running => {
                ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN | ServiceControlAccept::PARAM_CHANGE
            }
            _ => ServiceControlAccept::empty(),
        },
        exit_code,
        checkpoint: 0,
        wait_hint: if is_pending { WAIT_HINT } else { Duration::ZERO },
        process_id: None,
    };
    if let Err(error) = handle.set_service_status(status) {
        tracing::error!("the service manager cannot be notified: {error}");
    }
}

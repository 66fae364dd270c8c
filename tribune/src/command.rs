//! What several commands have in common: how they end, and that Ctrl-C is noted.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Somebody wants it to stop.
static STOPS: AtomicBool = AtomicBool::new(false);

/// The exit status of an answer: 0 yes, 1 no, 2 that there is none, for which the reason is said.
pub fn exit(answer: anyhow::Result<bool>) -> ExitCode {
    match answer {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether somebody pressed Ctrl-C since `stop_at_ctrl_c`.
pub fn is_to_stop() -> bool {
    STOPS.load(Ordering::Relaxed)
}

/// From now on Ctrl-C is only noted, once.
pub fn stop_at_ctrl_c() {
    extern "C" fn stops(_: libc::c_int) {
        STOPS.store(true, Ordering::Relaxed);
    }
    // SAFETY: the handler only writes an atomic; a second Ctrl-C finds the default again, and ends it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = stops as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESETHAND;
        libc::sigaction(libc::SIGINT, &raw const action, std::ptr::null_mut());
    }
}

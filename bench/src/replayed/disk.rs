//! A disk that takes nothing for a while.

use std::io;
use std::time::{Duration, Instant};

use anyhow::Context;

/// Until `began` and as much as the outage says, the node's files cannot grow; then they can again.
///
/// # Errors
/// The limit cannot be set, or the node is gone.
pub(super) fn fail(pid: u32, began: Instant, outage: (Duration, Duration)) -> anyhow::Result<()> {
    let sleep_until =
        |at: Duration| std::thread::sleep((began + at).saturating_duration_since(Instant::now()));
    sleep_until(outage.0);
    limit_files(pid, 1)?;
    sleep_until(outage.1);
    limit_files(pid, libc::RLIM_INFINITY)
}

/// Limits how large a node's files may grow, in bytes (prlimit(2)): what it writes then fails as on a full
/// disk.
fn limit_files(pid: u32, bytes: libc::rlim_t) -> anyhow::Result<()> {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit lives through the call, and nothing is asked back.
    let set = unsafe {
        libc::prlimit(pid as libc::pid_t, libc::RLIMIT_FSIZE, &raw const limit, std::ptr::null_mut())
    };
    (set == 0).then_some(()).ok_or_else(io::Error::last_os_error).context("the node's disk cannot be filled")
}

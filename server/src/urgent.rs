//! What must be done every 20 ms goes before everything else: where the system lets it, the threads of the
//! program's clock and of the speakers' packets are woken before those of this node and of others that only
//! have much to do.

/// Nice value of an urgent thread; ordinary ones have 0.
const NICE: libc::c_int = -10;

/// Makes the calling thread an urgent one. Without the right to (`CAP_SYS_NICE`, or `RLIMIT_NICE` of 30) it
/// stays an ordinary one: it works the same, only not as well on a machine that is full.
pub fn go_first() {
    // SAFETY: the call takes numbers only. On Linux, `who` of 0 is the calling thread and not the process.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } != 0 {
        tracing::debug!("no_thread_goes_first");
    }
}

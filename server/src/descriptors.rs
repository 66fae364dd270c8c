//! How many descriptors the process may have: the listeners are made to fit, and a scrape says it.

use std::io;

/// Raises the number of descriptors the process may have to what the system lets it, and says how many that
/// is.
///
/// # Errors
/// The system does not say, or refuses.
pub fn raise() -> io::Result<u64> {
    let mut limit = self::limit()?;
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: the call reads the structure it is given, which lives through it.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(limit.rlim_cur)
}

/// Descriptors the process may have now.
///
/// # Errors
/// The system does not say.
pub fn most() -> io::Result<u64> {
    limit().map(|limit| limit.rlim_cur)
}

fn limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call fills the structure it is given, which lives through it.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_raised_to_the_hard_limit() {
        let raised = raise().expect("allowed");
        assert_eq!(most().expect("told"), raised);
        assert_eq!(raised, limit().expect("told").rlim_max);
    }
}

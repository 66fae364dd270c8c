//! Sockets that listened before this process began, so that nobody is refused while one node ends and the
//! next one begins: whoever comes meanwhile waits in the kernel.
//!
//! They come from a service manager (`sd_listen_fds(3)`) or from the process that was this one before
//! (`SIGUSR2`), in the same way: the first descriptors after the standard ones, and two variables.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, io};

use socket2::Socket;

/// The first one.
const FIRST: RawFd = 3;
const COUNT: &str = "LISTEN_FDS";
/// Whom they are for.
const FOR: &str = "LISTEN_PID";
/// More than a node has.
const COUNT_MAX: RawFd = 64;

static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Why they cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HandedError {
    /// The variable is no number.
    #[error("{COUNT} says {0:?}, which is no number of sockets from 0 to {COUNT_MAX}")]
    Count(String),
    /// Something else was handed over.
    #[error("descriptor {0} was handed over and is no TCP socket that listens: {1}")]
    NoListener(RawFd, io::Error),
    /// Nobody would accept who comes there.
    #[error("a socket on {0} was handed over, and no option names that address")]
    NotNamed(SocketAddr),
}

/// Those that nobody has claimed yet.
#[derive(Debug, Default)]
pub struct Handed(Vec<(SocketAddr, TcpListener)>);

impl Handed {
    /// Those that were handed to this process, the first time; none where the environment says nothing, or
    /// that they are another's.
    ///
    /// # Errors
    /// It says what cannot be, or one of them is no socket that listens.
    pub fn take() -> Result<Self, HandedError> {
        let is_for_us = env::var(FOR).is_ok_and(|pid| pid.parse() == Ok(process::id()));
        let Some(count) = env::var_os(COUNT).filter(|_| is_for_us) else { return Ok(Self::default()) };
        let count = count.to_string_lossy();
        let known = count.parse().ok().filter(|count| (0..=COUNT_MAX).contains(count));
        let count: RawFd = known.ok_or_else(|| HandedError::Count(count.into_owned()))?;
        if IS_TAKEN.swap(true, Ordering::SeqCst) {
            return Ok(Self::default());
        }
        (FIRST..FIRST + count).map(listener).collect::<Result<_, _>>().map(Self)
    }

    /// The one at this address; with port 0, the first at any port of it.
    pub(super) fn claim(&mut self, addr: SocketAddr) -> Option<TcpListener> {
        let is_it = |at: &SocketAddr| *at == addr || addr.port() == 0 && at.ip() == addr.ip();
        let found = self.0.iter().position(|(at, _)| is_it(at))?;
        Some(self.0.remove(found).1)
    }

    /// That all were claimed.
    ///
    /// # Errors
    /// One was not.
    pub fn is_used_up(self) -> Result<(), HandedError> {
        self.0.first().map_or(Ok(()), |(at, _)| Err(HandedError::NotNamed(*at)))
    }
}

fn listener(descriptor: RawFd) -> Result<(SocketAddr, TcpListener), HandedError> {
    let wrong = |error| HandedError::NoListener(descriptor, error);
    // SAFETY: only asks whether it is open.
    if unsafe { libc::fcntl(descriptor, libc::F_GETFD) } < 0 {
        return Err(wrong(io::Error::last_os_error()));
    }
    // SAFETY: it is open, the environment says that it was made for this process, and it is taken once.
    let socket = Socket::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    let is_one = || -> io::Result<SocketAddr> {
        socket.set_cloexec(true)?;
        let addr = socket.local_addr()?.as_socket().filter(|_| socket.is_listener().unwrap_or(false));
        let addr = addr.ok_or_else(|| io::Error::other("it does not listen"))?;
        super::bind::prepare(&socket)?;
        // Whoever listened before may have had the kernel drop somebody's packets.
        let _ = socket.detach_filter();
        Ok(addr)
    };
    let addr = is_one().map_err(wrong)?;
    Ok((addr, socket.into()))
}

/// The sockets and the program with which this process begins again.
#[derive(Debug)]
pub struct Again {
    program: PathBuf,
    sockets: Vec<TcpListener>,
}

impl Again {
    /// With the program that this process is, or whatever replaces it in its place later on.
    ///
    /// # Errors
    /// The system does not say where it is.
    pub fn new(sockets: Vec<TcpListener>) -> io::Result<Self> {
        Ok(Self { program: env::current_exe()?, sockets })
    }

    /// Where that program is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Becomes that program, with the same arguments. Nothing of this process goes on, so everything is
    /// written and closed before; it comes back only to say why it could not.
    pub fn begin(self) -> io::Error {
        let count = self.sockets.len() as RawFd;
        // First out of the way of each other.
        let above = |socket: &TcpListener| {
            // SAFETY: the socket is open; the new descriptor is nobody's but ours.
            match unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, FIRST + count) } {
                -1 => Err(io::Error::last_os_error()),
                // SAFETY: as above.
                above => Ok(unsafe { OwnedFd::from_raw_fd(above) }),
            }
        };
        let above: Vec<OwnedFd> = match self.sockets.iter().map(above).collect() {
            Ok(above) => above,
            Err(error) => return error,
        };
        for (descriptor, socket) in (FIRST..).zip(&above) {
            // SAFETY: whatever else was there is closed, and whoever had it is not asked any more: nothing of
            // this process goes on.
            if unsafe { libc::dup2(socket.as_raw_fd(), descriptor) } < 0 {
                return io::Error::last_os_error();
            }
        }
        Command::new(&self.program)
            .args(env::args_os().skip(1))
            .env(COUNT, count.to_string())
            .env(FOR, process::id().to_string())
            .exec()
    }
}

/// Whether what is at `program` runs here.
///
/// # Errors
/// A sentence that says why not.
pub fn runs(program: &Path) -> Result<(), String> {
    let tried = Command::new(program).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).status();
    match tried {
        Ok(ended) if ended.success() => Ok(()),
        Ok(ended) => Err(format!("{} --version: {ended}", program.display())),
        Err(error) => Err(format!("{} does not start: {error}", program.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("a test's address")
    }

    #[test]
    fn a_socket_is_claimed_by_its_address_once_and_what_is_left_is_named() {
        let one = TcpListener::bind("127.0.0.1:0").expect("a port");
        let other = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (at, left) = (one.local_addr().expect("it has one"), other.local_addr().expect("it has one"));
        let mut handed = Handed(vec![(left, other), (at, one)]);
        assert!(handed.claim(addr("127.0.0.2:0")).is_none());
        let claimed = handed.claim(at).expect("it is there");
        assert_eq!(claimed.local_addr().expect("it has one"), at);
        assert!(handed.claim(at).is_none(), "once");
        let wrong = Handed(vec![(left, claimed)]).is_used_up().expect_err("one is left").to_string();
        assert!(wrong.contains(&left.to_string()), "{wrong}");
        assert!(handed.claim(addr("127.0.0.1:0")).is_some(), "any port of that address");
        handed.is_used_up().expect("nothing is left");
    }

    #[test]
    fn what_does_not_listen_is_named() {
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let descriptor = OwnedFd::from(datagrams);
        let number = descriptor.as_raw_fd();
        std::mem::forget(descriptor);
        let wrong = listener(number).expect_err("UDP").to_string();
        assert!(wrong.contains("no TCP socket that listens"), "{wrong}");
        let wrong = listener(1_000_000).expect_err("closed").to_string();
        assert!(wrong.contains("descriptor 1000000"), "{wrong}");
    }

    #[test]
    fn a_program_that_does_not_run_is_known_before_it_is_needed() {
        assert_eq!(runs(Path::new("/bin/true")), Ok(()));
        assert!(runs(Path::new("/bin/false")).is_err_and(|why| why.contains("/bin/false")));
        assert!(runs(Path::new("/nowhere/tribune")).is_err_and(|why| why.contains("does not start")));
    }
}

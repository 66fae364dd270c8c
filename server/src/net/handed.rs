//! Sockets that listened before this process began, so that nobody is refused while one node ends and the
//! next one begins: whoever comes meanwhile waits in the kernel.
//!
//! A service manager hands them over as the first descriptors after the standard ones (`sd_listen_fds(3)`).
//! The process that was this one before (`SIGUSR2`) leaves them where they are, and says where: numbers
//! that are nobody else's while its last threads still close what is theirs.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, io};

use socket2::Socket;
use tokio::signal::unix::{SignalKind, signal};

/// The first one of a service manager's, how many there are, and for which process.
const FIRST: RawFd = 3;
const COUNT: &str = "LISTEN_FDS";
const FOR: &str = "LISTEN_PID";
/// What else a service manager says of them.
const NAMES: &str = "LISTEN_FDNAMES";
/// For which process, and which descriptors, from the one that was here before.
const SOCKETS: &str = "LISTEN_SOCKETS";
/// More than a node has.
const COUNT_MAX: RawFd = 64;
/// A program says its version within this.
const VERSION_WAIT: Duration = Duration::from_secs(5);

static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Why they cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HandedError {
    /// The variable is no number.
    #[error("{COUNT} says {0:?}, which is no number of sockets from 0 to {COUNT_MAX}")]
    Count(String),
    /// The variable is no list of numbers.
    #[error("{SOCKETS} says {0:?}, which is no list of sockets")]
    Sockets(String),
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
        let (count, pid) = (env::var(COUNT).ok(), env::var(FOR).ok());
        let sockets = env::var(SOCKETS).ok();
        let numbers = numbers(process::id(), (count.as_deref(), pid.as_deref()), sockets.as_deref())?;
        if IS_TAKEN.swap(true, Ordering::SeqCst) {
            return Ok(Self::default());
        }
        numbers.into_iter().map(listener).collect::<Result<_, _>>().map(Self)
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

/// The descriptors that are for process `own`.
fn numbers(
    own: u32,
    (count, pid): (Option<&str>, Option<&str>),
    sockets: Option<&str>,
) -> Result<Vec<RawFd>, HandedError> {
    let mut words = sockets.unwrap_or_default().split(' ').map(str::parse::<RawFd>);
    if words.next().is_some_and(|pid| pid.ok() == RawFd::try_from(own).ok()) {
        let numbers: Result<Vec<_>, _> = words.collect();
        let known = numbers.ok().filter(|all| all.iter().all(|number| *number >= FIRST));
        return known.ok_or_else(|| HandedError::Sockets(sockets.unwrap_or_default().to_owned()));
    }
    let is_for_us = pid.is_some_and(|pid| pid.parse() == Ok(own));
    let Some(count) = count.filter(|_| is_for_us) else { return Ok(Vec::new()) };
    let known = count.parse().ok().filter(|count| (0..=COUNT_MAX).contains(count));
    let count: RawFd = known.ok_or_else(|| HandedError::Count(count.to_owned()))?;
    Ok((FIRST..FIRST + count).collect())
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
    pub fn new(sockets: Vec<TcpListener>) -> Self {
        Self { program: program(), sockets }
    }

    /// Where that program is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Becomes that program, with the same arguments. Nothing of this process goes on, so everything is
    /// written and closed before; it comes back only to say why it could not.
    pub fn begin(self) -> io::Error {
        let mut numbers = process::id().to_string();
        for socket in &self.sockets {
            // SAFETY: the socket is open for as long as we are; it is to stay open in who comes after us.
            if unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, 0) } < 0 {
                return io::Error::last_os_error();
            }
            numbers = format!("{numbers} {}", socket.as_raw_fd());
        }
        ignore_begin_again();
        let mut next = Command::new(&self.program);
        next.args(env::args_os().skip(1)).env(SOCKETS, numbers);
        for theirs in [COUNT, FOR, NAMES] {
            next.env_remove(theirs);
        }
        next.exec()
    }
}

/// Where this program is, by the name it was called by: behind a link there may be another later on.
fn program() -> PathBuf {
    let called = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let own = env::current_exe().unwrap_or_else(|_| called.clone());
    let is_path = called.components().count() > 1 && called.canonicalize().ok() == own.canonicalize().ok();
    if is_path { std::path::absolute(&called).unwrap_or(own) } else { own }
}

/// While a node begins, SIGUSR2 means nothing; it would end the process.
pub(crate) fn ignore_begin_again() {
    // SAFETY: ignoring a signal installs no code of ours, and SIGUSR2 is one that may be ignored.
    unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
}

/// Whether what is at `program` runs here: whether it says its version within five seconds.
///
/// # Errors
/// A sentence that says why not.
pub async fn runs(program: &Path) -> Result<(), String> {
    runs_within(VERSION_WAIT, program).await
}

async fn runs_within(wait: Duration, program: &Path) -> Result<(), String> {
    let name = program.display();
    let wrong = |error: io::Error| format!("{name} does not start: {error}");
    let mut ended = signal(SignalKind::child()).map_err(wrong)?;
    let mut tried = Command::new(program);
    let tried = tried.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    let mut tried = tried.map_err(wrong)?;
    let mut too_late = pin!(tokio::time::sleep(wait));
    loop {
        match tried.try_wait() {
            Ok(Some(ended)) if ended.success() => return Ok(()),
            Ok(Some(ended)) => return Err(format!("{name} --version: {ended}")),
            Ok(None) => {}
            Err(error) => return Err(wrong(error)),
        }
        tokio::select! {
            _ = ended.recv() => {}
            () = too_late.as_mut() => {
                let _ = tried.kill();
                let _ = tried.wait();
                return Err(format!("{name} --version does not end"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

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
    fn numbers_are_for_one_process_and_name_what_is_wrong() {
        let manager = |count, pid| numbers(7, (Some(count), Some(pid)), None).map_err(|why| why.to_string());
        assert_eq!(manager("2", "7"), Ok(vec![3, 4]));
        assert_eq!(manager("2", "8"), Ok(vec![]), "another's");
        assert!(manager("65", "7").is_err_and(|why| why.contains("\"65\"")));
        assert!(manager("-1", "7").is_err() && manager("two", "7").is_err());
        let before =
            |sockets| numbers(7, (Some("1"), Some("7")), Some(sockets)).map_err(|why| why.to_string());
        assert_eq!(before("7 9 12 10"), Ok(vec![9, 12, 10]));
        assert_eq!(before("8 9"), Ok(vec![3]), "those of a node that this one descends from");
        assert!(before("7 9 x").is_err_and(|why| why.contains("7 9 x")));
        assert!(before("7 2").is_err(), "the standard ones are no sockets");
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

    #[tokio::test]
    async fn a_program_that_does_not_run_is_known_before_it_is_needed() {
        assert_eq!(runs(Path::new("/bin/true")).await, Ok(()));
        assert!(runs(Path::new("/bin/false")).await.is_err_and(|why| why.contains("/bin/false")));
        assert!(runs(Path::new("/nowhere/tribune")).await.is_err_and(|why| why.contains("does not start")));
        let folder = tempfile::tempdir().expect("a folder");
        let endless = folder.path().join("endless");
        std::fs::write(&endless, "#!/bin/sh\nexec tail -f /dev/null\n").expect("our own folder");
        std::fs::set_permissions(&endless, Permissions::from_mode(0o755)).expect("our own file");
        let ran = runs_within(Duration::from_millis(50), &endless).await;
        assert!(ran.is_err_and(|why| why.contains("does not end")));
    }
}

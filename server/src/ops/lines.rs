//! The way of a log line to standard error: a bounded queue, and a thread that writes.
//!
//! A terminal that is stopped or a pipe that nobody reads would hold up whoever logs, and the program's clock
//! logs too. So a line that finds the queue full is dropped and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait to be written.
pub const LINES_WAITING_MAX: usize = 4_096;
/// The longest line, in bytes; a longer one is dropped.
pub const LINE_BYTES_MAX: usize = 16_384;
/// How long a process that ends waits for its last lines.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// Where lines go; copies share the thread.
#[derive(Clone, Debug)]
pub struct Lines {
    queue: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    Line(Vec<u8>),
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
}

/// One line on its way.
#[derive(Debug)]
pub struct Line<'a>(&'a Lines);

impl Lines {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn to(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, waiting) = sync_channel(LINES_WAITING_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let lines = Self { queue, dropped: Arc::clone(&dropped) };
        thread::Builder::new().name("log".into()).spawn(move || write(out, &waiting, &dropped))?;
        Ok(lines)
    }

    /// Lines that were dropped, or that could not be written.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits a moment until what was logged so far is written.
    pub fn flush(&self) {
        let (written, done) = sync_channel(1);
        if self.queue.try_send(Item::Flush(written)).is_ok() {
            // Lines that nobody takes are not waited for any longer.
            let _ = done.recv_timeout(FLUSH_WAIT);
        }
    }

    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn write(mut out: impl Write, waiting: &Receiver<Item>, dropped: &AtomicU64) {
    while let Ok(item) = waiting.recv() {
        match item {
            Item::Line(line) => {
                if out.write_all(&line).is_err() {
                    dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            Item::Flush(written) => {
                // Whoever waited may have given up.
                let _ = out.flush();
                let _ = written.send(());
            }
        }
    }
}

impl Write for Line<'_> {
    /// The formatter gives each event as one whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let fits = line.len() <= LINE_BYTES_MAX;
        if !fits || self.0.queue.try_send(Item::Line(line.to_vec())).is_err() {
            self.0.drop_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// A pipe whose reader takes a line only when it is told to.
    struct Pipe {
        go: Receiver<()>,
        took: Sender<Vec<u8>>,
    }

    impl Write for Pipe {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.go.recv().map_err(io::Error::other)?;
            self.took.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_never_waits_for_who_reads() {
        let (go, told) = channel();
        let (took, taken) = channel();
        let lines = Lines::to(Pipe { go: told, took }).expect("a thread");
        let log = |line: &[u8]| lines.make_writer().write_all(line).expect("a line is always taken");
        log(&vec![b'x'; LINE_BYTES_MAX + 1]);
        assert_eq!(lines.dropped(), 1, "too long");
        for _ in 0..LINES_WAITING_MAX + 10 {
            log(b"line\n");
        }
        // One may be with the writer, the others wait.
        let dropped = lines.dropped() - 1;
        assert!((9..=10).contains(&dropped), "{dropped} of ten too many");
        let written = LINES_WAITING_MAX + 10 - dropped as usize;
        (0..written).for_each(|_| go.send(()).expect("it writes"));
        let first: Vec<_> = taken.iter().take(written).collect();
        assert!(first.iter().all(|line| line == b"line\n"));
        log(b"last\n");
        go.send(()).expect("it writes");
        lines.flush();
        assert_eq!(taken.try_recv().expect("flushed"), b"last\n");
    }
}

//! What is read at the moment of the scrape instead of being kept: the books, the process, the disk.

use std::fmt;
use std::path::PathBuf;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Unit;
use tribune_core::books::{Books, Column};
use tribune_core::reason::{Departure, Refusal, Shed};

use super::{Ledger, logs};

const NO_EXEMPLAR: Option<&Exemplar<Vec<(String, String)>, u64>> = None;

/// The books, all of them as of one moment.
#[derive(Debug)]
pub(super) struct BooksCollector(pub(super) Ledger);

impl Collector for BooksCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let books = self.0.snapshot();
        assert!(books.is_balanced(), "arrived = waiting + seated + refused + left");
        let mut arrived = encoder.encode_descriptor(
            "tribune_arrived",
            "People who ever came: tickets, and connections without one",
            None,
            MetricType::Counter,
        )?;
        arrived.encode_counter(&books.arrived(), NO_EXEMPLAR)?;
        gauge(&mut encoder, "tribune_waiting", "People who wait for a seat", books.count(Column::Waiting))?;
        gauge(&mut encoder, "tribune_seated", "People who have a seat", books.count(Column::Seated))?;
        by_reason(
            &mut encoder,
            ("tribune_refused", "People turned away for good, by reason"),
            refused(&books),
        )?;
        by_reason(&mut encoder, ("tribune_left", "People who left, by reason"), left(&books))?;
        by_reason(
            &mut encoder,
            ("tribune_shed", "Connections and requests dropped before they became a person, by reason"),
            shed(&books),
        )
    }
}

fn refused(books: &Books) -> impl Iterator<Item = (&'static str, u64)> {
    Refusal::ALL.into_iter().map(|why| (why.row().code, books.refused(why)))
}

fn left(books: &Books) -> impl Iterator<Item = (&'static str, u64)> {
    Departure::ALL.into_iter().map(|why| (why.code(), books.left(why)))
}

fn shed(books: &Books) -> impl Iterator<Item = (&'static str, u64)> {
    Shed::ALL.into_iter().map(|why| (why.code(), books.shed_for(why)))
}

fn by_reason(
    encoder: &mut DescriptorEncoder,
    (name, help): (&str, &str),
    counts: impl Iterator<Item = (&'static str, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (reason, count) in counts {
        let label = [("reason", reason)];
        let mut one: MetricEncoder = family.encode_family(&label)?;
        one.encode_counter(&count, NO_EXEMPLAR)?;
    }
    Ok(())
}

fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

/// The process by `/proc/self`, and the disk the data folder is on. What cannot be read is left out of the
/// scrape.
#[derive(Debug)]
pub(super) struct HostCollector {
    pub(super) data: PathBuf,
}

impl Collector for HostCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        encoder
            .encode_descriptor(
                "tribune_log_lines_dropped",
                "Lines of the log that were dropped because nobody took them in time",
                None,
                MetricType::Counter,
            )?
            .encode_counter(&logs::dropped(), NO_EXEMPLAR)?;
        if let Some(free) = disk_free_bytes(&self.data) {
            let help = "Bytes that may still be written where the data folder is";
            encoder
                .encode_descriptor("tribune_disk_free", help, Some(&Unit::Bytes), MetricType::Gauge)?
                .encode_gauge(&free)?;
        }
        if let Some(resident) = resident_bytes() {
            let help = "Memory the process has in RAM";
            encoder
                .encode_descriptor("process_resident_memory", help, Some(&Unit::Bytes), MetricType::Gauge)?
                .encode_gauge(&resident)?;
        }
        if let Some(seconds) = cpu_seconds() {
            let help = "Processor time the process has used, user and system";
            encoder
                .encode_descriptor("process_cpu", help, Some(&Unit::Seconds), MetricType::Counter)?
                .encode_counter(&seconds, None::<&Exemplar<Vec<(String, String)>, f64>>)?;
        }
        if let Some(open) = open_descriptors() {
            gauge(&mut encoder, "process_open_fds", "Open file descriptors", open)?;
        }
        gauge(
            &mut encoder,
            "process_max_fds",
            "Most file descriptors the process may open",
            max_descriptors(),
        )
    }
}

/// Bytes an unprivileged process may still write on the disk that holds `path`.
pub(crate) fn disk_free_bytes(path: &std::path::Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends with a NUL and lives through the call; `stat` has room for what is written.
    let answer = unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) };
    if answer != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so it filled `stat`.
    let stat = unsafe { stat.assume_init() };
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * sysconf(libc::_SC_PAGESIZE)?)
}

/// Fields 14 and 15 of proc_pid_stat(5), counted after the closing parenthesis of the name, which may hold
/// anything.
pub(crate) fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap_or_default())
        .sum();
    Some(ticks as f64 / sysconf(libc::_SC_CLK_TCK)? as f64)
}

pub(crate) fn open_descriptors() -> Option<u64> {
    u64::try_from(std::fs::read_dir("/proc/self/fd").ok()?.count()).ok()
}

fn max_descriptors() -> u64 {
    crate::descriptors::most().unwrap_or_default()
}

fn sysconf(name: libc::c_int) -> Option<u64> {
    // SAFETY: sysconf reads a constant of the system and touches no memory of ours.
    u64::try_from(unsafe { libc::sysconf(name) }).ok()
}

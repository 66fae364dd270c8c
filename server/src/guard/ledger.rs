//! The guard's ledger on the disk: a file for each day, a line for each second in which anything happened.
//!
//! A thread of its own writes it, so that the guard never waits for the disk. What a status names as the
//! ledger's head is on the disk for good: it is told only after the disk has said so.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tribune_core::guard::live::{Audit, Said, Term};
use tribune_core::guard::report::{
    AuditKey, Broken, Chain, Done, Evening, Finder, Happening, LINE_BYTES_MAX, Line, RoomSaid, pseudonym,
    whole_lines,
};
use tribune_core::hmac::Hmac;
use tribune_core::time::{Time, WallTime};

use super::Watch;
use crate::keys;
use crate::ops::logs::Repeats;

/// The folder of the data folder in which the guard keeps what is its own.
pub const FOLDER: &str = "guard";
/// A file of a day is called this, the day, and that.
const BEGINS: &str = "ledger-";
const ENDS: &str = ".jsonl";
/// Nothing is removed on a day that begins more than so many days after the one before.
const STEP_DAYS_MAX: i64 = 2;
/// Days that are kept.
const KEPT_DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;
/// Lines that may wait for the disk: two minutes.
const LINES_MAX: usize = 128;
/// The disk is asked so often whether it has them for good.
const SYNC_EVERY: Duration = Duration::from_secs(5);
/// When there was nothing to write for so long, it is asked at once.
const IDLE: Duration = Duration::from_secs(2);

static NOT_KEPT: Repeats = Repeats::new();

/// Where the guard hands over its seconds.
pub struct Ledger {
    lines: SyncSender<ToWrite>,
    /// For pseudonyms; nobody else has it, and it ends with the process.
    key: Hmac,
    next_act: u64,
    /// How long the audit's key is in force.
    term: Term,
    watch: Watch,
}

/// A line that is to be written.
struct ToWrite {
    at: WallTime,
    line: Line,
    /// The audit that is in force after it, where that is another one.
    next: Option<Audit>,
}

/// Why there is no evening to report.
#[derive(Debug, thiserror::Error)]
pub enum EveningError {
    /// The disk.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is written there.
    #[error(transparent)]
    Ledger(#[from] Broken),
}

impl Ledger {
    /// Goes on with the ledger of this data folder. To be called before any status names the audit's key,
    /// which may be one from before a restart.
    ///
    /// # Errors
    /// It cannot be read or written, or no thread can be had.
    pub fn start(data: &Path, watch: Watch) -> io::Result<Self> {
        let (ledger, writer, to_write) = Self::begin(data, watch)?;
        let begun = std::thread::Builder::new().name("ledger".to_owned());
        begun.spawn(move || writer.write_all(&to_write))?;
        Ok(ledger)
    }

    fn begin(data: &Path, watch: Watch) -> io::Result<(Self, Writer, Receiver<ToWrite>)> {
        let (writer, term) = Writer::open(data.join(FOLDER), watch.clone())?;
        let (lines, to_write) = sync_channel(LINES_MAX);
        let key: [u8; 32] = watch.0.world.entropy();
        Ok((Self { lines, key: Hmac::new(&key), next_act: 0, term, watch }, writer, to_write))
    }

    /// A second is over.
    pub(super) fn second(&mut self, at: (WallTime, u64), said: &Said, rooms: BTreeMap<String, RoomSaid>) {
        let new = said.acts.iter().filter(|act| act.number >= self.next_act);
        let acts: Vec<_> =
            new.map(|act| Done { number: act.number, source: pseudonym(&self.key, act.source) }).collect();
        self.next_act = acts.last().map_or(self.next_act, |act| act.number + 1);
        let is_over = self.term.is_over(at.1, rooms.keys());
        let open = rooms.keys().cloned().collect();
        let in_force = self.watch.audit();
        let audit = if is_over { AuditKey::Over(&in_force) } else { AuditKey::InForce(&in_force) };
        let happening = Happening { at, said, audit, acts, rooms };
        if !happening.is_anything() {
            return;
        }
        let next = is_over.then(|| Audit::new(self.watch.0.world.entropy()));
        let to_write = ToWrite { at: at.0, line: happening.line(), next: next.clone() };
        match (self.lines.try_send(to_write), next) {
            (Ok(()), None) => {}
            // Nobody can have read the line yet.
            (Ok(()), Some(next)) => {
                self.watch.begin_audit(next);
                self.term = Term::begin(at.1, open);
            }
            // A key that was not told goes on, and is told with the next line.
            (Err(_), _) => {
                if let Some(repeated) = NOT_KEPT.pass(self.watch.0.world.now()) {
                    tracing::error!(why = "the disk is too slow", repeated, "ledger_not_written");
                }
            }
        }
    }
}

/// The file of a day, open at its end.
struct Open {
    day: String,
    file: File,
}

/// The thread's.
struct Writer {
    folder: PathBuf,
    open: Option<Open>,
    chain: Chain,
    watch: Watch,
    synced: Time,
    is_synced: bool,
}

impl Writer {
    /// Goes on with the ledger of this folder, and with the audit's key if that has not been told.
    fn open(folder: PathBuf, watch: Watch) -> io::Result<(Self, Term)> {
        fs::create_dir_all(&folder)?;
        let (mut open, mut last) = (None, None);
        for (day, path) in days(&folder)?.into_iter().rev() {
            let (file, line) = open_at_end(&path)?;
            open.get_or_insert(Open { day, file });
            last = line;
            if last.is_some() {
                break;
            }
        }
        let (chain, broken) = Chain::after(last.as_deref());
        if let Some(broken) = broken {
            tracing::error!(%broken, "ledger_begins_anew");
        }
        let last = last.and_then(|last| Line::read(&last).ok());
        match keys::audit_key(&folder).map(Audit::new) {
            Some(audit) if last.as_ref().is_some_and(|last| last.goes_on_with(&audit)) => {
                watch.begin_audit(audit);
            }
            Some(_) | None => keep_key(&folder, &watch.audit()),
        }
        let synced = watch.0.world.now();
        let term = Term::begin(synced.millis(), last.map(|last| last.open_rooms()).unwrap_or_default());
        let writer = Self { folder, open, chain, watch, synced, is_synced: true };
        writer.tell();
        Ok((writer, term))
    }

    fn write_all(mut self, lines: &Receiver<ToWrite>) {
        loop {
            let written = match lines.recv_timeout(IDLE) {
                Ok(ToWrite { at, line, next: None }) => {
                    self.write(at, line).and_then(|()| self.sync_in_time())
                }
                Ok(ToWrite { at, line, next: Some(next) }) => {
                    // What tells a key is there for good before the key itself is written over.
                    let written = self.write(at, line).and_then(|()| self.sync());
                    keep_key(&self.folder, &next);
                    written
                }
                Err(RecvTimeoutError::Timeout) => self.sync(),
                Err(RecvTimeoutError::Disconnected) => {
                    let _ = self.sync();
                    return;
                }
            };
            if let Err(error) = written {
                // Whatever is there of a line is cut off when the file is opened again.
                self.open = None;
                if let Some(repeated) = NOT_KEPT.pass(self.watch.0.world.now()) {
                    tracing::error!(%error, repeated, "ledger_not_written");
                }
            }
        }
    }

    fn write(&mut self, at: WallTime, line: Line) -> io::Result<()> {
        let day = day_of(at);
        // When the clock is set back, the lines stay in the order in which they came.
        let day = self.open.as_ref().map_or(day.clone(), |open| open.day.clone().max(day));
        if self.open.as_ref().is_none_or(|open| open.day != day) {
            self.sync()?;
            let (file, _) = open_at_end(&self.folder.join(format!("{BEGINS}{day}{ENDS}")))?;
            self.open = Some(Open { day, file });
            self.remove_old(at);
        }
        let (mut bytes, head) = self.chain.next(line);
        bytes.push(b'\n');
        if let Some(open) = &mut self.open {
            open.file.write_all(&bytes)?;
        }
        self.chain.kept(head);
        self.is_synced = false;
        Ok(())
    }

    fn sync_in_time(&mut self) -> io::Result<()> {
        if self.watch.0.world.now().since(self.synced) < SYNC_EVERY { Ok(()) } else { self.sync() }
    }

    /// What is written is there for good, and may be told.
    fn sync(&mut self) -> io::Result<()> {
        self.synced = self.watch.0.world.now();
        if self.is_synced {
            return Ok(());
        }
        // Without a file something went wrong: the next line opens it again, and asks for all of it.
        let Some(open) = &self.open else { return Ok(()) };
        open.file.sync_data()?;
        self.is_synced = true;
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        self.watch.0.ledger.store(self.chain.head().cloned().map(std::sync::Arc::new));
    }

    fn remove_old(&self, now: WallTime) {
        // A clock that was set years ahead takes no evening with it: what counts is also the day before.
        let all = days(&self.folder).unwrap_or_default();
        let before = all.iter().rev().map(|(day, _)| day).find(|day| **day < day_of(now));
        let is_next =
            before.is_none_or(|day| *day >= day_of(WallTime(now.0.saturating_sub(STEP_DAYS_MAX * DAY_MS))));
        if !is_next {
            return;
        }
        let first = day_of(WallTime(now.0.saturating_sub(KEPT_DAYS * DAY_MS)));
        let old = all.into_iter().filter(|(day, _)| *day < first);
        for (_, path) in old {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "ledger_not_removed");
            }
        }
    }
}

/// A key that cannot be kept is drawn by all the same: it is lost when the node stops before it was told.
fn keep_key(folder: &Path, audit: &Audit) {
    if let Err(error) = keys::keep_audit_key(folder, &audit.key()) {
        tracing::error!(%error, "audit_key_not_kept");
    }
}

/// A file of lines, cut off after the last whole one; and that one.
fn open_at_end(path: &Path) -> io::Result<(File, Option<Vec<u8>>)> {
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    let bytes = file.metadata()?.len();
    let from = bytes.saturating_sub(2 * LINE_BYTES_MAX as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let (whole, last) = whole_lines(&tail);
    if whole < tail.len() {
        let torn = tail.len() - whole;
        tracing::warn!(path = %path.display(), torn, "ledger_line_cut_off");
        file.set_len(from + whole as u64)?;
    }
    file.seek(SeekFrom::End(0))?;
    let last = last.and_then(|begin| tail.get(begin..whole.saturating_sub(1))).map(<[u8]>::to_vec);
    Ok((file, last))
}

/// The files of the ledger, the oldest first.
fn days(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut days = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let day = name.to_str().and_then(|name| name.strip_prefix(BEGINS)?.strip_suffix(ENDS));
        if let Some(day) = day.filter(|day| is_day(day)) {
            days.push((day.to_owned(), entry.path()));
        }
    }
    days.sort();
    Ok(days)
}

fn is_day(text: &str) -> bool {
    WallTime::parse(&format!("{text}T00:00:00Z")).is_some()
}

fn day_of(at: WallTime) -> String {
    at.rfc3339().chars().take(10).collect()
}

/// The last evening of a room, from the ledger of a data folder; a node may be writing it.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn evening(data: &Path, room: &str) -> Result<Evening, EveningError> {
    let folder = data.join(FOLDER);
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| EveningError::Io { path, source }
    };
    let mut finder = Finder::new(room);
    for (_, path) in days(&folder).map_err(unreadable(&folder))? {
        let file = File::open(&path).map_err(unreadable(&path))?;
        take_lines(BufReader::new(file), &mut finder).map_err(unreadable(&path))?;
    }
    Ok(finder.finish()?)
}

/// All whole lines, of which none takes more memory than a line may.
fn take_lines(mut from: impl BufRead, finder: &mut Finder) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = LINE_BYTES_MAX as u64 + 2;
        (&mut from).take(most).read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\n") {
            Some(whole) => finder.take(whole),
            // The end; or a line that is being written.
            None if line.len() <= LINE_BYTES_MAX => return Ok(()),
            None => {
                finder.take(&line);
                from.skip_until(b'\n')?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tribune_core::guard::live::Guard;

    use super::*;
    use crate::world::World;

    fn said(at_ms: u64, wall: i64) -> Said {
        Guard::new(10).second(at_ms, WallTime(wall), &Audit::new([7; 32]))
    }

    fn rooms(listening: u64) -> BTreeMap<String, RoomSaid> {
        BTreeMap::from([("debate".to_owned(), RoomSaid { listening, cap: 5, ..RoomSaid::default() })])
    }

    /// Writes so many seconds from this moment on and closes the ledger.
    fn write(data: &Path, from: i64, seconds: i64) {
        let watch = Watch::new(World::begin());
        let (mut writer, _) = Writer::open(data.join(FOLDER), watch.clone()).expect("a folder of ours");
        for second in 0..seconds {
            let at = WallTime(from + second * 1_000);
            let (said, audit) = (said(0, at.0), watch.audit());
            let audit = AuditKey::InForce(&audit);
            let happening = Happening { at: (at, 0), said: &said, audit, acts: Vec::new(), rooms: rooms(20) };
            writer.write(at, happening.line()).expect("written");
        }
        writer.sync().expect("synced");
    }

    #[test]
    fn the_chain_goes_on_after_a_restart_and_over_midnight() {
        let data = tempfile::tempdir().expect("a folder");
        // Five seconds before a midnight.
        let from = 20_000 * DAY_MS - 5_000;
        write(data.path(), from, 3);
        write(data.path(), from + 3_000, 10);
        let files = days(&data.path().join(FOLDER)).expect("readable");
        assert_eq!(files.len(), 2, "a file a day");
        let evening = evening(data.path(), "debate").expect("an evening");
        assert_eq!(evening.ledger().iter().filter(|byte| **byte == b'\n').count(), 13);
        let other = super::evening(data.path(), "other");
        assert!(matches!(other, Err(EveningError::Ledger(Broken::NoRoom))));
        write(data.path(), from + 40 * DAY_MS, 1);
        assert_eq!(days(&data.path().join(FOLDER)).expect("readable").len(), 3, "perhaps the clock is wrong");
        write(data.path(), from + 41 * DAY_MS, 1);
        assert_eq!(days(&data.path().join(FOLDER)).expect("readable").len(), 2, "thirty days are kept");
    }

    /// A node that runs for these seconds, each with the debate open or not: which audits were in force
    /// before and after.
    fn run(data: &Path, seconds: &[(i64, bool)]) -> [[u8; 32]; 2] {
        let watch = Watch::new(World::begin());
        let (mut ledger, writer, to_write) = Ledger::begin(data, watch.clone()).expect("a folder of ours");
        let before = watch.audit_commitment();
        for (second, is_open) in seconds {
            let wall = WallTime(20_000 * DAY_MS + second * 1_000);
            let open = if *is_open { rooms(20) } else { BTreeMap::new() };
            ledger.second((wall, 0), &said(0, wall.0), open);
        }
        drop(ledger);
        writer.write_all(&to_write);
        [before, watch.audit_commitment()]
    }

    #[test]
    fn the_audits_key_goes_on_over_a_restart_and_is_told_when_the_room_closes() {
        let data = tempfile::tempdir().expect("a folder");
        let [first, same] = run(data.path(), &[(0, true), (1, true)]);
        assert_eq!(first, same, "a room is open");
        let report = |data: &Path| -> serde_json::Value {
            let evening = evening(data, "debate").expect("an evening");
            serde_json::from_slice(&evening.bundle("1").json).expect("JSON")
        };
        assert_eq!(report(data.path())["audit"][0]["key"], serde_json::Value::Null);
        let [same, next] = run(data.path(), &[(9, true), (10, false), (11, false)]);
        assert!(first == same && first != next, "the key of before the restart, until the room closes");
        let report = report(data.path());
        let key = report["audit"][0]["key"].as_str().expect("it is told");
        assert_eq!((key.len(), &report["audit"][0]["seconds"]), (43, &serde_json::json!(3)));
        assert_eq!((&report["seconds"], &report["ledger"]["last_seq"]), (&3.into(), &3.into()));
        let [fresh, _] = run(data.path(), &[]);
        assert_ne!(fresh, first, "a key that was told is never drawn by again");
    }

    #[test]
    fn a_torn_line_is_cut_off_and_a_changed_one_is_told() {
        let data = tempfile::tempdir().expect("a folder");
        let from = 20_000 * DAY_MS;
        write(data.path(), from, 3);
        let path = days(&data.path().join(FOLDER)).expect("readable")[0].1.clone();
        let whole = fs::read(&path).expect("readable");
        fs::write(&path, [&whole[..], b"{\"seq\":3,\"at"].concat()).expect("writable");
        assert!(evening(data.path(), "debate").is_ok(), "what is being written is not read");
        write(data.path(), from + 3_000, 2);
        let mended = fs::read(&path).expect("readable");
        assert!(mended.starts_with(&whole));
        assert_eq!(evening(data.path(), "debate").expect("an evening").ledger(), mended);
        let changed =
            String::from_utf8(mended).expect("text").replacen("\"listening\":20", "\"listening\":21", 1);
        fs::write(&path, changed).expect("writable");
        let error = evening(data.path(), "debate").expect_err("changed").to_string();
        assert!(error.contains("does not follow"), "{error}");
        for hostile in [&b"[[[[\n"[..], b"\xff\xfe\n\n", &vec![b'x'; 3 * LINE_BYTES_MAX]] {
            fs::write(&path, hostile).expect("writable");
            assert!(evening(data.path(), "debate").is_err());
        }
    }
}

//! Programs that people really send with, unchanged: what they say at the door is understood, and their sound
//! arrives.
//!
//! Needs ffmpeg, ices2 and liquidsoap (Debian packages of these names).

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tribune_server::net::{Bound, Gated, Limits, ListenerSpec, SourceRequest, TakeSource, Trusted, serve};
use tribune_server::ops::Metrics;
use tribune_server::shutdown;
use tribune_server::world::World;

/// Bytes of sound after which a client is believed.
const ENOUGH_BYTES: usize = 16_384;
/// Liquidsoap alone needs some ten seconds to begin on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a client said and sent.
#[derive(Debug)]
struct Taken {
    target: String,
    authorization: String,
    content_type: String,
    sound: Vec<u8>,
}

/// A client that is ended with the test.
struct Client(Child);

impl Client {
    /// In a process group of its own, so that what it starts ends with it.
    fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("{name} (a Debian package) cannot be started: {error}")))
    }

    fn said(mut self) -> String {
        let _ = self.0.kill();
        let mut said = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            let _ = stderr.read_to_string(&mut said);
        }
        said
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn take(source: SourceRequest, taken: mpsc::Sender<Taken>) {
    let header = |name| source.head.header(name).unwrap_or_default().to_owned();
    let (target, authorization) = (source.head.target.clone(), header("authorization"));
    let content_type = header("content-type");
    let mut sending = source.accept().await.expect("the client waits for its answer");
    let mut sound = vec![0; ENOUGH_BYTES];
    sending.stream.read_exact(&mut sound).await.expect("the client sends");
    let _ = taken.send(Taken { target, authorization, content_type, sound }).await;
    // From here on the client is only kept content until the test ends it.
    while sending.stream.read(&mut [0; 4_096]).await.is_ok_and(|read| read > 0) {}
}

fn node() -> (SocketAddr, mpsc::Receiver<Taken>, shutdown::Trigger) {
    let (sender, taken) = mpsc::channel(4);
    let take_source: TakeSource = Arc::new(move |source| Box::pin(take(source, sender.clone())));
    let bound = Bound::open(&["127.0.0.1:0".parse().expect("an address")]).expect("a free port");
    let addr = bound.addrs()[0];
    let spec = ListenerSpec {
        name: "stage",
        tls: None,
        trusted: Trusted::default(),
        limits: Limits::stage(1_024),
        take_source: Some(take_source),
        gated: Gated::No,
        watch: None,
        fanout: None,
        ready: None,
        metrics: Metrics::new(&std::env::temp_dir()),
        world: World::begin(),
    };
    let (trigger, shutdown) = shutdown::pair();
    drop(serve(bound, spec, Router::new().fallback(no_key), shutdown));
    (addr, taken, trigger)
}

/// libshout begins with an empty `PUT` without a key, and sends its key to whoever answers 401.
async fn no_key() -> impl IntoResponse {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic realm=\"tribune\"")])
}

async fn sound_of(command: &mut Command, taken: &mut mpsc::Receiver<Taken>) -> Taken {
    let client = Client::start(command);
    match tokio::time::timeout(PATIENCE, taken.recv()).await {
        Ok(Some(taken)) => {
            assert!(taken.authorization.starts_with("Basic "), "{}", taken.authorization);
            assert!(taken.target.starts_with("/room/source"), "{}", taken.target);
            taken
        }
        Ok(None) | Err(_) => panic!("no sound came; the client said:\n{}", client.said()),
    }
}

fn ffmpeg(arguments: &[&str], addr: SocketAddr) -> Command {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-loglevel", "verbose", "-f", "lavfi", "-i", "sine"])
        .args(arguments)
        .arg(format!("icecast://source:KEY@{addr}/room/source"));
    command
}

#[tokio::test]
async fn ffmpeg_sends_by_put_and_by_source() {
    let (addr, mut taken, _trigger) = node();
    let opus = ["-c:a", "libopus", "-f", "ogg", "-content_type", "audio/ogg"];
    let by_put = sound_of(&mut ffmpeg(&opus, addr), &mut taken).await;
    assert!(by_put.sound.starts_with(b"OggS"));
    assert_eq!(by_put.content_type, "audio/ogg");
    let legacy = [&opus[..], &["-legacy_icecast", "1"]].concat();
    assert!(sound_of(&mut ffmpeg(&legacy, addr), &mut taken).await.sound.starts_with(b"OggS"));
    let mp3 = ["-c:a", "libmp3lame", "-f", "mp3", "-content_type", "audio/mpeg"];
    assert_eq!(sound_of(&mut ffmpeg(&mp3, addr), &mut taken).await.content_type, "audio/mpeg");
}

#[tokio::test]
async fn liquidsoap_sends() {
    let (addr, mut taken, _trigger) = node();
    let script = format!(
        "settings.init.allow_root.set(true)\n\
         output.icecast(%mp3, host=\"{}\", port={}, password=\"KEY\", mount=\"room/source\", sine())",
        addr.ip(),
        addr.port()
    );
    let taken = sound_of(Command::new("liquidsoap").arg(script), &mut taken).await;
    assert_eq!(taken.content_type, "audio/mpeg");
}

/// ices2 sends Vorbis files as they are.
#[tokio::test]
async fn ices_sends() {
    let folder = tempfile::tempdir().expect("a folder");
    let (addr, mut taken, _trigger) = node();
    let config = ices_config(folder.path(), addr);
    let taken = sound_of(Command::new("ices2").arg(&config).current_dir(folder.path()), &mut taken).await;
    assert!(taken.sound.starts_with(b"OggS"));
}

fn ices_config(folder: &Path, addr: SocketAddr) -> std::path::PathBuf {
    let (tone, list, config) = (folder.join("tone.ogg"), folder.join("list"), folder.join("ices.xml"));
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "anoisesrc=d=120:a=0.1"])
        .args(["-c:a", "libvorbis", "-b:a", "128k"])
        .arg(&tone)
        .status()
        .expect("ffmpeg (a Debian package) is here");
    assert!(made.success());
    std::fs::write(&list, format!("{}\n", tone.display())).expect("written");
    let xml = format!(
        "<ices><background>0</background><logpath>{folder}</logpath><logfile>ices.log</logfile>\
         <loglevel>4</loglevel><consolelog>1</consolelog><stream><metadata><name>n</name></metadata>\
         <input><module>playlist</module><param name=\"type\">basic</param>\
         <param name=\"file\">{list}</param>\
         <param name=\"random\">0</param></input><instance><hostname>{host}</hostname><port>{port}</port>\
         <password>KEY</password><mount>/room/source</mount></instance></stream></ices>",
        folder = folder.display(),
        list = list.display(),
        host = addr.ip(),
        port = addr.port(),
    );
    std::fs::File::create(&config).and_then(|mut file| file.write_all(xml.as_bytes())).expect("written");
    config
}

//! Over TLS, HTTP/2 and IPv6: the same programs, the same sound.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::node::{Node, agent, until};
use crate::players;
use crate::sources::{OPUS, Sender};
use crate::tone;

/// A certificate for this machine that nobody but the tests trusts: `cert.pem` and `key.pem`.
pub fn certify(folder: &Path) -> (String, String) {
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.join(name).display().to_string());
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,IP:::1"])
        .args(["-keyout", &key, "-out", &cert])
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("openssl: {error}; `make setup` installs it"));
    assert!(made.success(), "openssl: {made}");
    (cert, key)
}

/// What curl says of each address it fetched over one HTTP/2 connection if it can: version, status, new
/// connections.
fn by_http2(cert: &str, addresses: &[String]) -> Vec<String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--http2", "--cacert", cert]);
    command.args(["--write-out", "%{stderr}%{http_version} %{response_code} %{num_connects}\\n"]);
    for address in addresses {
        command.args(["--output", "/dev/null", address]);
    }
    let done = command.output().unwrap_or_else(|error| panic!("curl: {error}; `make setup` installs it"));
    String::from_utf8_lossy(&done.stderr).lines().map(str::to_owned).collect()
}

#[test]
fn sources_and_listeners_over_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = certify(folder.path());
    let node = Node::start_with(folder.path(), &["--tls-cert", &cert, "--tls-key", &key]);
    assert!(node.public.starts_with("https://"), "{}", node.public);
    let room = node.live_room("secret");
    let _sender = Sender::tone(&node, &room, "", 620, &[OPUS, &["-tls", "1"]].concat());
    until("the tone is heard", || {
        let sound = players::ffmpeg(&format!("{}/secret/live.opus", node.public), 2);
        tone::share(&sound, 48_000.0, 620.0) > 0.8
    });
    let (_, playlist) = node.get("/secret/hls/opus64.m3u8");
    let playlist = String::from_utf8(playlist).expect("a playlist is text");
    let mut parts = playlist.lines().filter(|line| line.starts_with("#EXT-X-PART:"));
    let newest = parts.next_back().and_then(|line| line.split("URI=\"").nth(1)?.split('"').next());
    let newest = newest.expect("a playlist names parts");
    let at = |path: &str| format!("{}/secret/{path}", node.public);
    let addresses = [at("status"), at("hls/opus64.m3u8"), at(&format!("hls/{newest}"))];
    let status = at("status");
    for (over_tls, url) in [(true, &node.public), (true, &status), (true, &node.stage), (false, &node.ops)] {
        let answer = agent().get(url).call().expect("the node answers");
        let strict = answer.headers().get("strict-transport-security").map(|line| line.as_bytes());
        assert_eq!(strict, over_tls.then_some(&b"max-age=31536000"[..]), "{url}");
    }
    assert_eq!(by_http2(&cert, &addresses), ["2 200 1", "2 200 0", "2 200 0"], "{addresses:?}");
}

#[test]
fn sources_and_listeners_over_ipv6() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start_at("[::1]:0", folder.path(), &[]);
    assert!(node.public.starts_with("http://[::1]:"), "{}", node.public);
    let room = node.live_room("six");
    let _sender = Sender::tone(&node, &room, "", 580, OPUS);
    until("the tone is heard", || {
        let sound = players::ffmpeg(&format!("{}/six/live.opus", node.public), 2);
        tone::share(&sound, 48_000.0, 580.0) > 0.8
    });
}

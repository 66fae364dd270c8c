//! Fifty low-latency players behind one nginx: the node sees about the load of one.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::node::{Node, agent, until};
use crate::sources::{OPUS, Sender};

/// Parts each player follows.
const PARTS: usize = 20;
const PLAYERS: usize = 50;

struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have failed to start; the test says so elsewhere.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

fn nginx(folder: &std::path::Path, node: &Node, port: u16) -> Nginx {
    let config = format!(
        "daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;\n\
         fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;\n\
         proxy_cache_path {dir}/cache keys_zone=live:1m;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {upstream}; proxy_http_version 1.1;\n\
         proxy_cache live; proxy_cache_lock on; proxy_cache_lock_timeout 10s;\n\
         proxy_cache_lock_age 10s; }} }} }}",
        dir = folder.display(),
        upstream = node.public,
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, config).expect("our own folder");
    let child = Command::new("nginx")
        .args(["-p", folder.to_str().expect("a plain path"), "-c"])
        .arg(&path)
        .stderr(Stdio::null())
        .spawn();
    Nginx(child.unwrap_or_else(|error| panic!("nginx: {error}; `make setup` installs it")))
}

/// Follows the program for `PARTS` parts as hls.js does: blocking reload, then the part it brought.
fn follow(base: &str) -> usize {
    let agent = agent();
    let get = |url: String| -> String {
        let mut answer = agent.get(&url).call().expect("the cache answers");
        assert_eq!(answer.status(), 200, "{url}");
        answer.body_mut().read_to_string().unwrap_or_default()
    };
    let fetch = |url: String| {
        let mut answer = agent.get(&url).call().expect("the cache answers");
        assert_eq!(answer.status(), 200, "{url}");
        answer.body_mut().read_to_vec().expect("a part is bytes").len()
    };
    let multivariant = get(format!("{base}/live.m3u8"));
    let media =
        multivariant.lines().find(|line| !line.starts_with('#') && !line.is_empty()).expect("a variant");
    let folder = media.rsplit_once('/').map_or("", |(folder, _)| folder);
    let (mut url, mut bytes) = (format!("{base}/{media}"), 0);
    for _ in 0..PARTS {
        let playlist = get(url);
        let sequence: u64 = tag(&playlist, "#EXT-X-MEDIA-SEQUENCE:").parse().expect("a number");
        let segments = playlist.lines().filter(|line| line.starts_with("#EXTINF")).count() as u64;
        let after_last = playlist.rsplit("#EXTINF").next().unwrap_or("");
        let open_parts = after_last.lines().filter(|line| line.starts_with("#EXT-X-PART:")).count() as u64;
        let newest = playlist.lines().rfind(|line| line.starts_with("#EXT-X-PART:")).expect("a part");
        let part =
            newest.split("URI=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a part's address");
        bytes += fetch(format!("{base}/{folder}/{part}"));
        url = format!("{base}/{media}?_HLS_msn={}&_HLS_part={open_parts}", sequence + segments);
    }
    bytes
}

fn tag<'a>(playlist: &'a str, name: &str) -> &'a str {
    playlist
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_else(|| panic!("{name} in {playlist}"))
}

#[test]
fn fifty_players_behind_a_cache_cost_the_node_as_much_as_one() {
    let node = Node::start();
    let room = node.live_room("cached");
    let _sender = Sender::tone(&node, &room, "", 440, OPUS);
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let _nginx = nginx(folder.path(), &node, port);
    let base = format!("http://127.0.0.1:{port}/cached");
    until("nginx answers with the program", || {
        agent().get(format!("{base}/live.m3u8")).call().is_ok_and(|answer| answer.status() == 200)
    });
    let requests = || node.metric("tribune_http_requests_total");
    let (before, began) = (requests(), Instant::now());
    assert!(follow(&base) > 0);
    let one = (requests() - before) / began.elapsed().as_secs_f64();
    let (before, began) = (requests(), Instant::now());
    let players: Vec<_> = (0..PLAYERS)
        .map(|_| {
            let base = base.clone();
            std::thread::spawn(move || follow(&base))
        })
        .collect();
    assert!(players.into_iter().all(|player| player.join().is_ok_and(|bytes| bytes > 0)));
    // Each player's own multivariant playlist is never cached; what is behind it is.
    let fifty = (requests() - before - PLAYERS as f64) / began.elapsed().as_secs_f64();
    assert!(fifty <= 2.0 * one, "one player costs {one} requests a second, fifty cost {fifty}");
}

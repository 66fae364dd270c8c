//! Real sockets on ports the system chooses: what each step of a connection takes, and what it refuses.

use std::fs;
use std::sync::Mutex;

use axum::extract::Extension;
use axum::routing::{any, get};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tribune_core::books::Books;
use tribune_core::door::address::PROXY_SIGNATURE;
use tribune_core::reason::Refusal;

use super::*;
use crate::shutdown::{self, Trigger};

mod untaken;

/// Milliseconds a step gets in tests of what happens when it takes longer.
const SHORT_MS: u64 = 40;

struct Node {
    addr: SocketAddr,
    metrics: Arc<Metrics>,
    trigger: Trigger,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct With {
    tls: Option<Arc<tls::Certificates>>,
    trusted: Option<&'static str>,
    limits: Option<Limits>,
    take_source: Option<TakeSource>,
}

impl Node {
    fn start(with: With) -> Self {
        let bound = Bound::open(&["127.0.0.1:0".parse().expect("an address")]).expect("a free port");
        let addr = bound.addrs()[0];
        let metrics = Metrics::new(&std::env::temp_dir());
        let spec = ListenerSpec {
            name: "test",
            tls: with.tls,
            trusted: Trusted::new(with.trusted.map(|network| network.parse().expect("a network"))),
            limits: with.limits.unwrap_or_else(limits),
            take_source: with.take_source,
            gated: Gated::Yes,
            watch: None,
            fanout: None,
            ready: None,
            metrics: metrics.clone(),
            world: World::begin(),
        };
        let (trigger, shutdown) = shutdown::pair();
        let task = serve(bound, spec, app(shutdown.clone()), shutdown);
        Self { addr, metrics, trigger, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.expect("it listens")
    }

    /// Sends bytes, reads until the other side ends.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut socket = self.connect().await;
        socket.write_all(bytes).await.expect("sent");
        read_to_end(socket).await
    }

    fn books(&self) -> Books {
        self.metrics.ledger.snapshot()
    }

    /// Ends politely, and panics if that does not come to an end by itself.
    async fn end(self) -> Arc<Metrics> {
        self.trigger.drain();
        self.task.await.expect("it ended well");
        self.metrics
    }
}

fn limits() -> Limits {
    Limits::stage(1_024)
}

fn app(shutdown: Shutdown) -> Router {
    let who = async |client: Extension<ClientAddr>, reached: Extension<Reached>| {
        format!("{} {}", client.0.0, reached.link("/"))
    };
    let live = async move || {
        let parts = futures_util::stream::unfold((0, shutdown), async |(part, shutdown)| {
            if part > 0 {
                shutdown.draining().await;
            }
            let bytes = Ok::<_, std::io::Error>(Bytes::from(format!("part {part};")));
            (part < 2).then_some((bytes, (part + 1, shutdown)))
        });
        axum::body::Body::from_stream(parts)
    };
    Router::new()
        .route("/who", get(who))
        .route("/debate/live", get(live))
        .route("/echo", any(async |method: http::Method, body: Bytes| format!("{method} {}", body.len())))
}

async fn read_to_end(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is an end as good as any other.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

fn get_who(headers: &str) -> Vec<u8> {
    format!("GET /who HTTP/1.1\r\nHost: radio.example\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn a_visitor_is_the_peer_unless_a_trusted_proxy_says_otherwise() {
    let proxied = "X-Forwarded-For: 1.2.3.4, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n";
    let stranger = Node::start(With { trusted: Some("10.0.0.0/8"), ..With::default() });
    let proxy = Node::start(With { trusted: Some("127.0.0.0/8"), ..With::default() });
    for (node, headers, says) in [
        (&stranger, "", "127.0.0.1 http://radio.example/"),
        (&stranger, proxied, "127.0.0.1 http://radio.example/"),
        (&stranger, "Forwarded: for=1.2.3.4\r\n", "127.0.0.1 http://radio.example/"),
        (&proxy, "", "127.0.0.1 http://radio.example/"),
        (&proxy, proxied, "198.51.100.7 https://radio.example/"),
        (
            &proxy,
            "Forwarded: for=1.2.3.4\r\nForwarded: for=198.51.100.9\r\n",
            "198.51.100.9 http://radio.example/",
        ),
    ] {
        assert_eq!(body(&node.exchange(&get_who(headers)).await), says, "{headers}");
    }
    stranger.end().await;
    proxy.end().await;
}

fn proxy_v2() -> Vec<u8> {
    let mut bytes = PROXY_SIGNATURE.to_vec();
    bytes.extend([0x21, 0x11, 0, 12, 198, 51, 100, 7, 10, 0, 0, 1, 0x12, 0x67, 0x1f, 0x90]);
    bytes
}

#[tokio::test]
async fn a_proxy_header_counts_from_trusted_proxies_only() {
    let proxy = Node::start(With { trusted: Some("127.0.0.0/8"), ..With::default() });
    let whole = [proxy_v2(), get_who("")].concat();
    assert_eq!(body(&proxy.exchange(&whole).await), "198.51.100.7 http://radio.example/");

    let mut slow = proxy.connect().await;
    for byte in &whole {
        slow.write_all(&[*byte]).await.expect("sent");
        slow.flush().await.expect("sent");
    }
    assert_eq!(body(&read_to_end(slow).await), "198.51.100.7 http://radio.example/");

    let mut wrong = whole.clone();
    wrong[12] = 0x31;
    assert_eq!(proxy.exchange(&wrong).await, "");
    let metrics = proxy.end().await;
    assert_eq!(metrics.ledger.snapshot().shed_for(Shed::ProxyRefused), 1);

    let stranger = Node::start(With::default());
    assert_eq!(stranger.exchange(&whole).await, "");
    assert_eq!(stranger.end().await.ledger.snapshot().shed_for(Shed::ProxyRefused), 1);
}

#[tokio::test]
async fn keep_alive_head_and_methods_as_http_has_them() {
    let node = Node::start(With::default());
    let two = "GET /who HTTP/1.1\r\nHost: a.example\r\n\r\nHEAD /who HTTP/1.1\r\nHost: a.example\r\n\
        Connection: close\r\n\r\n";
    let answers = node.exchange(two.as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert!(answers.ends_with("\r\n\r\n"), "HEAD has no body: {answers}");
    let put = "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\
        Content-Length: 5\r\nConnection: close\r\n\r\nsound";
    let answer = node.exchange(put.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 100 Continue") && answer.ends_with("PUT 5"), "{answer}");
    let many = "A: b\r\n".repeat(80);
    assert!(node.exchange(&get_who(&many)).await.starts_with("HTTP/1.1 431"));
    let long = format!("A: {}\r\n", "b".repeat(40_000));
    assert!(node.exchange(&get_who(&long)).await.starts_with("HTTP/1.1 431"));
    let text = node.end().await.text();
    for line in [
        r#"tribune_http_requests_total{listener="test",route="/who",status="200"} 2"#,
        r#"tribune_http_requests_total{listener="test",route="/echo",status="200"} 1"#,
        r#"tribune_connections_open{listener="test"} 0"#,
        r#"tribune_connections_accepted_total{listener="test"} 4"#,
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn a_question_about_the_server_has_an_answer() {
    let node = Node::start(With::default());
    let asked = "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = node.exchange(asked.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 204") && answer.contains("SOURCE"), "{answer}");
    node.end().await;
}

#[tokio::test]
async fn who_cannot_be_read_is_told_in_a_sentence() {
    let node = Node::start(With { take_source: Some(taker(Arc::default())), ..With::default() });
    let long = "a".repeat(60_000);
    for (bytes, status, words) in [
        (b"\0\0\0\0\r\n\r\n".to_vec(), 400, "HTTP/1.1 request"),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), 400, "HTTP/1.1 request"),
        (b"GET /who HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n".to_vec(), 400, "HTTP/1.1 request"),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec(), 400, "begins like TLS"),
        (format!("GET /who HTTP/1.1\r\nA: {long}\r\n\r\n").into_bytes(), 431, "more than 16 KiB"),
        (format!("GET /who HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(99)).into_bytes(), 431, "64 lines"),
        (format!("GET /who?a={long} HTTP/1.1\r\n\r\n").into_bytes(), 431, "more than 16 KiB"),
    ] {
        let answer = node.exchange(&bytes).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        let told: serde_json::Value = serde_json::from_str(body(&answer)).expect("JSON");
        let says = told["message"].as_str().expect("a sentence");
        assert!(says.contains(words), "{words}: {says}");
        assert!(answer.contains(&format!("X-Request-Id: {}\r\n", told["request_id"].as_str().expect("one"))));
    }
    // An answer of the router's is its own, whatever its status.
    let twice = "GET /who HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/9.9\r\n\r\n";
    let answers = node.exchange(twice.as_bytes()).await;
    assert!(answers.starts_with("HTTP/1.1 200") && answers.contains("http://a/"), "{answers}");
    node.end().await;
}

#[tokio::test]
async fn the_api_is_no_mount() {
    let node = Node::start(With { take_source: Some(taker(Arc::default())), ..With::default() });
    for method in ["PUT", "SOURCE"] {
        let request = format!("{method} /api/v1/rooms HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = node.exchange(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "the router of this test has no API: {answer}");
    }
    node.end().await;
}

#[tokio::test]
async fn who_is_too_slow_is_shed() {
    let slow = Limits { handshake_ms_max: SHORT_MS, head_ms_max: SHORT_MS, ..limits() };
    let node = Node::start(With { limits: Some(slow), ..With::default() });
    let silent = node.connect().await;
    assert_eq!(read_to_end(silent).await, "");
    assert_eq!(node.books().shed_for(Shed::HeadSlow), 1);
    // Half a preface of HTTP/2, and half a head of HTTP/1.1.
    assert_eq!(node.exchange(b"PRI * HT").await, "");
    assert_eq!(node.books().shed_for(Shed::HeadSlow), 2);
    assert!(!node.exchange(b"GET /who HTTP/1.1\r\nHost: a").await.contains("200 OK"));
    // A connection that rests after its first answer ends as well.
    let rested = node.exchange(b"GET /who HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(rested.matches("200 OK").count(), 1);
    node.end().await;

    let proxy = Node::start(With { limits: Some(slow), trusted: Some("127.0.0.1/32"), ..With::default() });
    assert_eq!(proxy.exchange(&PROXY_SIGNATURE[..5]).await, "");
    assert_eq!(proxy.end().await.ledger.snapshot().shed_for(Shed::HandshakeSlow), 1);
}

#[tokio::test]
async fn a_full_listener_says_so_and_recovers() {
    let node =
        Node::start(With { limits: Some(Limits { connections_max: 1, ..limits() }), ..With::default() });
    let mut inside = node.connect().await;
    inside.write_all(b"GET /debate/live HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    let mut first = [0; 8];
    inside.read_exact(&mut first).await.expect("the answer begins");
    let refused = read_to_end(node.connect().await).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("Retry-After: 5"), "{refused}");
    let (head, said) = refused.split_once("\r\n\r\n").expect("a head");
    assert!(head.ends_with(&format!("Content-Length: {}", said.len())), "{refused}");
    assert_eq!(node.books().shed_for(Shed::ConnectionsFull), 1);
    // Who has asked already is told in their own language that they keep their place.
    let asked = std::net::TcpStream::connect(node.addr).expect("the system accepts");
    (&asked).write_all(b"GET /debate HTTP/1.1\r\nAccept: text/html\r\n\r\n").expect("sent");
    asked.set_nonblocking(true).expect("a socket");
    let told = read_to_end(TcpStream::from_std(asked).expect("a socket")).await;
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("You keep your place"), "{told}");
    assert_eq!(node.books().shed_for(Shed::ConnectionsFull), 2);
    drop(inside);
    node.end().await;
}

/// Brief requests are answered as the library answers, on one connection with what is the library's.
#[tokio::test]
async fn what_is_brief_and_what_is_not_share_a_connection() {
    let node = Node::start(With::default());
    let brief = "GET /who HTTP/1.1\r\nHost: a\r\n\r\n";
    let other = "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
    let last = "HEAD /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = node.exchange(format!("{brief}{brief}{other}{brief}{last}").as_bytes()).await;
    let heads: Vec<Vec<&str>> = answer
        .split("HTTP/1.1 200 OK\r\n")
        .skip(1)
        .map(|one| one.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("date: ")))
        .map(|lines| lines.collect())
        .collect();
    assert_eq!(heads.len(), 5, "{answer}");
    let mut by_us = heads[0].clone();
    let mut by_the_library = heads[3].clone();
    by_us.sort_unstable();
    by_the_library.sort_unstable();
    assert_eq!((&heads[1], by_us), (&heads[0], by_the_library), "{answer}");
    assert_eq!(answer.matches("127.0.0.1 http://a/").count(), 3, "{answer}");
    assert!(answer.contains("PUT 2"), "{answer}");
    let closing = node.exchange(&get_who("")).await;
    assert!(
        closing.contains("connection: close\r\n") && closing.ends_with("http://radio.example/"),
        "{closing}"
    );
    let mut resting = node.connect().await;
    resting.write_all(brief.as_bytes()).await.expect("sent");
    resting.read_exact(&mut [0; 15]).await.expect("it is answered");
    node.end().await;
    read_to_end(resting).await;
}

#[tokio::test]
async fn a_live_answer_ends_where_it_wants_to() {
    let node = Node::start(With::default());
    let mut socket = node.connect().await;
    socket.write_all(b"GET /debate/live HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("part 0;") {
        assert_ne!(socket.read_buf(&mut answer).await.expect("it goes on"), 0);
    }
    let resting = node.connect().await;
    node.end().await;
    socket.read_to_end(&mut answer).await.expect("a clean end");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("part 1;") && answer.ends_with("0\r\n\r\n"), "{answer}");
    assert_eq!(read_to_end(resting).await, "");
}

#[tokio::test]
async fn nobody_is_waited_for_after_the_second_signal() {
    let node = Node::start(With::default());
    let mut socket = node.connect().await;
    socket.write_all(b"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n").await.expect("sent");
    while !node.metrics.text().contains("tribune_connections_open{listener=\"test\"} 1") {
        tokio::task::yield_now().await;
    }
    node.trigger.at_once();
    node.task.await.expect("it ended");
    assert_eq!(read_to_end(socket).await, "");
}

/// A certificate for `localhost`, as files, and a client that believes it.
fn tls_pair(offers: &[&[u8]]) -> (Arc<tls::Certificates>, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let files = tls::Files { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    fs::write(&files.cert, made.cert.pem()).expect("written");
    fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
    let certificates = tls::Certificates::from_files(&files).expect("a good pair");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).expect("PEM")).expect("a root");
    let mut config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = offers.iter().map(|offer| offer.to_vec()).collect();
    (certificates, TlsConnector::from(Arc::new(config)))
}

type TlsClient = tokio_rustls::client::TlsStream<TcpStream>;

async fn over_tls(node: &Node, connector: &TlsConnector) -> std::io::Result<TlsClient> {
    let name = ServerName::try_from("localhost").expect("a name");
    connector.connect(name, node.connect().await).await
}

#[tokio::test]
async fn tls_speaks_http_1_and_2() {
    let (certificates, connector) = tls_pair(&[b"http/1.1"]);
    let node = Node::start(With { tls: Some(certificates), ..With::default() });
    let mut one = over_tls(&node, &connector).await.expect("a handshake");
    one.write_all(&get_who("")).await.expect("sent");
    assert_eq!(body(&read_to_end(one).await), "127.0.0.1 https://radio.example/");
    node.end().await;

    let (certificates, connector) = tls_pair(&[b"h2", b"http/1.1"]);
    let node = Node::start(With { tls: Some(certificates), ..With::default() });
    let two = over_tls(&node, &connector).await.expect("a handshake");
    assert_eq!(two.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(http2_who(two).await, "127.0.0.1 https://radio.example/");
    let _ = over_tls(&node, &tls_pair(&[b"h2"]).1).await.expect_err("another certificate is not believed");
    assert_eq!(node.exchange(b"GET / HTTP/1.1\r\n\r\n").await.matches("200").count(), 0);
    let metrics = node.end().await;
    let text = metrics.text();
    assert!(text.contains(r#"tribune_tls_handshakes_total{listener="test",result="done"} 1"#), "{text}");
    assert_eq!(metrics.ledger.snapshot().shed_for(Shed::HandshakeFailed), 2);
}

async fn http2_who(io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static) -> String {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let request =
        http::Request::get("https://radio.example/who").body(Empty::<Bytes>::new()).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    drop(sender);
    connection.await.expect("it ran").expect("it ended well");
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::test]
async fn http_2_in_the_clear_and_its_rest() {
    let limits = Limits { idle_ms_max: SHORT_MS, ping_ms: SHORT_MS, ..limits() };
    let node = Node::start(With { limits: Some(limits), ..With::default() });
    assert_eq!(http2_who(node.connect().await).await, "127.0.0.1 http://radio.example/");
    // Preface and empty SETTINGS, then silence: the connection ends by itself.
    let mut resting = node.connect().await;
    resting.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sent");
    let mut bytes = Vec::new();
    let _ = resting.read_to_end(&mut bytes).await;
    assert!(bytes.windows(4).any(|frame| frame == [8, 7, 0, 0]), "GOAWAY has 8 bytes and type 7: {bytes:?}");
    node.end().await;
}

/// Takes sources as the ingest will: `/refused` is refused, all others are read to their end.
fn taker(taken: Arc<Mutex<Vec<(String, String)>>>) -> TakeSource {
    Arc::new(move |source| {
        let taken = taken.clone();
        Box::pin(async move {
            if source.path() == "/refused" {
                source.refuse(Refusal::KeyWrong, Refusal::KeyWrong.row().says).await.expect("told");
                return;
            }
            let path = source.path().to_owned();
            let mut sending = source.accept().await.expect("told to send");
            let sound = read_to_end(&mut sending.stream).await;
            taken.lock().expect("one at a time").push((path, sound));
            sending.done().await.expect("a clean end");
        })
    })
}

async fn send_source(node: &Node, head: &str) -> String {
    let mut socket = node.connect().await;
    socket.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    socket.read_buf(&mut answer).await.expect("told to send");
    socket.write_all(b"sound").await.expect("sent");
    socket.shutdown().await.expect("ended");
    let rest = read_to_end(socket).await;
    String::from_utf8_lossy(&answer).into_owned() + &rest
}

#[tokio::test]
async fn sources_are_handed_over_whole() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let node = Node::start(With { take_source: Some(taker(taken.clone())), ..With::default() });
    for (head, path, answer) in [
        ("SOURCE /old HTTP/1.0\r\nAuthorization: Basic eA==\r\n\r\n", "/old", "HTTP/1.0 200 OK\r\n\r\n"),
        ("SOURCE /ice?a=b ICE/1.0\n\n", "/ice", "HTTP/1.0 200 OK\r\n\r\n"),
        ("PUT /put HTTP/1.1\r\nHost: a\r\n\r\n", "/put", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
        (
            "PUT /wait HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
            "/wait",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ),
    ] {
        assert_eq!(send_source(&node, head).await, answer, "{head}");
        assert_eq!(taken.lock().expect("free").pop(), Some((path.to_owned(), "sound".to_owned())));
    }
    let refused = node.exchange(b"SOURCE /refused HTTP/1.0\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic"), "{refused}");
    let ordinary = "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsound";
    assert!(node.exchange(ordinary.as_bytes()).await.ends_with("PUT 5"));
    let chunked = "SOURCE /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
        Connection: close\r\n\r\n5\r\nsound\r\n0\r\n\r\n";
    assert!(node.exchange(chunked.as_bytes()).await.ends_with("SOURCE 5"));
    let wrong = node.exchange(b"SOURCE nowhere HTTP/1.0\r\n\r\n").await;
    assert!(wrong.starts_with("HTTP/1.0 400") && wrong.contains("first line"), "{wrong}");
    assert_eq!(node.end().await.ledger.snapshot().shed_for(Shed::HeadMalformed), 1);
    assert!(taken.lock().expect("free").is_empty());
}

//! A certificate authority of our own, for tests: the happy path of RFC 8555 with HTTP-01, over TLS on
//! loopback. It checks nonces, the account's key in the answer to its challenge, and the requested name; it
//! does not check signatures.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::net::tls::Certificates;
use crate::net::{self, Bound, Gated, Limits, ListenerSpec, Trusted};
use crate::ops::Metrics;
use crate::shutdown::Shutdown;
use crate::world::World;

pub const DOMAIN: &str = "radio.example";
const TOKEN: &str = "token-of-the-only-challenge";

/// What it knows. One account, one order.
pub struct Authority {
    base: String,
    /// Where port 80 of every domain is.
    port_80: SocketAddr,
    issuer: Issuer<'static, KeyPair>,
    root: String,
    seen: Mutex<Seen>,
}

#[derive(Default)]
pub struct Seen {
    nonces: u64,
    open: BTreeSet<String>,
    thumbprint: String,
    is_proved: bool,
    chain: Option<String>,
    /// Everything asked, in order.
    pub asked: Vec<String>,
    /// What the account said of itself.
    pub contact: Value,
}

/// Listens, and answers with itself and the file of its root.
pub fn start(folder: &std::path::Path, port_80: SocketAddr, shutdown: Shutdown) -> (Arc<Authority>, PathBuf) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).expect("a root").pem();
    let issuer = Issuer::new(params, key);
    let own_key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    let own = own.signed_by(&own_key, &issuer).expect("a certificate");
    let certificates = Certificates::empty();
    certificates.present(&own.pem(), &own_key.serialize_pem()).expect("they belong together");
    let bound = Bound::open(&["127.0.0.1:0".parse().expect("an address")]).expect("a free port");
    let base = format!("https://localhost:{}", bound.addrs()[0].port());
    let authority = Arc::new(Authority { base, port_80, issuer, root, seen: Mutex::default() });
    let app = Router::new().fallback(any(answer)).with_state(authority.clone());
    net::serve(bound, spec("authority", Some(certificates)), app, shutdown);
    let file = folder.join("root.pem");
    std::fs::write(&file, &authority.root).expect("written");
    (authority, file)
}

/// A listener without limits of its own.
pub fn spec(name: &'static str, tls: Option<Arc<Certificates>>) -> ListenerSpec {
    ListenerSpec {
        name,
        tls,
        trusted: Trusted::default(),
        limits: Limits::stage(1_024),
        take_source: None,
        gated: Gated::No,
        watch: None,
        fanout: None,
        ready: None,
        metrics: Metrics::new(&std::env::temp_dir()),
        world: World::begin(),
    }
}

async fn answer(State(authority): State<Arc<Authority>>, request: Request) -> Response {
    let (path, method) = (request.uri().path().to_owned(), request.method().clone());
    let body = axum::body::to_bytes(request.into_body(), 1 << 16).await.expect("a short body");
    let asked = if method == Method::POST { Some(authority.read(&path, &body)) } else { None };
    if path == "/challenge" {
        authority.look().await;
    }
    let mut answer = authority.of(&path, asked);
    let nonce = authority.nonce();
    answer.headers_mut().insert("replay-nonce", nonce.parse().expect("digits"));
    answer
}

impl Authority {
    pub fn directory(&self) -> String {
        format!("{}/directory", self.base)
    }

    pub fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no test panicked with it")
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn nonce(&self) -> String {
        let mut seen = self.seen();
        seen.nonces += 1;
        let nonce = seen.nonces.to_string();
        seen.open.insert(nonce.clone());
        nonce
    }

    /// The payload of a signed request (RFC 7515 in its flattened form).
    fn read(&self, path: &str, body: &[u8]) -> Value {
        let signed: Value = serde_json::from_slice(body).expect("JSON");
        let part =
            |name: &str| URL_SAFE_NO_PAD.decode(signed[name].as_str().expect("text")).expect("base64url");
        let head: Value = serde_json::from_slice(&part("protected")).expect("JSON");
        assert_eq!(head["url"], self.at(path));
        let mut seen = self.seen();
        assert!(seen.open.remove(head["nonce"].as_str().expect("a nonce")), "each nonce is good once");
        seen.asked.push(path.to_owned());
        if path == "/account" {
            let [crv, kty, x, y] = ["crv", "kty", "x", "y"].map(|name| head["jwk"][name].to_string());
            // RFC 7638: these members, in this order, without blanks.
            let jwk = format!("{{\"crv\":{crv},\"kty\":{kty},\"x\":{x},\"y\":{y}}}");
            seen.thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(jwk));
        }
        serde_json::from_slice(&part("payload")).unwrap_or(Value::Null)
    }

    /// Asks port 80 of the domain.
    async fn look(&self) {
        let mut port_80 = TcpStream::connect(self.port_80).await.expect("it listens");
        let ask = format!(
            "GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n"
        );
        port_80.write_all(ask.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        port_80.read_to_string(&mut answer).await.expect("answered");
        let mut seen = self.seen();
        seen.is_proved = answer.ends_with(&format!("\r\n\r\n{TOKEN}.{}", seen.thumbprint));
    }

    fn of(&self, path: &str, asked: Option<Value>) -> Response {
        let created = |place: &str, document: Value| {
            (StatusCode::CREATED, [("location", self.at(place))], document.to_string()).into_response()
        };
        match (path, asked) {
            ("/directory", None) => json!({
                "newNonce": self.at("/nonce"), "newAccount": self.at("/account"),
                "newOrder": self.at("/order"),
            })
            .to_string()
            .into_response(),
            ("/nonce", None) => StatusCode::OK.into_response(),
            ("/account", Some(asked)) => {
                self.seen().contact = asked["contact"].clone();
                created("/account/1", json!({"status": "valid"}))
            }
            ("/order", Some(asked)) => {
                assert_eq!(asked["identifiers"], json!([{"type": "dns", "value": DOMAIN}]));
                // Each order is proved anew.
                {
                    let mut seen = self.seen();
                    (seen.is_proved, seen.chain) = (false, None);
                }
                created("/order/1", self.order())
            }
            ("/order/1", Some(_)) => self.order().to_string().into_response(),
            ("/authorization", Some(_)) => json!({
                "identifier": {"type": "dns", "value": DOMAIN}, "status": "pending",
                "challenges": [self.challenge()],
            })
            .to_string()
            .into_response(),
            ("/challenge", Some(_)) => self.challenge().to_string().into_response(),
            ("/finalize", Some(asked)) => {
                let request = URL_SAFE_NO_PAD.decode(asked["csr"].as_str().expect("text"));
                let chain = self.sign(&request.expect("base64url"));
                self.seen().chain = Some(chain);
                self.order().to_string().into_response()
            }
            ("/certificate", Some(_)) => self.seen().chain.clone().expect("it was made").into_response(),
            (path, _) => panic!("nobody asks an authority for {path}"),
        }
    }

    fn challenge(&self) -> Value {
        json!({"type": "http-01", "url": self.at("/challenge"), "token": TOKEN, "status": "pending"})
    }

    fn order(&self) -> Value {
        let seen = self.seen();
        let status = match (seen.is_proved, &seen.chain) {
            (false, _) => "pending",
            (true, None) => "ready",
            (true, Some(_)) => "valid",
        };
        json!({
            "status": status, "authorizations": [self.at("/authorization")],
            "finalize": self.at("/finalize"), "certificate": self.at("/certificate"),
        })
    }

    /// A certificate for the key in the request, with the root behind it.
    fn sign(&self, request: &[u8]) -> String {
        /// An uncompressed point of P-256 in a BIT STRING (RFC 5480, 2.2).
        const POINT: [u8; 4] = [3, 0x42, 0, 4];
        let holds = |bytes: &[u8]| request.windows(bytes.len()).position(|found| found == bytes);
        assert!(holds(DOMAIN.as_bytes()).is_some(), "the request names the domain");
        let at = holds(&POINT).expect("the request holds a key of P-256") + 3;
        let key = Point(request[at..at + 65].to_vec());
        let mut params = CertificateParams::new([DOMAIN.to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(2100, 3, 9);
        params.signed_by(&key, &self.issuer).expect("a certificate").pem() + &self.root
    }
}

struct Point(Vec<u8>);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

//! The pure parsers of this crate that take bytes from outside, for the fuzz targets in `fuzz/`: a node calls
//! them where they stand, and nothing here.

use rustls::{ConnectionTrafficSecrets, ExtractedSecrets};
use tribune_core::reason::Refusal;
use tribune_core::time::{MediaTime, WallTime};

use crate::answer::Failure;
use crate::config::{Config, ConfigError};
use crate::{egress, ingest, net};

pub use crate::api::outside::{Asked, bodies, key};
pub use crate::net::brief::Whole;
pub use crate::net::ready::Plain;
pub use crate::net::tls::records::Records;
pub use crate::stage::Answering;
pub use crate::stage::outside::Strange;

/// A variable of the environment, laid over a configuration.
pub fn variable(config: &mut Config, name: &str, value: &str) -> Result<(), ConfigError> {
    config.set_variable(name, value)
}

/// `?from_s=` of a live listener's query, when it has one.
pub fn from_s(query: &str) -> Option<Result<MediaTime, Refusal>> {
    egress::parameter(query, "from_s").map(egress::live::moment)
}

/// What a source says in its address: its name and how it wants to be mixed.
pub fn source(name: &str, query: &str) -> Result<tribune_core::mix::Spec, Failure> {
    ingest::spec_of(name, query)
}

/// Where port 80 leads a visitor who named this host.
pub fn location(https_port: u16, host: &str, path: &str) -> String {
    net::redirect::location(https_port, host, path)
}

/// Both sides of a connection by TLS at once: what it seals it can open.
pub fn records() -> Option<Records> {
    let secrets =
        || (0, ConnectionTrafficSecrets::Chacha20Poly1305 { key: [7; 32].into(), iv: [7; 12].into() });
    Records::new(ExtractedSecrets { tx: secrets(), rx: secrets() })
}

/// When a certificate in DER expires.
pub fn certificate_expires(der: &[u8]) -> Option<WallTime> {
    net::tls::expiry::not_after(der)
}

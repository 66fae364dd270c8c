//! The table of options.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use tribune_core::room::{CAP_MAX, Key};

use super::{Config, LogFormat};
use crate::ops::logs;

/// One option.
pub struct Opt {
    /// Its name in the file; `--name-with-hyphens` and `TRIBUNE_NAME` elsewhere.
    pub name: &'static str,
    /// What the file must hold.
    pub kind: Kind,
    /// What its value counts or names.
    pub unit: &'static str,
    /// What it does, in a sentence.
    pub says: &'static str,
    /// A value for the example when there is no default, as TOML.
    pub sample: &'static str,
    /// Its value as TOML; `None` when it has none.
    pub show: fn(&Config) -> Option<String>,
    /// Reads a value; the error is a sentence.
    pub set: fn(&mut Config, &[String]) -> Result<(), String>,
}

/// What the file must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// An integer.
    Number,
    /// A boolean.
    Flag,
    /// An array of strings.
    List,
}

/// Options of the wire whose feature does not exist yet.
pub const LATER: [&str; 2] = ["nats", "store"];

/// What is said when one of them is given.
pub fn later(word: &str) -> String {
    format!("{word} belongs to a feature this version does not have; leave it out")
}

/// The row of `name`.
pub fn find(name: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|opt| opt.name == name)
}

impl Opt {
    /// A variable's text as values: lists are separated by commas.
    pub fn split(&self, text: &str) -> Vec<String> {
        match self.kind {
            Kind::List => text.split(',').map(|item| item.trim().to_owned()).collect(),
            Kind::Text | Kind::Number | Kind::Flag => vec![text.to_owned()],
        }
    }
}

macro_rules! address {
    ($field:ident, $says:literal) => {
        Opt {
            name: stringify!($field),
            kind: Kind::Text,
            unit: "IP address and port",
            says: $says,
            sample: "",
            show: |config| Some(quoted(&config.$field)),
            set: |config, values| put(&mut config.$field, address(one(values)?)),
        }
    };
}

macro_rules! number {
    ($field:ident, $unit:literal, $range:expr, $says:literal) => {
        Opt {
            name: stringify!($field),
            kind: Kind::Number,
            unit: $unit,
            says: $says,
            sample: "",
            show: |config| Some(config.$field.to_string()),
            set: |config, values| put(&mut config.$field, number(one(values)?, $range)),
        }
    };
}

macro_rules! maybe {
    ($field:ident, $unit:literal, $sample:literal, $read:expr, $says:literal) => {
        Opt {
            name: stringify!($field),
            kind: Kind::Text,
            unit: $unit,
            says: $says,
            sample: $sample,
            show: |config| config.$field.as_ref().map(|value| format!("{value:?}")),
            set: |config, values| put(&mut config.$field, $read(one(values)?).map(Some)),
        }
    };
}

/// Every option once, in the order of the example file.
pub const OPTIONS: [Opt; 34] = [
    address!(listen, "Where listeners come in: pages, the live program, replays."),
    address!(stage, "Where hosts, speakers, sources and the API come in; keep it away from the crowd."),
    address!(ops, "Where health and metrics are read; keep it private."),
    address!(media, "Where speakers' sound comes in from their browsers, over UDP and over TCP."),
    Opt {
        name: "media_public",
        kind: Kind::List,
        unit: "list of IP addresses",
        says: "The addresses speakers are told, with media's port; without them the one media listens on.",
        sample: "",
        show: |config| {
            Some(format!("{:?}", config.media_public.iter().map(ToString::to_string).collect::<Vec<_>>()))
        },
        set: |config, values| {
            put(&mut config.media_public, values.iter().map(ip_address).collect::<Result<_, _>>())
        },
    },
    maybe!(
        redirect,
        "IP address and port",
        "\"0.0.0.0:80\"",
        address,
        "Where plain HTTP is sent on to HTTPS; with acme port 80 of listen's address unless given."
    ),
    Opt {
        name: "data",
        kind: Kind::Text,
        unit: "folder",
        says: "Where rooms, keys and recordings are kept.",
        sample: "",
        show: |config| Some(format!("{:?}", config.data)),
        set: |config, values| put(&mut config.data, path(one(values)?)),
    },
    Opt {
        name: "operator_key",
        kind: Kind::Text,
        unit: "22 or more of A-Z a-z 0-9 _ -",
        says: "The key of the one who runs the node; without it one is made and kept in the data folder.",
        sample: "\"choose-a-long-random-key\"",
        show: |config| config.operator_key.as_ref().map(|key| quoted(&key.reveal())),
        set: |config, values| {
            let key = Key::parse(one(values)?).map_err(|error| error.to_string())?;
            config.operator_key = Some(key);
            Ok(())
        },
    },
    maybe!(tls_cert, "PEM file", "\"/etc/tribune/cert.pem\"", path, "The certificate chain for HTTPS."),
    maybe!(tls_key, "PEM file", "\"/etc/tribune/key.pem\"", path, "The private key of the certificate."),
    maybe!(
        acme,
        "domain name",
        "\"live.example.org\"",
        domain,
        "Certificates are fetched and renewed for it and stage_url's host; port 80 of both must reach us."
    ),
    maybe!(
        acme_directory,
        "https URL",
        "\"https://acme-staging-v02.api.letsencrypt.org/directory\"",
        secure_url,
        "The directory of the certificate authority; Let's Encrypt without it."
    ),
    maybe!(
        acme_contact,
        "mailto: URL",
        "\"mailto:ops@example.org\"",
        contact,
        "Where the certificate authority can reach a person."
    ),
    maybe!(
        acme_root,
        "PEM file",
        "\"/etc/tribune/authority.pem\"",
        path,
        "The root certificate of an authority of your own; those the system trusts without it."
    ),
    Opt {
        name: "trusted_proxy",
        kind: Kind::List,
        unit: "list of CIDR blocks",
        says: "The proxies whose word about the visitor's address is believed; nobody else's is.",
        sample: "",
        show: |config| {
            Some(format!("{:?}", config.trusted_proxy.iter().map(ToString::to_string).collect::<Vec<_>>()))
        },
        set: |config, values| {
            put(&mut config.trusted_proxy, values.iter().map(block).collect::<Result<_, _>>())
        },
    },
    maybe!(
        public_url,
        "http or https URL",
        "\"https://live.example.org\"",
        url,
        "The public listener as visitors see it, for links; made from listen without it."
    ),
    maybe!(
        stage_url,
        "http or https URL",
        "\"https://stage.example.org\"",
        url,
        "The stage listener as hosts and speakers see it, for links; made from stage without it."
    ),
    number!(
        seats_max,
        "seats",
        (0, CAP_MAX),
        "Most listeners the node takes at once; 0: as many as it was measured to carry, and never more."
    ),
    Opt {
        name: "self_test",
        kind: Kind::Flag,
        unit: "true or false",
        says: "Whether the node measures at its first start here what a listener costs; it takes a second.",
        sample: "",
        show: |config| Some(config.self_test.to_string()),
        set: |config, values| put(&mut config.self_test, flag(one(values)?)),
    },
    number!(
        egress_mbit,
        "Mbit/s",
        (0, 10_000_000),
        "What the network carries from here; 0: what its interface says of itself, if it says anything."
    ),
    Opt {
        name: "kernel_shed",
        kind: Kind::Flag,
        unit: "true or false",
        says: "Whether the kernel refuses, by nftables, whom the guard refuses; needs nft and CAP_NET_ADMIN.",
        sample: "",
        show: |config| Some(config.kernel_shed.to_string()),
        set: |config, values| put(&mut config.kernel_shed, flag(one(values)?)),
    },
    Opt {
        name: "ladder",
        kind: Kind::Flag,
        unit: "true or false",
        says: "Whether newcomers get a lower bit rate or longer parts before anybody has to wait.",
        sample: "",
        show: |config| Some(config.ladder.to_string()),
        set: |config, values| put(&mut config.ladder, flag(one(values)?)),
    },
    number!(rooms_max, "rooms", (1, 100_000), "Most rooms kept, ended ones included."),
    number!(
        rooms_open_max,
        "rooms",
        (1, 1_000),
        "Most rooms whose program runs at once; each takes about 5 % of a core."
    ),
    number!(
        open_before_s,
        "seconds",
        (0, 86_400),
        "How long before a scheduled start the hold sound begins."
    ),
    maybe!(
        hold_sound,
        "WAV file: 16 bit, 48000 Hz, mono or stereo",
        "\"/etc/tribune/hold.wav\"",
        path,
        "What people hear before the start and in gaps, repeated; a quiet built-in sound without it."
    ),
    number!(
        leave_s,
        "seconds",
        (0, 3_600),
        "How long the node goes on after SIGTERM, sending players elsewhere; 0: it ends, as alone it should."
    ),
    number!(retention_days, "days", (0, 36_500), "How long a recording is kept after its end; 0: for ever."),
    number!(
        recordings_gb_max,
        "gigabytes",
        (0, 1_000_000),
        "How much all recordings may fill; 0: what the disk has."
    ),
    number!(
        webhook_timeout_ms,
        "milliseconds",
        (100, 60_000),
        "How long the receiver of a webhook may take."
    ),
    number!(
        webhook_tries_max,
        "tries",
        (1, 20),
        "How often a webhook is tried, each time after a longer wait."
    ),
    Opt {
        name: "webhook_private",
        kind: Kind::Flag,
        unit: "true or false",
        says: "Whether webhooks may go to private, loopback and link-local addresses.",
        sample: "",
        show: |config| Some(config.webhook_private.to_string()),
        set: |config, values| put(&mut config.webhook_private, flag(one(values)?)),
    },
    Opt {
        name: "log_format",
        kind: Kind::Text,
        unit: "\"text\" or \"json\"",
        says: "Whether logs are lines for people or JSON.",
        sample: "",
        show: |config| Some(quoted(&log_word(config.log_format))),
        set: |config, values| put(&mut config.log_format, log_format(one(values)?)),
    },
    Opt {
        name: "log_filter",
        kind: Kind::Text,
        unit: "level, or module=level with commas between",
        says: "Which log lines are written: error, warn, info, debug or trace.",
        sample: "",
        show: |config| Some(quoted(&config.log_filter)),
        set: |config, values| put(&mut config.log_filter, log_filter(one(values)?)),
    },
];

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn one(values: &[String]) -> Result<&str, String> {
    match values {
        [value] => Ok(value),
        [] | [_, _, ..] => Err("takes exactly one value".into()),
    }
}

/// A scheme before the address is let go, because the same variable names the stage for `tribune room`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let local = bare.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    SocketAddr::from_str(local.as_deref().unwrap_or(bare))
        .map_err(|_| format!("{text:?} is no IP address with a port, like 127.0.0.1:8080 or [::]:8080"))
}

fn number(text: &str, (least, most): (u32, u32)) -> Result<u32, String> {
    let number = u32::from_str(&text.replace('_', "")).ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{text:?} is no whole number from {least} to {most}"))
}

fn flag(text: &str) -> Result<bool, String> {
    bool::from_str(text).map_err(|_| format!("{text:?} is neither true nor false"))
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("a path cannot be empty".into()) } else { Ok(text.into()) }
}

fn block(text: &String) -> Result<IpNet, String> {
    IpNet::from_str(text)
        .or_else(|_| std::net::IpAddr::from_str(text).map(IpNet::from))
        .map_err(|_| format!("{text:?} is no address block, like 10.0.0.0/8 or 2001:db8::/32"))
}

fn ip_address(text: &String) -> Result<IpAddr, String> {
    let ip = IpAddr::from_str(text).ok().filter(|ip| !ip.is_unspecified());
    ip.ok_or_else(|| {
        format!("{text:?} is no IP address a speaker can reach, like 203.0.113.7 or 2001:db8::7")
    })
}

/// Whether a text is the name of a host that a certificate can be for.
pub(super) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_address = text.parse::<std::net::IpAddr>().is_ok();
    text.len() <= 253 && text.contains('.') && !is_address && text.split('.').all(label)
}

fn domain(text: &str) -> Result<String, String> {
    is_domain(text).then(|| text.to_ascii_lowercase()).ok_or_else(|| format!("{text:?} is no domain name"))
}

fn url(text: &str) -> Result<String, String> {
    let bare = text.trim_end_matches('/');
    let parsed = bare.parse::<http::Uri>().ok().filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.query().is_none()
    });
    parsed.map(|_| bare.to_owned()).ok_or_else(|| format!("{text:?} is no http:// or https:// URL"))
}

fn secure_url(text: &str) -> Result<String, String> {
    let url = url(text)?;
    if url.starts_with("https://") { Ok(url) } else { Err(format!("{text:?} is no https:// URL")) }
}

fn contact(text: &str) -> Result<String, String> {
    let address = text.strip_prefix("mailto:").and_then(|address| address.split_once('@'));
    let good = address.is_some_and(|(who, at)| !who.is_empty() && domain(at).is_ok());
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    (good && plain)
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is no address, like mailto:a@b.org"))
}

fn log_filter(text: &str) -> Result<String, String> {
    logs::check(text).map(|()| text.to_owned())
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("{other:?} is neither \"text\" nor \"json\"")),
    }
}

const fn log_word(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}

fn quoted(value: &impl ToString) -> String {
    format!("{:?}", value.to_string())
}

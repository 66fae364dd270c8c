//! What one listener takes at most, each with its unit. Every one of them is a way in which a stranger could
//! otherwise make us keep something for ever.

use std::time::Duration;

use tribune_core::door::capacity::DESCRIPTORS_KEPT;

/// Connections the stage takes: hosts, speakers, sources, the API.
pub const STAGE_CONNECTIONS_MAX: u32 = 2_048;
/// Connections the ops listener takes: a few scrapers and health checks.
pub const OPS_CONNECTIONS_MAX: u32 = 64;

/// The limits of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections_max: u32,
    /// For a PROXY header and the TLS handshake together, in milliseconds.
    pub handshake_ms_max: u64,
    /// For the whole of a request's head; on HTTP/1.1 also how long a connection may rest between two
    /// requests, since a head that has not begun is a head that has not come, but for brief ones by TLS. In
    /// milliseconds.
    pub head_ms_max: u64,
    /// How long an HTTP/2 connection, or one by TLS that asks briefly, may rest without a request in flight,
    /// in milliseconds.
    pub idle_ms_max: u64,
    /// How long a socket may refuse to take anything while there is something to send, in milliseconds.
    pub stall_ms_max: u64,
    /// Bytes of an HTTP/1.1 head, and of an HTTP/2 header list as RFC 9113 (section 6.5.2) counts it.
    pub head_bytes_max: u32,
    /// Header lines of an HTTP/1.1 head.
    pub head_lines_max: usize,
    /// HTTP/2 requests at a time on one connection.
    pub streams_max: u32,
    /// HTTP/2 streams that were reset by the other side before we looked at them; more end the connection
    /// (the "rapid reset" of CVE-2023-44487).
    pub resets_max: usize,
    /// Bytes kept to be sent on each HTTP/2 stream.
    pub stream_bytes_max: usize,
    /// An HTTP/2 connection without any frame for so long is asked whether it lives, in milliseconds.
    pub ping_ms: u64,
}

impl Limits {
    /// For the audience: what the descriptors allow after everybody else has theirs.
    pub fn public(descriptors: u64) -> Self {
        let others =
            DESCRIPTORS_KEPT as u64 + u64::from(STAGE_CONNECTIONS_MAX) + u64::from(OPS_CONNECTIONS_MAX);
        let connections_max = u32::try_from(descriptors.saturating_sub(others)).unwrap_or(u32::MAX);
        Self { connections_max: connections_max.max(64), ..Self::stage(descriptors) }
    }

    /// For hosts, speakers and sources; never more than a quarter of the descriptors.
    pub fn stage(descriptors: u64) -> Self {
        let quarter = u32::try_from(descriptors / 4).unwrap_or(u32::MAX);
        Self {
            connections_max: STAGE_CONNECTIONS_MAX.min(quarter).max(16),
            handshake_ms_max: 10_000,
            head_ms_max: 15_000,
            idle_ms_max: 60_000,
            stall_ms_max: 60_000,
            head_bytes_max: 16 * 1_024,
            head_lines_max: 64,
            streams_max: 128,
            resets_max: 20,
            stream_bytes_max: 64 * 1_024,
            ping_ms: 20_000,
        }
    }

    /// For the operator's machines.
    pub fn ops() -> Self {
        Self { connections_max: OPS_CONNECTIONS_MAX, ..Self::stage(u64::MAX) }
    }

    pub(super) fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms_max)
    }

    pub(super) fn head(&self) -> Duration {
        Duration::from_millis(self.head_ms_max)
    }

    pub(super) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms_max)
    }

    pub(super) fn stall(&self) -> Duration {
        Duration::from_millis(self.stall_ms_max)
    }

    pub(super) fn ping(&self) -> Duration {
        Duration::from_millis(self.ping_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listeners_fit_the_descriptors_together() {
        for (descriptors, public) in [(1_048_576, 1_045_952), (65_536, 62_912), (1_024, 64), (0, 64)] {
            assert_eq!(Limits::public(descriptors).connections_max, public, "{descriptors}");
        }
        assert_eq!(Limits::stage(1_024).connections_max, 256);
        assert_eq!(Limits::stage(1_048_576).connections_max, STAGE_CONNECTIONS_MAX);
    }
}

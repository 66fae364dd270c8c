//! A connection as the guard sees it: what is told of it from accept to end, whatever way it ends.

use std::net::IpAddr;
use std::time::Duration;

use tribune_core::guard::live::{Happened, Unit};

use crate::guard::Watch;

/// Who has begun a head and not ended it by then holds a connection half open. A person's browser sends it
/// whole; a phone in a tunnel within three tries of its kernel, which take as long. Browsers open connections
/// beforehand, on which nothing comes: those hold nothing half open.
pub(super) const HALF_OPEN: Duration = Duration::from_secs(5);

/// What is told of one connection. Told of its end when dropped.
pub(super) struct Watched {
    watch: Option<Watch>,
    peer: IpAddr,
    whose: Whose,
    is_shaking: bool,
    is_half_open: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// It comes from a trusted proxy, which has not said for whom.
    Unsaid,
    /// A trusted proxy's own.
    Proxy,
    /// A visitor's.
    Of(IpAddr),
}

impl Watched {
    /// A connection was accepted from `peer`.
    pub(super) fn opens(watch: Option<Watch>, peer: IpAddr, is_trusted: bool) -> Self {
        let whose = Whose::Unsaid;
        let mut watched = Self { watch, peer, whose, is_shaking: false, is_half_open: false };
        if !is_trusted {
            watched.is_of(Some(peer));
        }
        watched
    }

    /// It is known whose it is; `None`: the proxy's own.
    pub(super) fn is_of(&mut self, visitor: Option<IpAddr>) {
        self.whose = visitor.map_or(Whose::Proxy, Whose::Of);
        self.tell(match self.whose {
            Whose::Of(_) => Happened::Opened,
            Whose::Unsaid | Whose::Proxy => Happened::OpenedByProxy,
        });
    }

    /// A handshake begins.
    pub(super) const fn shakes(&mut self) {
        self.is_shaking = true;
    }

    /// Whether one has begun and is not done.
    pub(super) const fn is_shaking(&self) -> bool {
        self.is_shaking
    }

    /// The handshake is done.
    pub(super) fn shook(&mut self) {
        self.is_shaking = false;
        self.tell(Happened::Handshake);
    }

    /// It has been without a whole head for [`HALF_OPEN`].
    pub(super) fn is_half_open(&mut self) {
        // Of a proxy's own nobody knows whose it is.
        if matches!(self.whose, Whose::Of(_)) {
            self.is_half_open = true;
            self.tell(Happened::HalfOpen);
        }
    }

    /// Whether somebody attacks.
    pub(super) fn is_attacked(&self) -> bool {
        self.watch.as_ref().is_some_and(Watch::is_attacked)
    }

    /// Its head is whole.
    pub(super) fn is_whole(&mut self) {
        if std::mem::take(&mut self.is_half_open) {
            self.tell(Happened::NotHalfOpen);
        }
    }

    /// Something happened on it.
    pub(super) fn tell(&self, happened: Happened) {
        let Some(watch) = &self.watch else { return };
        if let Whose::Of(visitor) = self.whose {
            return watch.tell(visitor, happened);
        }
        // What a proxy that is trusted passes on may be anybody's, and it must never be refused itself.
        let of_proxy = match happened {
            Happened::Handshake | Happened::HandshakeFailed => Happened::OfProxy(Unit::Handshakes),
            Happened::BrokeRules | Happened::Asked(_) => Happened::OfProxy(Unit::Requests),
            happened => happened,
        };
        watch.tell(self.peer, of_proxy);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.whose == Whose::Unsaid {
            self.is_of(None);
        }
        if self.is_shaking {
            self.tell(Happened::HandshakeFailed);
        }
        self.is_whole();
        self.tell(match self.whose {
            Whose::Of(_) => Happened::Closed,
            Whose::Unsaid | Whose::Proxy => Happened::ClosedByProxy,
        });
    }
}

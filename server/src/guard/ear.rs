//! One listener who takes the program as one long answer, as the guard sees it.

use std::net::IpAddr;

use tribune_core::guard::live::Happened;

use super::Watch;
use crate::net::delivery::Delivery;

/// The first parts are told when there are so many: two seconds.
const FIRST_PARTS: u16 = 6;
/// Later ones when there are so many: four seconds.
const PARTS: u16 = 12;

/// Somebody who hears, from the first byte to the last.
pub struct Ear {
    watch: Watch,
    from: IpAddr,
    /// Where it is known what arrives.
    delivery: Option<Delivery>,
    parts: u16,
    next: u16,
}

impl Ear {
    /// They begin.
    pub fn opens(watch: Watch, from: IpAddr, delivery: Option<Delivery>) -> Self {
        watch.tell(from, Happened::StreamBegan);
        Self { watch, from, delivery, parts: 0, next: FIRST_PARTS }
    }

    /// A part of so many bytes leaves for them. Says how many parts the guard is to be told of when this one
    /// has arrived, unless the connection's own deliveries see to that.
    pub fn part(&mut self, bytes: usize) -> Option<u16> {
        self.parts += 1;
        if self.parts < self.next {
            return None;
        }
        let parts = std::mem::take(&mut self.parts);
        self.next = PARTS;
        let Some(delivery) = &self.delivery else { return Some(parts) };
        delivery.is_on_its_way(bytes as u64, self.from, Happened::Heard(parts));
        None
    }

    /// So many parts arrived.
    pub fn heard(&self, parts: u16) {
        self.watch.tell(self.from, Happened::Heard(parts));
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.watch.tell(self.from, Happened::StreamEnded);
    }
}

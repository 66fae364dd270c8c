//! Ogg: pages, packets, and the streams they carry one after another (RFC 3533).

mod chain;
mod crc;
pub mod opus;
mod packet;
mod page;
mod vorbis;

pub use chain::{Chain, ORPHAN_PAGES_MAX};
pub use crc::checksum;
pub use packet::{Batch, PACKET_BYTES_MAX, Packet, Packets};
#[cfg(test)]
pub(crate) use page::write_page;
pub use page::{DAMAGED_PAGES_MAX, Found, PAGE_BYTES_MAX, Page, Pages, SEARCH_BYTES_MAX};
pub use vorbis::FILL_MS_MAX;

//! Ogg: pages, packets, and the streams they carry one after another (RFC 3533).

mod packet;
mod page;

pub use packet::{Batch, PACKET_BYTES_MAX, Packet, Packets};
pub use page::{DAMAGED_PAGES_MAX, Found, PAGE_BYTES_MAX, Page, Pages, SEARCH_BYTES_MAX};

//! Goal: a million people wait in one megabyte. Method: every byte that is allocated and not yet given back
//! is counted, while a real door issues a million tickets, holds its draw and begins to call.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

use tribune_core::door::doorkeeper::{Announced, Doorkeeper, Opening, Place};
use tribune_core::door::draw::{Source, commitment};
use tribune_core::door::ticket::Holder;
use tribune_core::time::{Time, WallTime};

const PEOPLE: u32 = 1_000_000;
const BYTES_MAX: isize = 1_000_000;
/// They come in the quarter of an hour before the draw, in seconds.
const DRAW_S: u32 = 900;
const START_S: u64 = 960;
const LOT: [u8; 32] = [7; 32];
const SEATS: u64 = 10_000;

static HELD_BYTES: AtomicIsize = AtomicIsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

// SAFETY: every call is the system allocator's own; counting touches none of its memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD_BYTES.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD_BYTES.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises about `at` and `layout` are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[test]
fn a_million_people_wait_in_a_megabyte() {
    let before = HELD_BYTES.load(Ordering::Relaxed);
    let held = || HELD_BYTES.load(Ordering::Relaxed) - before;
    let announced = Announced {
        at: WallTime(i64::from(DRAW_S) * 1_000),
        closes_before: DRAW_S,
        source: Source::Operator,
        commitment: Some(commitment(&LOT)),
    };
    let start = Some(Time::from_millis(START_S * 1_000));
    let mut door = Doorkeeper::open(Opening { announced, start, cap: SEATS, claims_per_s_max: 1_000 });
    let mut last = None;
    for second in 0..DRAW_S {
        for _ in 0..PEOPLE.div_ceil(DRAW_S) {
            let holder = Holder(std::array::from_fn(|place| (second >> (8 * (place % 4))) as u8));
            last = Some(door.issue(second, holder).expect("there are serials left"));
        }
        door.tick(Time::from_millis(u64::from(second) * 1_000), second);
    }
    assert!(door.arrivals().issued() >= PEOPLE);
    assert!(held() <= BYTES_MAX, "{} bytes before the draw", held());
    for second in u64::from(DRAW_S)..START_S + 30 {
        door.tick(Time::from_millis(second * 1_000), second as u32);
        if door.to_draw().is_some() {
            door.hold_draw(&LOT).expect("the list is closed");
        }
    }
    let at = Time::from_millis((START_S + 30) * 1_000);
    let place = door.place(at, last.expect("a million came")).expect("it is listed");
    assert!(matches!(place, Place::InLine { .. } | Place::Called { .. }), "{place:?}");
    assert!(door.now_serving() > 0, "some are called");
    assert!(held() <= BYTES_MAX, "{} bytes when the first are called", held());
}

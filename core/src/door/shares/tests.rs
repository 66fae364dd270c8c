use proptest::prelude::*;

use super::*;

fn room(share: u32, taken: u64, wanted: u64) -> Claimant {
    Claimant { share, taken, wanted, at_most: u64::MAX }
}

#[test]
fn a_share_is_ones_own_and_what_is_idle_is_lent() {
    for (rooms, wanted) in [
        (vec![room(1, 0, 500)], vec![100]),
        (vec![room(1, 0, 500), room(1, 0, 500)], vec![50, 50]),
        (vec![room(3, 0, 500), room(1, 0, 500)], vec![75, 25]),
        (vec![room(1, 0, 500), room(1, 0, 10)], vec![90, 10]),
        (vec![room(1, 90, 500), room(1, 0, 500)], vec![90, 10]),
        (vec![room(1, 80, 500), room(1, 10, 500)], vec![80, 20]),
        (vec![room(1, 0, 0), room(1, 0, 0)], vec![50, 50]),
        (vec![room(1, 130, 500), room(1, 0, 500)], vec![130, 0]),
        (vec![Claimant { at_most: 5, ..room(1, 0, 500) }, room(1, 0, 500)], vec![5, 95]),
        (vec![Claimant { at_most: 5, ..room(1, 20, 500) }, room(1, 0, 500)], vec![5, 80]),
        (vec![room(0, 0, 3), room(1, 0, 500)], vec![0, 100]),
        (vec![], vec![]),
    ] {
        assert_eq!(caps(100, &rooms), wanted, "{rooms:?}");
    }
}

fn any_room() -> impl Strategy<Value = Claimant> {
    (0..9_u32, 0..80_u64, 0..200_u64, prop_oneof![Just(u64::MAX), 0..60_u64])
        .prop_map(|(share, taken, more, at_most)| Claimant { share, taken, wanted: taken + more, at_most })
}

proptest! {
    #[test]
    fn never_more_than_the_node_carries(
        rooms in prop::collection::vec(any_room(), 0..8),
        node_seats in 0..300_u64,
    ) {
        let caps = caps(node_seats, &rooms);
        let taken: u64 = rooms.iter().map(|room| room.taken).sum();
        let let_in: u64 = caps.iter().zip(&rooms).map(|(cap, room)| (*cap).max(room.taken)).sum();
        prop_assert!(let_in <= node_seats.max(taken), "{caps:?}");
        for (place, room) in rooms.iter().enumerate() {
            prop_assert!(caps[place] <= room.at_most);
        }
        let more = |place: usize| {
            let room = rooms[place];
            room.wanted.min(room.at_most) > caps[place].max(room.taken)
        };
        prop_assert!(let_in >= node_seats || !(0..rooms.len()).any(more), "an idle seat that somebody wants");
    }
}

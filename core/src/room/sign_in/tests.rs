#![allow(clippy::unwrap_used)]

use super::*;

fn room(name: &str) -> Name {
    Name::parse(name).unwrap()
}

fn at(hours: u64) -> Time {
    Time::from_millis(hours * 3_600_000)
}

fn key(text: &str) -> KeyHash {
    KeyHash::of(text)
}

fn cookie(n: u32) -> Cookie {
    let mut id = [0; 12];
    id[..4].copy_from_slice(&n.to_be_bytes());
    Cookie::generate(id, [7; 24])
}

/// Comes into `of` by the link `by`, as a person drawn from `n`.
fn entry(n: u32, of: &str, role: Role, by: &str) -> Entry {
    let mut seed = [0; 12];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    let person = PersonId::generate(seed);
    Entry {
        cookie: cookie(n),
        agent: "A browser\n".to_owned(),
        by: key(by),
        opens: Opens::Room(Entrance {
            room: room(of),
            role,
            badge: format!("badge-{}-{of}", person.as_str()),
            person: Person::Drawn(person),
            name: None,
            name_else: PersonName::parse(role.word()).unwrap(),
        }),
    }
}

fn named(mut entry: Entry, name: &str) -> Entry {
    if let Opens::Room(entrance) = &mut entry.opens {
        entrance.name = PersonName::parse(name);
    }
    entry
}

fn known(mut entry: Entry, person: [u8; 12]) -> Entry {
    if let Opens::Room(entrance) = &mut entry.opens {
        entrance.person = Person::Known(PersonId::generate(person));
    }
    entry
}

/// What came out: whether anybody changed, how many are kept, how many forgotten.
fn drain(all: &mut SignIns) -> (bool, usize, usize) {
    let (mut changed, mut kept, mut forgotten) = (false, 0, 0);
    while let Some(output) = all.poll_output() {
        match output {
            Output::Changed => changed = true,
            Output::Keep(_) => kept += 1,
            Output::Forget(_) => forgotten += 1,
        }
    }
    (changed, kept, forgotten)
}

fn worn<'a>(all: &'a SignIns, n: u32, of: &str) -> Option<&'a Badge> {
    all.find(at(0), &cookie(n).id().mark())?.badges.get(&room(of))
}

#[test]
fn a_cookie_is_read_back_and_nothing_else_is() {
    let one = Cookie::generate([0xfb; 12], [1; 24]);
    let read = Cookie::parse(one.reveal()).unwrap();
    assert_eq!(read.id(), one.id());
    assert!(read.is(&one.hash()));
    assert!(!one.renew([2; 24]).is(&one.hash()));
    assert_eq!(one.renew([2; 24]).id().mark().0, one.id().mark().0);
    for text in ["", "short", &one.reveal()[1..], &format!("{}=", &one.reveal()[1..]), &"é".repeat(24)] {
        assert!(Cookie::parse(text).is_none(), "{text}");
    }
    assert_eq!(format!("{one:?} {:?}", one.id()), "Cookie(…) SignInId(…)");
}

#[test]
fn a_browser_wears_a_badge_for_each_room_and_keeps_who_it_is() {
    let mut all = SignIns::default();
    all.enter(at(0), named(entry(1, "a", Role::Speaker, "speaker"), "Ana"));
    all.enter(at(0), entry(1, "b", Role::Host, "host-b"));
    assert_eq!(drain(&mut all), (true, 1, 0));
    let person = worn(&all, 1, "a").unwrap().person.clone();
    assert_eq!(worn(&all, 1, "b").unwrap().name.as_str(), "host");
    // By a higher link they become more; by a lower one they stay what they are, and take its name if given.
    let mut host = entry(1, "a", Role::Host, "host");
    if let Opens::Room(entrance) = &mut host.opens {
        entrance.person = Person::Drawn(PersonId::generate([9; 12]));
    }
    all.enter(at(1), host);
    let badge = worn(&all, 1, "a").unwrap();
    assert_eq!((badge.role, badge.name.as_str(), &badge.person), (Role::Host, "Ana", &person));
    all.enter(at(2), named(entry(1, "a", Role::Speaker, "speaker"), "Bo"));
    let badge = worn(&all, 1, "a").unwrap();
    assert_eq!((badge.role, badge.name.as_str(), &badge.person), (Role::Host, "Bo", &person));
    assert!(badge.opened.by.is(&key("host")));
    assert_eq!(all.find(at(2), &cookie(1).id().mark()).unwrap().agent, "A browser");
    // Only a passkey says that this is somebody else.
    all.enter(at(3), known(entry(1, "a", Role::Host, "passkey"), [5; 12]));
    assert_eq!(worn(&all, 1, "a").unwrap().person, PersonId::generate([5; 12]));
}

#[test]
fn the_secret_is_new_each_time() {
    let mut all = SignIns::default();
    let planted = cookie(1);
    all.enter(at(0), entry(1, "a", Role::Speaker, "speaker"));
    let mut again = entry(1, "a", Role::Host, "host");
    again.cookie = planted.renew([9; 24]);
    all.enter(at(0), again.clone());
    assert!(all.look(at(0), &planted).is_none());
    assert_eq!(all.look(at(0), &again.cookie).unwrap().badges.len(), 1);
}

#[test]
fn what_was_opened_with_a_key_closes_with_it() {
    let mut all = SignIns::default();
    all.enter(at(0), entry(1, "a", Role::Speaker, "invitation"));
    all.enter(at(0), entry(2, "a", Role::Speaker, "speaker"));
    all.enter(at(0), entry(2, "b", Role::Speaker, "invitation"));
    all.enter(at(0), Entry { opens: Opens::Node, by: key("operator"), ..entry(3, "a", Role::Host, "") });
    drain(&mut all);
    all.close(Some(&room("a")), &key("invitation"));
    assert_eq!(drain(&mut all), (true, 0, 1));
    assert!(worn(&all, 1, "a").is_none() && worn(&all, 2, "a").is_some() && worn(&all, 2, "b").is_some());
    // The one who replaced the key goes on with the new one.
    all.move_badge(&cookie(2).id().mark(), &room("a"), key("fresh"));
    all.close(Some(&room("a")), &key("speaker"));
    assert!(worn(&all, 2, "a").is_some());
    all.reopen(&room("a"), &key("fresh"), key("other"));
    all.close(Some(&room("a")), &key("fresh"));
    assert!(worn(&all, 2, "a").is_some_and(|badge| badge.opened.by.is(&key("other"))));
    all.close(None, &key("operator"));
    assert_eq!((drain(&mut all), all.count()), ((true, 1, 1), 1));
    all.close_room(&room("a"));
    assert!(worn(&all, 2, "a").is_none() && worn(&all, 2, "b").is_some());
}

#[test]
fn hosts_take_badges_and_people_away() {
    let mut all = SignIns::default();
    for n in 1..=3 {
        all.enter(at(0), known(entry(n, "a", Role::Speaker, "speaker"), [n as u8 / 2; 12]));
    }
    drain(&mut all);
    assert!(all.take_badge(&room("b"), "badge-AAAAAQAAAAAAAAAA-a").is_none());
    let badge = worn(&all, 1, "a").unwrap().id.clone();
    assert_eq!(all.take_badge(&room("a"), &badge).unwrap().id, badge);
    assert_eq!(drain(&mut all), (true, 0, 1));
    all.rename(&room("a"), &PersonId::generate([1; 12]), &PersonName::parse("Cy").unwrap());
    all.set_role(&room("a"), &PersonId::generate([1; 12]), Role::CoHost);
    assert_eq!(drain(&mut all), (true, 2, 0));
    for n in 2..=3 {
        let badge = worn(&all, n, "a").unwrap();
        assert_eq!((badge.name.as_str(), badge.role), ("Cy", Role::CoHost));
    }
    assert_eq!(all.take_person(&room("a"), &PersonId::generate([1; 12])).len(), 2);
    assert_eq!((drain(&mut all), all.count()), ((true, 0, 2), 0));
}

#[test]
fn nobody_stays_signed_in_for_ever() {
    let days = |days: u64| at(days * 24);
    let mut all = SignIns::default();
    all.enter(days(0), entry(1, "a", Role::Speaker, "speaker"));
    // Every day a look keeps it, up to the thirtieth.
    for day in 1..30 {
        assert!(all.look(days(day), &cookie(1)).is_some(), "{day}");
    }
    all.enter(days(29), entry(1, "b", Role::Speaker, "speaker"));
    all.expire(days(30));
    let left = all.find(days(30), &cookie(1).id().mark()).unwrap();
    assert_eq!(left.badges.keys().map(Name::as_str).collect::<Vec<_>>(), ["b"]);
    // Away for a week.
    assert!(all.look(days(35), &cookie(1)).is_some());
    assert!(all.look(days(42), &cookie(1)).is_none());
    assert!(all.find(days(42), &cookie(1).id().mark()).is_none());
    drain(&mut all);
    all.expire(days(42));
    assert_eq!((drain(&mut all), all.count()), ((true, 0, 1), 0));
}

#[test]
fn that_somebody_was_here_is_kept_now_and_then() {
    let mut all = SignIns::default();
    all.enter(at(0), entry(1, "a", Role::Speaker, "speaker"));
    drain(&mut all);
    let kept = (0..120).filter(|minute| {
        all.look(Time::from_millis(minute * 60_000), &cookie(1));
        drain(&mut all).1 == 1
    });
    assert_eq!(kept.count(), 11);
}

#[test]
fn a_restart_leaves_out_what_opens_nothing_any_longer() {
    let mut all = SignIns::default();
    all.enter(at(0), entry(1, "a", Role::Speaker, "old"));
    all.enter(at(0), entry(2, "a", Role::Speaker, "new"));
    all.enter(at(0), entry(3, "a", Role::Speaker, "new"));
    let mut kept: Vec<_> = std::iter::from_fn(|| all.poll_output())
        .filter_map(|output| if let Output::Keep(sign_in) = output { Some(sign_in) } else { None })
        .collect();
    kept[2].seen = Ago::long(at(0), IDLE_MAX);
    let holds = |of: Option<&Name>, by: &KeyHash| {
        assert_eq!(of, Some(&room("a")));
        if by.is(&key("new")) { Holds::Yes } else { Holds::No }
    };
    let mut again = SignIns::restore(at(0), kept, holds);
    assert_eq!((drain(&mut again), again.count()), ((true, 0, 2), 1));
    assert!(again.look(at(1), &cookie(2)).is_some());
}

#[test]
fn limits_push_out_the_lowest_and_the_longest_unseen() {
    let mut all = SignIns::default();
    all.enter(at(0), entry(0, "a", Role::Host, "host"));
    all.enter(at(0), Entry { opens: Opens::Node, ..entry(1, "a", Role::Host, "operator") });
    for n in 2..=(BADGES_ROOM_MAX as u32 + 10) {
        all.enter(at(u64::from(n)), entry(n, "a", Role::Speaker, "speaker"));
    }
    assert_eq!(all.of_room(&room("a")).count(), BADGES_ROOM_MAX);
    let mark = |n: u32| cookie(n).id().mark();
    let now = at(100);
    assert!(all.find(now, &mark(0)).is_some() && all.find(now, &mark(2)).is_none());
    for n in 0..BADGES_MAX as u32 + 3 {
        all.enter(at(u64::from(n)), entry(0, &format!("r{n}"), Role::Host, "host"));
    }
    assert_eq!(all.find(now, &mark(0)).unwrap().badges.len(), BADGES_MAX);
    for n in 0..SIGN_INS_MAX as u32 {
        all.enter(at(90), entry(10_000 + n, &format!("x{}", n / 400), Role::Speaker, "speaker"));
    }
    assert_eq!(all.count(), SIGN_INS_MAX);
    assert!(all.find(now, &mark(1)).is_some(), "the operator stays");
}

use super::*;

fn remote(line: &str) -> Result<String, Skipped> {
    read(line.as_bytes()).map(|entry| entry.remote.into_owned())
}

#[test]
fn the_formats_of_the_large_servers_are_read() {
    let common = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#;
    let entry = read(common.as_bytes()).expect("a line");
    assert_eq!((entry.at_ms, entry.status, entry.bytes), (971_211_336_000, 200, 2_326));
    assert_eq!((&*entry.remote, &*entry.target, entry.took_ms), ("127.0.0.1", "/apache_pb.gif", None));

    let combined = format!(r#"{common} "http://a/\"b" "Mozilla/4.08 [en] (Win98; I ;Nav)""#);
    assert_eq!(read(combined.as_bytes()).expect("a line").agent, "Mozilla/4.08 [en] (Win98; I ;Nav)");
    let named = format!("www.example.org:80 {common}");
    assert_eq!(remote(&named).as_deref(), Ok("127.0.0.1"));
    let host = r#"dial1.example.org - - [29/Feb/2024:00:00:00 +0000] "GET / HTTP/1.1" 304 -"#;
    let entry = read(host.as_bytes()).expect("a line");
    assert_eq!((&*entry.remote, entry.at_ms, entry.bytes), ("dial1.example.org", 1_709_164_800_000, 0));
}

#[test]
fn json_lines_are_read_with_numbers_as_text_too() {
    for line in [
        r#"{"time":1.5,"remote":"::1","method":"GET","uri":"/a","status":200,"request_time":0.25"#,
        r#"{"time":"1.5","remote":"::1","uri":"/a","status":"200","request_time":"0.250""#,
        r#"{"time":"1970-01-01T01:00:01.5+01:00","remote":"::1","uri":"/a","status":200,"request_time":0.25"#,
    ] {
        for whole in ["true", r#""OK""#] {
            let line = format!(r#"{line},"bytes":"3","complete":{whole},"more":[1]}}"#);
            let entry = read(line.as_bytes()).expect("a line");
            assert_eq!((entry.at_ms, &*entry.remote, &*entry.target), (1_500, "::1", "/a"), "{line}");
            assert_eq!((entry.status, entry.bytes, entry.took_ms), (200, 3, Some(250)));
            assert_eq!(entry.taken, Taken::Whole);
        }
    }
    let few = read(br#"{"time":0,"remote":"x","complete":"","request_time":null,"user_agent":null}"#)
        .expect("a line");
    assert_eq!((few.status, few.taken, few.took_ms), (0, Taken::Broken, None));
}

#[test]
fn a_request_that_is_none_is_still_a_line() {
    let line = r#"10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "\x16\x03\x01" 400 150"#;
    let entry = read(line.as_bytes()).expect("a line");
    assert_eq!((entry.status, &*entry.target), (400, r"\x16\x03\x01"));
    assert_eq!(read(b"10.0.0.1 - - [10/Oct/2000:13:55:36] \"-\" 408 0").expect("a line").status, 408);
    assert!(read(b"10.0.0.1 - - [10/Oct/2000:13:55:36 +0000] \"GET /\xff HTTP/1.1\" 200 1").is_ok());
}

#[test]
fn what_is_no_line_is_told_apart() {
    assert_eq!(remote("  \r"), Err(Skipped::Empty));
    assert_eq!(remote(&"x".repeat(LINE_BYTES_MAX + 1)), Err(Skipped::TooLong));
    for line in [
        "hello",
        "{}",
        "{",
        r#"{"time":-1,"remote":"x"}"#,
        r#"{"time":1e300,"remote":"x"}"#,
        r#"{"time":"noon","remote":"x"}"#,
        r#"{"time":1,"remote":""}"#,
        r#"a - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.0"#,
        r#"a - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.0\"#,
        r#"a - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.0""#,
        r#"a - - [99/Oct/2000:13:55:36 +0000] "GET / HTTP/1.0" 200 1"#,
        r#"a - - [30/Feb/2000:13:55:36 +0000] "GET / HTTP/1.0" 200 1"#,
        r#"a - - [10/Smarch/2000:13:55:36 +0000] "GET / HTTP/1.0" 200 1"#,
        r#"a - - ] [ "GET / HTTP/1.0" 200 1"#,
    ] {
        assert_eq!(remote(line), Err(Skipped::Malformed), "{line}");
    }
}

#[test]
fn a_line_cut_anywhere_does_no_harm() {
    let line = br#"h:80 ::1 - - [10/Oct/2000:13:55:36 -0700] "GET /a\"b HTTP/1.0" 200 26 "r" "a\\""#;
    for end in 0..line.len() {
        let _ = read(&line[..end]);
        let _ = read(&line[end..]);
    }
}

#[test]
fn brackets_in_a_name_hide_no_line() {
    let at = "[23/Nov/2026:09:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"b\"";
    for user in ["[x", "[x]", "[[[", "[23/Nov/2026:09:00:00 +0000]", "]["] {
        let line = format!("203.0.113.9 - {user} {at}");
        assert_eq!(remote(&line).as_deref(), Ok("203.0.113.9"), "{line}");
    }
    let brackets = format!("203.0.113.9 - {} {at}", "[".repeat(15_000));
    assert!(remote(&brackets).is_ok(), "and many of them cost little");
}

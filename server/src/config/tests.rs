#![allow(clippy::unwrap_used)]

use std::io::Write;

use super::*;

const NO_LEVEL: &str =
    "\"warning\" is no level: give error, warn, info, debug or trace, or off, alone or as module=level";

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn from_text(text: &str) -> Result<Config, ConfigError> {
    Config::load_file(file(text).path(), |_| Ok(()))
}

#[test]
fn the_example_is_the_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tribune.example.toml");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os("TRIBUNE_WRITE_EXAMPLE").is_some() {
        std::fs::write(&path, Config::example()).unwrap();
    } else {
        assert_eq!(kept, Config::example(), "run this test with TRIBUNE_WRITE_EXAMPLE=1 to write it anew");
    }
    assert_eq!(from_text(&Config::example()), Ok(Config::default()));
}

#[test]
fn every_option_stands_in_the_example_once() {
    let example = Config::example();
    for opt in &OPTIONS {
        let lines = example.lines().filter(|line| {
            line.trim_start_matches('#').split_once(" = ").is_some_and(|(name, _)| name == opt.name)
        });
        assert_eq!(lines.count(), 1, "{}", opt.name);
    }
}

#[test]
fn every_sample_can_be_used() {
    for opt in OPTIONS.iter().filter(|opt| !opt.sample.is_empty()) {
        let text = format!("{} = {}", opt.name, opt.sample);
        let mut config = Config::default();
        config.read_file(file(&text).path()).unwrap();
        assert_ne!(config, Config::default(), "{text}");
        assert!((opt.show)(&config).is_some(), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, line, what) in [
        ("listenn = \"x\"", 1, "\"listenn\" is not an option; did you mean \"listen\"?"),
        ("\n\nfrobnicate = 1", 3, "\"frobnicate\" is not an option; tribune.example.toml lists them all"),
        ("[listen]\nx = 1", 1, "listen must be a text in quotes"),
        ("[cluster]\nx = 1", 1, "\"cluster\" is not an option; tribune.example.toml lists them all"),
        ("listen = 8080", 1, "listen must be a text in quotes"),
        ("listen = \"8080\"", 1, "\"8080\" is no IP address with a port, like 127.0.0.1:8080 or [::]:8080"),
        ("stage = \"127.0.0.1:9\"\nstage = \"127.0.0.1:9\"", 2, "this is not TOML: duplicate key"),
        ("seats_max = \"7\"", 1, "seats_max must be a whole number without quotes"),
        ("\nseats_max = -1", 2, "\"-1\" is no whole number from 0 to 10000000"),
        (
            "rooms_max = 99999999999999999999",
            1,
            "\"99999999999999999999\" is no whole number from 1 to 100000",
        ),
        ("webhook_private = 1", 1, "webhook_private must be true or false"),
        ("trusted_proxy = \"10.0.0.0/8\"", 1, "trusted_proxy must be a list of texts: [\"…\", \"…\"]"),
        ("trusted_proxy = [\"ten\"]", 1, "\"ten\" is no address block, like 10.0.0.0/8 or 2001:db8::/32"),
        ("operator_key = \"short\"", 1, "a key has 22 to 256 characters"),
        ("acme = \"localhost\"", 1, "\"localhost\" is no domain name"),
        ("redirect = \"0.0.0.0:80\"", 1, "redirect leads to HTTPS: it needs acme, or tls_cert and tls_key"),
        (
            "acme_contact = \"mailto:ops@example.org\"",
            1,
            "acme_contact says how a certificate is fetched, but acme names no domain",
        ),
        ("acme_contact = \"ops@example.org\"", 1, "\"ops@example.org\" is no address, like mailto:a@b.org"),
        ("acme_directory = \"http://a.b/c\"", 1, "\"http://a.b/c\" is no https:// URL"),
        ("public_url = \"live.example.org\"", 1, "\"live.example.org\" is no http:// or https:// URL"),
        ("log_format = \"xml\"", 1, "\"xml\" is neither \"text\" nor \"json\""),
        ("\ntls_cert = \"a\"", 2, "tls_cert needs tls_key beside it"),
        ("tls_key = \"a\"", 1, "tls_key needs tls_cert beside it"),
        ("tls_cert = \"a\"\ntls_key = \"b\"\nacme = \"a.b\"", 3, "use either acme or tls_cert and tls_key"),
        ("log_filter = \"warning\"", 1, NO_LEVEL),
        ("listen = \"127.0.0.1:9090\"", 1, "ops and listen cannot both be 127.0.0.1:9090"),
        (
            "\nlisten = \"127.0.0.1:80\"\nacme = \"a.org\"",
            2,
            "redirect and listen cannot both be 127.0.0.1:80",
        ),
        ("ops = \"127.0.0.1:8080\"", 1, "ops and listen cannot both be 127.0.0.1:8080"),
        (
            "media_public = [\"::1\", \"0.0.0.0\"]",
            1,
            "\"0.0.0.0\" is no IP address a speaker can reach, like 203.0.113.7 or 2001:db8::7",
        ),
        (
            "nats = \"nats://127.0.0.1\"",
            1,
            "nats belongs to a feature this version does not have; leave it out",
        ),
    ] {
        let error = from_text(text).unwrap_err();
        assert_eq!((error.line, error.what.as_str()), (Some(line), what), "{text}");
        assert!(error.to_string().contains(&format!(":{line}: ")));
    }
    assert!(from_text("listen = ").unwrap_err().what.starts_with("this is not TOML"));
    let missing = Config::load_file(Path::new("/nonexistent/x.toml"), |_| Ok(()));
    assert!(missing.unwrap_err().what.contains("cannot be opened"));
}

#[test]
fn a_flag_beats_a_variable_beats_the_file() {
    let kept = file("listen = \"127.0.0.1:1\"\nstage = \"127.0.0.1:2\"\nops = \"127.0.0.1:3\"");
    let config = Config::load(&Sources {
        file: Some(kept.path().into()),
        variables: vec![
            ("TRIBUNE_STAGE".into(), "http://localhost:22/".into()),
            ("TRIBUNE_OPS".into(), "127.0.0.1:33".into()),
            ("TRIBUNE_TRUSTED_PROXY".into(), "10.0.0.0/8, ::1".into()),
            ("TRIBUNE_ACME".into(), String::new()),
            ("TRIBUNE_SERVICE_HOST".into(), "10.0.0.1".into()),
        ],
        flags: vec![("ops", vec!["127.0.0.1:333".into()])],
    })
    .unwrap();
    assert_eq!((config.listen.port(), config.stage.port(), config.ops.port()), (1, 22, 333));
    assert_eq!(config.trusted_proxy.len(), 2);
    assert_eq!(config.acme, None);
}

#[test]
fn variables_and_flags_are_named_when_they_are_wrong() {
    let variables = vec![("TRIBUNE_SEATS_MAX".to_owned(), "many".to_owned())];
    let error = Config::load(&Sources { variables, ..Sources::default() }).unwrap_err();
    assert_eq!(error.to_string(), "TRIBUNE_SEATS_MAX: \"many\" is no whole number from 0 to 10000000");
    let flags = vec![("tls_cert", vec!["a".to_owned(), "b".to_owned()])];
    let error = Config::load(&Sources { flags, ..Sources::default() }).unwrap_err();
    assert_eq!(error.to_string(), "--tls-cert: takes exactly one value");
    let variables = vec![("TRIBUNE_NATS".to_owned(), "nats://x".to_owned())];
    assert!(Config::load(&Sources { variables, ..Sources::default() }).is_err());
}

#[test]
fn links_begin_with_what_visitors_see() {
    let plain = Config::default();
    assert_eq!(
        (plain.public_base(), plain.stage_base()),
        ("http://127.0.0.1:8080".into(), "http://127.0.0.1:8081".into())
    );
    let named = from_text("public_url = \"https://live.example.org/\"").unwrap();
    assert_eq!(named.public_base(), "https://live.example.org");
    let secure = from_text("tls_cert = \"a\"\ntls_key = \"b\"").unwrap();
    assert_eq!(secure.stage_base(), "https://127.0.0.1:8081");
}

#[test]
fn links_that_are_guessed_are_told() {
    for (text, guessed) in [
        ("", &[][..]),
        ("listen = \"[::]:8080\"", &["public_url"]),
        ("listen = \"[::]:8080\"\nstage = \"0.0.0.0:8081\"", &["public_url", "stage_url"]),
        ("listen = \"[::]:8080\"\npublic_url = \"https://a.org\"", &[]),
        ("listen = \"[::]:443\"\nacme = \"a.org\"", &[]),
    ] {
        let config = from_text(text).unwrap();
        assert_eq!(config.guessed_links(), guessed, "{text}");
        for base in [config.public_base(), config.stage_base()] {
            assert!(!base.contains("[::]") && !base.contains("0.0.0.0"), "{text}: {base}");
        }
    }
}

/// Every option with a value, damaged in a way the seed draws: what cannot be read has a line of the file.
#[test]
fn damaged_files_are_read_or_refused_with_a_line() {
    // A certificate of one's own and `acme` exclude each other.
    let example = Config::example().replace("\n#tls", "\n# tls").replace("\n#", "\n");
    let whole = example.replace("\n ", "\n# ");
    assert!(from_text(&whole).is_ok_and(|config| config.acme.is_some() && config.redirect.is_some()));
    let mut refused = 0;
    for seed in 1..4_000 {
        let text = String::from_utf8_lossy(&crate::damage(whole.as_bytes(), seed)).into_owned();
        let mut config = Config::default();
        let read = config.read_text("x.toml".into(), &text).and_then(|lines| config.check(&lines));
        if let Err(error) = read {
            refused += 1;
            let line = error.line.expect("a file has lines");
            assert!((1..=text.lines().count() + 1).contains(&line), "{seed}: {error}");
            assert!(!error.what.is_empty());
        }
    }
    assert!(refused > 1_000, "only {refused} of the damaged files were refused");
}

#[test]
fn the_certificate_is_for_the_stages_own_name_too() {
    for (stage_url, domains, stage) in [
        ("", &["a.org"][..], None),
        ("stage_url = \"https://Stage.a.org:8443\"", &["a.org", "stage.a.org"], Some(("stage.a.org", 8443))),
        ("stage_url = \"https://a.org:8443\"", &["a.org"], Some(("a.org", 8443))),
        ("stage_url = \"https://192.0.2.1\"", &["a.org"], Some(("192.0.2.1", 443))),
        ("stage_url = \"http://stage.a.org\"", &["a.org"], None),
    ] {
        let config =
            from_text(&format!("listen = \"[::]:443\"\nacme = \"a.org\"\n{stage_url}")).expect("it is good");
        assert_eq!(config.acme_domains(), domains, "{stage_url}");
        let stage = stage.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(config.secure_places(), Places { public_port: 443, stage }, "{stage_url}");
    }
}

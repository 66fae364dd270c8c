//! Passkeys, with an authenticator in software that does what is asked of it, right or wrong.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use sha2::{Digest, Sha256};

use super::sign_in::{Browser, refused};
use super::*;

const STAGE: &str = "http://localhost:8081";

/// One that has made one passkey, or will.
#[derive(Clone)]
struct Authenticator {
    pair: Arc<EcdsaKeyPair>,
    id: Vec<u8>,
    handle: String,
    counter: u32,
    origin: &'static str,
    rp: &'static str,
    /// User present, user verified.
    flags: u8,
    kinds: [&'static str; 2],
}

impl Authenticator {
    fn new(id: u8) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random);
        Self {
            pair: Arc::new(pair.unwrap()),
            id: vec![id; 32],
            handle: String::new(),
            counter: 1,
            origin: STAGE,
            rp: "localhost",
            flags: 0x05,
            kinds: ["webauthn.create", "webauthn.get"],
        }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind,
            "challenge": options["publicKey"]["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
        });
        data.to_string().into_bytes()
    }

    /// Authenticator data (WebAuthn, section 6.1), with `attested` behind it.
    fn data(&self, flags: u8, attested: &[u8]) -> Vec<u8> {
        let mut data = Sha256::digest(self.rp).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data.extend(attested);
        data
    }

    /// What `navigator.credentials.create()` comes to, as JSON.
    fn create(&mut self, options: &Value) -> Value {
        self.handle = options["publicKey"]["user"]["id"].as_str().unwrap().to_owned();
        let point = self.pair.public_key().as_ref();
        let mut attested = vec![0; 16];
        attested.extend((self.id.len() as u16).to_be_bytes());
        attested.extend(&self.id);
        // A COSE key (RFC 9052): EC2, ES256, P-256, x, y.
        attested.extend(b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20");
        attested.extend(&point[1..33]);
        attested.extend(b"\x22\x58\x20");
        attested.extend(&point[33..65]);
        let data = self.data(self.flags | 0x40, &attested);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(data.len() as u8);
        object.extend(&data);
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {"credProps": {"rk": true}},
            "response": {
                "clientDataJSON": encode(&self.client_data(self.kinds[0], options)),
                "attestationObject": encode(&object),
                "authenticatorData": encode(&data),
                "publicKeyAlgorithm": -7,
                "transports": ["internal"],
            },
        })
    }

    /// What `navigator.credentials.get()` comes to, as JSON.
    fn get(&mut self, options: &Value) -> Value {
        self.counter += 1;
        let client_data = self.client_data(self.kinds[1], options);
        let data = self.data(self.flags, &[]);
        let mut signed = data.clone();
        signed.extend(Sha256::digest(&client_data));
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encode(&client_data),
                "authenticatorData": encode(&data),
                "signature": encode(signature.as_ref()),
                "userHandle": self.handle,
            },
        })
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

async fn node(data: &Path) -> Node {
    Node::reached_at(data, Some(STAGE)).await
}

fn browser(node: &Node) -> Browser<'_> {
    Browser { host: "localhost:8081", head: vec![("origin", STAGE)], ..Browser::new(node) }
}

/// Makes a passkey; the status and what came.
async fn register(browser: &mut Browser<'_>, with: &mut Authenticator) -> (u16, Value) {
    let came = browser.ask("POST", "/passkeys/register/start", json!({"room": "debate"})).await;
    if came.status != 200 {
        return (came.status, came.body);
    }
    let made = with.create(&came.body);
    let came = browser.ask("POST", "/passkeys/register/finish", made).await;
    (came.status, came.body)
}

async fn start(browser: &mut Browser<'_>) -> Value {
    browser.ask("POST", "/passkeys/login/start", json!({})).await.body
}

/// Signs in; the status and what came.
async fn login(browser: &mut Browser<'_>, with: &mut Authenticator) -> (u16, Value) {
    let options = start(browser).await;
    let came = browser.ask("POST", "/passkeys/login/finish", with.get(&options)).await;
    (came.status, came.body)
}

#[tokio::test]
async fn a_host_makes_a_passkey_and_comes_back_by_it_as_the_same_person() {
    let data = tempfile::tempdir().unwrap();
    let node = node(data.path()).await;
    let [host, _, speaker] = node.room("debate").await;
    let mut at_home = browser(&node);
    assert_eq!(at_home.ask("GET", "/session", Value::Null).await.body["passkeys"], true);
    assert_eq!(at_home.code("POST", "/passkeys/register/start", json!({})).await, refused(401, "signed_out"));
    at_home.sign_in("debate", &speaker, Some("Ana")).await;
    assert_eq!(at_home.code("POST", "/passkeys/register/start", json!({})).await.0, 403);
    let person = at_home.sign_in("debate", &host, None).await.body["person"].clone();
    let options = at_home.ask("POST", "/passkeys/register/start", json!({"label": "Laptop"})).await.body;
    let options = &options["publicKey"];
    assert_eq!(
        (&options["rp"]["id"], &options["user"]["name"]),
        (&json!("localhost"), &json!("Ana · debate"))
    );
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let mut key = Authenticator::new(1);
    let (status, made) = register(&mut at_home, &mut key).await;
    assert_eq!((status, &made["role"], &made["room"]), (201, &json!("host"), &json!("debate")));
    assert_eq!(register(&mut at_home, &mut key).await.0, 401, "it is one of those they have");
    let all = at_home.ask("GET", "/passkeys", Value::Null).await.body;
    assert_eq!((all.as_array().unwrap().len(), &all[0]["id"]), (1, &json!(encode(&key.id))));
    let mut elsewhere = browser(&node);
    let options = start(&mut elsewhere).await;
    assert_eq!(options["publicKey"]["allowCredentials"], json!([]));
    let (status, came) = login(&mut elsewhere, &mut key).await;
    let expected = json!({"room": "debate", "role": "host", "person": person, "name": "Ana"});
    assert_eq!((status, came), (201, expected));
    assert_eq!(elsewhere.code("POST", "/rooms/debate/notice", json!({"text": "x"})).await.0, 200);
    // What was made from a sign-in by passkey hangs on the same key; taken away, it takes with it who is in.
    let mut second = Authenticator::new(2);
    assert_eq!(register(&mut elsewhere, &mut second).await.0, 201);
    let mut third = browser(&node);
    assert_eq!(login(&mut third, &mut second).await.0, 201);
    let path = format!("/passkeys/{}", encode(&second.id));
    assert_eq!(at_home.code("DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(third.code("GET", "/rooms/debate/keys", Value::Null).await, refused(401, "signed_out"));
    assert_eq!(login(&mut third, &mut second).await.0, 401);
    assert_eq!(at_home.code("DELETE", &path, Value::Null).await.0, 404);
    let (_, lines) = node.ask(("GET", "/debate/audit"), OPERATOR, Value::Null).await;
    let acts: Vec<_> = lines["audit"].as_array().unwrap().iter().map(|line| line["act"].clone()).collect();
    assert!(acts.contains(&json!("passkey")) && acts.contains(&json!("sign_in")), "{acts:?}");
}

#[tokio::test]
async fn answers_that_do_not_fit_sign_nobody_in() {
    let data = tempfile::tempdir().unwrap();
    let node = node(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let mut owner = browser(&node);
    owner.sign_in("debate", &host, None).await;
    let mut key = Authenticator::new(1);
    assert_eq!(register(&mut owner, &mut key).await.0, 201);
    let stranger = Authenticator { id: key.id.clone(), handle: key.handle.clone(), ..Authenticator::new(9) };
    let good = key.clone();
    let wrong = [
        ("another page", Authenticator { origin: "http://localhost:8080", ..good.clone() }),
        ("another site", Authenticator { origin: "https://evil.example", ..good.clone() }),
        ("another host", Authenticator { rp: "evil.example", ..good.clone() }),
        ("nobody was asked", Authenticator { flags: 0x01, ..good.clone() }),
        ("nobody was there", Authenticator { flags: 0x04, ..good.clone() }),
        ("the other ceremony", Authenticator { kinds: ["webauthn.create"; 2], ..good.clone() }),
        ("another key", stranger),
        ("an unknown passkey", Authenticator { id: vec![7; 32], ..good.clone() }),
        ("the counter stands still", Authenticator { counter: 0, ..good }),
    ];
    let mut visitor = browser(&node);
    for (what, mut with) in wrong {
        let (status, came) = login(&mut visitor, &mut with).await;
        assert_eq!((status, &came["code"]), (401, &json!("passkey_wrong")), "{what}: {came}");
        assert!(visitor.cookie.is_empty(), "{what}");
    }
    // A challenge that nobody made, or that another node made.
    let mut options = start(&mut visitor).await;
    options["publicKey"]["challenge"] = json!(encode(&[7; 56]));
    let came = visitor.ask("POST", "/passkeys/login/finish", key.get(&options)).await;
    assert!(came.body["message"].as_str().unwrap().contains("nobody asked for it here"), "{}", came.body);
    // One that is answered once is not answered again, not even by a fresh signature.
    let options = start(&mut visitor).await;
    let first = key.get(&options);
    assert_eq!(visitor.ask("POST", "/passkeys/login/finish", first.clone()).await.status, 201);
    let mut thief = browser(&node);
    for again in [first, key.get(&options)] {
        let came = thief.ask("POST", "/passkeys/login/finish", again).await;
        assert_eq!(came.status, 401);
        assert!(came.body["message"].as_str().unwrap().contains("used already"), "{}", came.body);
    }
    // The counter goes back: somebody has a copy.
    let mut copy = Authenticator { counter: 1, ..key.clone() };
    assert_eq!(login(&mut thief, &mut copy).await.0, 401);
    assert_eq!(login(&mut thief, &mut key).await.0, 201);
    // Nobody's page signs a visitor in.
    let mut page = Browser { head: vec![("origin", "http://localhost:8080")], ..browser(&node) };
    assert_eq!(page.code("POST", "/passkeys/login/start", json!({})).await, refused(403, "origin_wrong"));
}

#[tokio::test]
async fn passkeys_that_do_not_fit_are_not_made() {
    let data = tempfile::tempdir().unwrap();
    let node = node(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let mut owner = browser(&node);
    owner.sign_in("debate", &host, None).await;
    let good = Authenticator::new(1);
    for (what, mut with) in [
        ("another page", Authenticator { origin: "http://localhost:8080", ..good.clone() }),
        ("another host", Authenticator { rp: "evil.example", ..good.clone() }),
        ("nobody was asked", Authenticator { flags: 0x01, ..good.clone() }),
        ("the other ceremony", Authenticator { kinds: ["webauthn.get"; 2], ..good.clone() }),
    ] {
        let (status, came) = register(&mut owner, &mut with).await;
        assert_eq!((status, &came["code"]), (401, &json!("passkey_wrong")), "{what}: {came}");
    }
    let begin = |body| ("POST", "/passkeys/register/start", body);
    let (method, path, body) = begin(json!({"room": "debate"}));
    let first = owner.ask(method, path, body.clone()).await.body;
    owner.ask(method, path, body).await;
    let made = good.clone().create(&first);
    let finish = "/passkeys/register/finish";
    assert_eq!(
        owner.code("POST", finish, made.clone()).await,
        refused(401, "passkey_wrong"),
        "begun anew since"
    );
    assert_eq!(owner.code("POST", finish, made.clone()).await, refused(401, "passkey_wrong"), "not begun");
    let mut other = browser(&node);
    other.sign_in("debate", &host, None).await;
    let options = owner.ask("POST", "/passkeys/register/start", json!({})).await.body;
    let made = good.clone().create(&options);
    assert_eq!(other.code("POST", finish, made.clone()).await.0, 401, "begun by somebody else");
    let mut page = Browser { head: vec![], cookie: owner.cookie.clone(), ..browser(&node) };
    assert_eq!(page.code("POST", finish, made.clone()).await, refused(403, "origin_wrong"));
    assert_eq!(owner.code("POST", finish, made).await.0, 201);
    assert_eq!(owner.ask("GET", "/passkeys", Value::Null).await.body.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_passkey_lasts_as_long_as_what_it_was_made_by() {
    let data = tempfile::tempdir().unwrap();
    let node = node(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let (_, made) = node.ask(("POST", "/debate/invitations"), &host, json!({"role": "cohost"})).await;
    let invitation = made["key"].as_str().unwrap().to_owned();
    let mut keys = Vec::new();
    let mut people = Vec::new();
    for (n, key) in [&host, &host, &invitation].into_iter().enumerate() {
        let (mut by_link, mut with) = (browser(&node), Authenticator::new(n as u8));
        by_link.sign_in("debate", key, None).await;
        assert_eq!(register(&mut by_link, &mut with).await.0, 201);
        let mut by_passkey = browser(&node);
        let (status, came) = login(&mut by_passkey, &mut with).await;
        assert_eq!(status, 201);
        people.push((by_link, by_passkey, came["person"].as_str().unwrap().to_owned()));
        keys.push(with);
    }
    let rotated = people[0].1.ask("POST", "/rooms/debate/keys", json!({"roles": ["host"]})).await;
    assert_eq!(rotated.status, 200, "{}", rotated.body);
    let mut visitor = browser(&node);
    let inside =
        async |browser: &mut Browser<'_>| browser.code("GET", "/rooms/debate/keys", Value::Null).await.0;
    assert_eq!(inside(&mut people[0].1).await, 200, "who rotated is in by a passkey, which stays");
    assert_eq!(inside(&mut people[0].0).await, 401, "but not who came by the old link, whoever it is");
    assert_eq!((inside(&mut people[1].0).await, inside(&mut people[1].1).await), (401, 401));
    assert_eq!((inside(&mut people[2].0).await, inside(&mut people[2].1).await), (200, 200));
    assert_eq!(login(&mut visitor, &mut keys[0]).await.0, 201);
    assert_eq!(login(&mut visitor, &mut keys[1]).await.0, 401);
    let path = format!("/debate/invitations/{}", made["id"].as_str().unwrap());
    assert_eq!(node.ask(("DELETE", &path), OPERATOR, Value::Null).await.0, 204);
    assert_eq!(inside(&mut people[2].1).await, 401);
    assert_eq!(login(&mut visitor, &mut keys[2]).await.0, 401);
    node.rooms.shut_down().await;
    let again = self::node(data.path()).await;
    let mut still = Browser { cookie: people[0].1.cookie.clone(), ..browser(&again) };
    assert_eq!(inside(&mut still).await, 200, "a restart keeps who came by a passkey");
    // Somebody who is sent away does not come back by theirs.
    let (person, room) =
        (tribune_core::room::PersonId::parse(&people[0].2).unwrap(), again.rooms.get("debate"));
    let room = room.unwrap().name().clone();
    again.door.set_role(&room, &person, tribune_core::room::Role::CoHost).await.unwrap();
    let came = login(&mut browser(&again), &mut keys[0]).await.1;
    assert_eq!(came["role"], "cohost");
    let _here = super::floor::comes(&again, &came).await;
    let removed = again.ask(("POST", "/debate/remove"), OPERATOR, json!({"person": people[0].2})).await;
    assert_eq!((removed.0, &removed.1["still_opens"]), (200, &json!("key")), "made by the host's key");
    assert_eq!((inside(&mut still).await, login(&mut still, &mut keys[0]).await.0), (401, 401));
}

#[tokio::test]
async fn whoever_came_by_a_passkey_and_is_made_speaker_stays_signed_in() {
    let data = tempfile::tempdir().unwrap();
    let node = node(data.path()).await;
    let [host, cohost, _] = node.room("debate").await;
    let (mut by_link, mut by_passkey, mut with) = (browser(&node), browser(&node), Authenticator::new(1));
    by_link.sign_in("debate", &cohost, None).await;
    assert_eq!(register(&mut by_link, &mut with).await.0, 201);
    let came = login(&mut by_passkey, &mut with).await.1;
    let here = super::floor::comes(&node, &came).await;
    let less = json!({"person": came["person"], "role": "speaker"});
    assert_eq!(node.ask(("POST", "/debate/role"), &host, less).await.0, 200);
    assert_eq!(login(&mut browser(&node), &mut with).await.0, 401, "speakers have no passkeys");
    drop(here);
    node.rooms.shut_down().await;
    let again = self::node(data.path()).await;
    let mut still = Browser { cookie: by_passkey.cookie.clone(), ..browser(&again) };
    let session = still.ask("GET", "/session", Value::Null).await.body;
    assert_eq!(session["rooms"][0]["role"], "speaker", "{session}");
}

#[tokio::test]
async fn the_operator_has_passkeys_too() {
    let data = tempfile::tempdir().unwrap();
    let node = node(data.path()).await;
    let mut operator = browser(&node);
    operator.ask("POST", "/session", json!({"operator": OPERATOR})).await;
    let options = operator.ask("POST", "/passkeys/register/start", json!({})).await.body;
    let mut key = Authenticator::new(3);
    let made = operator.ask("POST", "/passkeys/register/finish", key.create(&options)).await;
    assert_eq!(
        (made.status, &made.body["role"], &made.body["room"]),
        (201, &json!("operator"), &Value::Null)
    );
    let mut elsewhere = browser(&node);
    assert_eq!(login(&mut elsewhere, &mut key).await, (201, json!({"operator": true})));
    assert_eq!(elsewhere.code("GET", "/rooms", Value::Null).await.0, 200);
    assert_eq!(elsewhere.ask("GET", "/passkeys", Value::Null).await.body[0]["label"], "Passkey");
}

#[tokio::test]
async fn under_a_bare_address_no_passkeys_are_offered() {
    let data = tempfile::tempdir().unwrap();
    for (stage, host, offered) in [
        (None, "127.0.0.1:8081", false),
        (Some(STAGE), "127.0.0.1:8081", false),
        (Some(STAGE), "localhost:8081", true),
        (Some("http://stage.example.org"), "stage.example.org", false),
        (Some("https://stage.example.org"), "stage.example.org", true),
        (Some("https://[2001:db8::1]"), "[2001:db8::1]", false),
    ] {
        let node = Node::reached_at(data.path(), stage).await;
        let mut visitor = Browser { host, head: vec![], ..Browser::new(&node) };
        let came = visitor.ask("GET", "/session", Value::Null).await;
        assert_eq!(came.body["passkeys"], offered, "{stage:?} {host}");
        let (status, code) = visitor.code("POST", "/passkeys/login/start", json!({})).await;
        let ours = stage.is_some_and(|stage| stage == STAGE || stage == "https://stage.example.org");
        assert_eq!((status, code.as_str()), if ours { (200, "") } else { (409, "wrong_state") });
    }
}

#[tokio::test]
async fn asking_too_often_is_refused_by_address_and_keeps_nobody_else_out() {
    let data = tempfile::tempdir().unwrap();
    let node = node(data.path()).await;
    let from = |ip: &str| {
        let request =
            Request::post("/api/v1/passkeys/login/start").header("content-type", "application/json");
        let request = request.extension(ClientAddr(ip.parse().unwrap()));
        node.send(request.body("{}".into()).unwrap())
    };
    for n in 1..=guesses::PASSKEYS_MAX + 5 {
        let expected = if n <= guesses::PASSKEYS_MAX { 200 } else { 429 };
        assert_eq!(from("192.0.2.1").await.status(), expected, "{n}");
    }
    assert_eq!(from("192.0.2.2").await.status(), 200);
}

/// Whatever stands in an answer, it is refused by its row or taken; never a fault of ours.
#[tokio::test]
async fn damaged_answers_are_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let node = node(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let mut owner = browser(&node);
    owner.sign_in("debate", &host, None).await;
    let mut key = Authenticator::new(1);
    assert_eq!(register(&mut owner, &mut key).await.0, 201);
    let mut refusals = 0;
    for seed in 0..240_u64 {
        let (path, mut answer) = if seed % 2 == 0 {
            let options = owner.ask("POST", "/passkeys/register/start", json!({})).await.body;
            ("/passkeys/register/finish", Authenticator::new(2).create(&options))
        } else {
            ("/passkeys/login/finish", key.get(&start(&mut browser(&node)).await))
        };
        // The JSON as a whole, or the bytes within one of its fields.
        let fields = ["clientDataJSON", "attestationObject", "authenticatorData", "signature"];
        let field = fields[seed as usize / 4 % fields.len()];
        let inner = answer["response"][field].as_str().map(|text| URL_SAFE_NO_PAD.decode(text).unwrap());
        let text = match inner {
            Some(bytes) if seed % 8 < 6 => {
                answer["response"][field] = json!(encode(&crate::damage(&bytes, seed)));
                answer.to_string().into_bytes()
            }
            Some(_) | None => crate::damage(answer.to_string().as_bytes(), seed),
        };
        let request = owner.request("POST", path).header("content-type", "application/json");
        let (status, came) = read(node.send(request.body(text.into()).unwrap()).await).await;
        assert!(status < 500, "{seed} {path}: {status} {came}");
        refusals += usize::from(status >= 400);
        if status == 201 {
            owner.sign_in("debate", &host, None).await;
            owner.ask("DELETE", &format!("/passkeys/{}", encode(&[2; 32])), Value::Null).await;
        }
    }
    assert!(refusals > 120, "only {refusals} were refused");
}

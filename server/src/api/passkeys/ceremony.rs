//! The two ceremonies of WebAuthn (Level 3, section 7): making a passkey, and signing in by one. What is
//! verified is the library's; this is what it is asked, and what of its answers is let out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tribune_core::door::address::host_of;
use tribune_core::reason::Refusal;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey as Credential, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

use super::challenge::ANSWER_MAX;
use crate::answer::Failure;

/// Who makes and takes passkeys: this node, under the name by which browsers reach its stage.
pub struct Relying {
    webauthn: Webauthn,
    /// The host's name in the stage's address, for which passkeys are made.
    pub host: String,
    /// What the library keeps of somebody who signs in, but for the challenge.
    blank: Value,
}

/// For whom a passkey is made.
pub struct Owner {
    /// The same for the same person, so that an authenticator keeps one passkey of theirs.
    pub handle: [u8; 16],
    /// What their browser calls it in its list.
    pub name: String,
    /// The ids of the passkeys they have.
    pub has: Vec<String>,
}

/// What is read of an answer before the library reads it.
#[derive(Deserialize)]
struct ClientData {
    challenge: String,
}

impl Relying {
    /// `None` where no browser would make a passkey: under a bare address, or in the clear but on one's own
    /// machine.
    pub fn new(base: &str) -> Option<Self> {
        let url = Url::parse(base).ok()?;
        let host = url.domain()?.to_owned();
        if url.scheme() != "https" && host != "localhost" && !host.ends_with(".localhost") {
            return None;
        }
        let builder = WebauthnBuilder::new(&host, &url).ok()?.rp_name("tribune").timeout(ANSWER_MAX);
        let webauthn = builder.build().ok()?;
        let (_, state) = webauthn.start_discoverable_authentication().ok()?;
        let blank = serde_json::to_value(state).ok()?;
        Some(Self { webauthn, host, blank })
    }

    /// Whether a browser that asks for this host would make passkeys for ours.
    pub fn is_reached_as(&self, host: Option<&str>) -> bool {
        let name = host.and_then(host_of).map(|host| match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name.to_owned(),
            Some(_) | None => host,
        });
        name.is_some_and(|name| name.eq_ignore_ascii_case(&self.host))
    }

    /// Begins to make a passkey: the options for the browser, and what is to be kept until it answers.
    pub fn begin_registration(&self, owner: &Owner) -> Result<(Value, PasskeyRegistration), Failure> {
        let has = owner.has.iter().filter_map(|id| URL_SAFE_NO_PAD.decode(id).ok());
        let started = self.webauthn.start_passkey_registration(
            Uuid::from_bytes(owner.handle),
            &owner.name,
            &owner.name,
            Some(has.collect()),
        );
        let (options, state) = started.map_err(|error| ours(&error))?;
        let mut options = serde_json::to_value(options.public_key).map_err(|error| ours(&error))?;
        // It must be one that the browser finds by itself: whoever signs in says no name first.
        options["authenticatorSelection"]["residentKey"] = json!("required");
        options["authenticatorSelection"]["requireResidentKey"] = json!(true);
        Ok((options, state))
    }

    /// The credential that a browser made, if everything about it is right.
    pub fn end_registration(
        &self,
        answer: &RegisterPublicKeyCredential,
        state: &PasskeyRegistration,
    ) -> Result<Credential, Failure> {
        self.webauthn.finish_passkey_registration(answer, state).map_err(|error| wrong(&error))
    }

    /// Begins to sign somebody in: the options for the browser, with this challenge.
    pub fn begin_sign_in(&self, challenge: &[u8]) -> Result<Value, Failure> {
        let (options, _) = self.webauthn.start_discoverable_authentication().map_err(|error| ours(&error))?;
        let mut options = serde_json::to_value(options.public_key).map_err(|error| ours(&error))?;
        options["challenge"] = json!(URL_SAFE_NO_PAD.encode(challenge));
        Ok(options)
    }

    /// The credential as it is after a browser signed in with it, if everything about that is right.
    pub fn end_sign_in(
        &self,
        answer: &PublicKeyCredential,
        challenge: &[u8],
        mut credential: Credential,
    ) -> Result<Credential, Failure> {
        let mut state = self.blank.clone();
        state["ast"]["challenge"] = json!(URL_SAFE_NO_PAD.encode(challenge));
        let state: DiscoverableAuthentication =
            serde_json::from_value(state).map_err(|error| ours(&error))?;
        let signed = self.webauthn.finish_discoverable_authentication_v2(answer, state, &credential);
        let signed = signed.map_err(|error| wrong(&error))?;
        credential.update_credential(&signed);
        Ok(credential)
    }
}

/// The challenge to which an answer says it answers.
pub fn challenge_of(client_data: &[u8]) -> Result<Vec<u8>, Failure> {
    let data: Result<ClientData, _> = serde_json::from_slice(client_data);
    let challenge = data.ok().and_then(|data| URL_SAFE_NO_PAD.decode(data.challenge).ok());
    challenge.ok_or_else(|| Failure::malformed("the answer's client data name no challenge"))
}

/// What stands for somebody on an authenticator: it tells nothing about them.
pub fn handle_of(whom: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(format!("passkey of {whom}")).into();
    digest[..16].try_into().expect("a digest is longer than a handle")
}

/// Says what is wrong: it is nothing that helps to make it right without the authenticator.
fn wrong(error: &WebauthnError) -> Failure {
    Failure::new(Refusal::PasskeyWrong, error.to_string())
}

fn ours(error: &dyn std::error::Error) -> Failure {
    tracing::error!(%error, "passkey_not_begun");
    Failure::new(Refusal::OurFault, error.to_string())
}

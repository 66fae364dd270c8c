//! WHIP (RFC 9725) as a client speaks it.

use anyhow::bail;

use crate::speaker::Target;

/// A session the node has made.
pub struct Made {
    /// The answer.
    pub answer: String,
    /// Where the session is changed and ended.
    pub location: String,
}

/// Offers.
pub fn offer(target: &Target<'_>, sdp: &str) -> anyhow::Result<Made> {
    let query = target.name.map(|name| format!("?name={name}")).unwrap_or_default();
    let url = format!("{}/{}/whip{query}", target.stage, target.room);
    let mut answer = agent()
        .post(&url)
        .header("authorization", format!("Bearer {}", target.key))
        .header("content-type", "application/sdp")
        .send(sdp)?;
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
    let location = location.unwrap_or_default().to_owned();
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string()?;
    if status != 201 {
        bail!("the offer was refused: {status} {text}");
    }
    let location = if location.starts_with('/') { format!("{}{location}", target.stage) } else { location };
    Ok(Made { answer: text, location })
}

/// Begins ICE anew; answers with the node's fragment.
pub fn restart(location: &str, key: &str, fragment: &str) -> anyhow::Result<String> {
    let mut answer = agent()
        .patch(location)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/trickle-ice-sdpfrag")
        .header("if-match", "*")
        .send(fragment)?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string()?;
    if status != 200 {
        bail!("ICE was not begun anew: {status} {text}");
    }
    Ok(text)
}

/// Leaves.
pub fn leave(location: &str, key: &str) -> anyhow::Result<()> {
    let answer = agent().delete(location).header("authorization", format!("Bearer {key}")).call()?;
    match answer.status().as_u16() {
        200 => Ok(()),
        status => bail!("the session was not ended: {status}"),
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

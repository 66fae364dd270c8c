//! What a PATCH of a WHIP session means (RFC 9725, section 4.3): more addresses, or ICE anew.

use super::sdp::Credentials;
use super::{Error, Fragment};

/// What a PATCH asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Addresses were found since the offer.
    Trickle(Fragment),
    /// The sender's network changed: a new name, new addresses.
    Restart(Credentials, Fragment),
}

/// Reads a PATCH. `if_match` is the header of that name, `tag` the session's entity tag with its quotes,
/// `known` the name and password the sender has now.
///
/// # Errors
/// `NoMatch` without the header, `Moved` when it names another ICE session, `Credentials` when ICE is to
/// begin anew without a name.
pub fn read_patch(
    if_match: Option<&str>,
    tag: &str,
    known: &Credentials,
    fragment: Fragment,
) -> Result<Patch, Error> {
    let wanted = if_match.ok_or(Error::NoMatch)?.trim();
    if wanted == "*" {
        return match fragment.credentials.clone() {
            None => Err(Error::Credentials),
            // The answer to the first try was lost, or two came at once: nothing is to begin anew.
            Some(same) if same == *known => Ok(Patch::Trickle(fragment)),
            Some(fresh) => Ok(Patch::Restart(fresh, fragment)),
        };
    }
    let tag_matches = wanted.split(',').any(|one| one.trim() == tag);
    let same_name = fragment.credentials.as_ref().is_none_or(|told| told == known);
    if tag_matches && same_name { Ok(Patch::Trickle(fragment)) } else { Err(Error::Moved) }
}

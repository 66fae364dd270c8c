//! Passkeys.

use super::Api;

/// Whether passkeys can be made here.
pub(super) fn offered(_: &Api) -> bool {
    false
}

use std::fmt;

use crate::time::WallTime;

/// Which of the programs that a name has had: when it was opened for the first time. It stands in the
/// addresses of parts, which caches keep for long: the numbers of a room that was removed and made again
/// begin anew, its edition does not come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edition(pub WallTime);

/// Milliseconds since 1970, hexadecimal.
impl fmt::Display for Edition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:x}", self.0.0)
    }
}

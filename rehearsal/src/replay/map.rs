//! What a request of a case stands for in a room.

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The room's page.
    Page,
    /// The script that the page goes on with.
    Script,
    /// The second file that follows a page: the style sheet in the case, here whatever a page links next.
    Style,
    /// A ticket, which is posted for.
    Ticket,
    /// The playlist that names the others: what a player asks for once.
    Playlist,
    /// The media playlist, again.
    MediaPlaylist,
    /// The newest whole segment.
    Segment,
    /// Anything else: the same path below the room's.
    Other(String),
}

impl Ask {
    /// What a target of the case's server stands for. `is_first`: this address has asked for no playlist
    /// before.
    pub fn of(target: &str, is_first: bool) -> Self {
        match target.split('?').next().unwrap_or_default() {
            "/room.html" => Self::Page,
            "/app.js" => Self::Script,
            "/app.css" => Self::Style,
            // Where the case's server failed, it answered before its rule for files was asked.
            "/ticket.json" | "/ticket" => Self::Ticket,
            "/live/index.m3u8" if is_first => Self::Playlist,
            "/live/index.m3u8" => Self::MediaPlaylist,
            path if path.starts_with("/live/seg_") => Self::Segment,
            _ => Self::Other(below_room(target)),
        }
    }

    /// The method: a ticket is posted for, whatever the case's server wanted.
    pub fn method<'m>(&self, in_case: &'m str) -> &'m str {
        match self {
            Self::Ticket => "POST",
            _ if is_token(in_case) => in_case,
            _ => "GET",
        }
    }
}

/// A log may hold anything; what would end a line of the request is not sent on.
fn below_room(target: &str) -> String {
    let kept: String = target.chars().filter(char::is_ascii_graphic).collect();
    if kept.starts_with('/') { kept } else { format!("/{kept}") }
}

fn is_token(method: &str) -> bool {
    !method.is_empty() && method.len() <= 16 && method.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_case_asks_for_has_its_place_in_a_room() {
        let other = |path: &str| Ask::Other(path.to_owned());
        for (target, is_first, ask) in [
            ("/room.html", true, Ask::Page),
            ("/room.html?ref=1", false, Ask::Page),
            ("/app.js", true, Ask::Script),
            ("/app.css", true, Ask::Style),
            ("/ticket.json", true, Ask::Ticket),
            ("/ticket", true, Ask::Ticket),
            ("/live/index.m3u8", true, Ask::Playlist),
            ("/live/index.m3u8", false, Ask::MediaPlaylist),
            ("/live/seg_49.m4s", false, Ask::Segment),
            ("/.env", true, other("/.env")),
            ("/a b\r\nHost: x", true, other("/abHost:x")),
            ("", true, other("/")),
        ] {
            assert_eq!(Ask::of(target, is_first), ask, "{target:?}");
        }
    }

    #[test]
    fn a_ticket_is_posted_for_and_no_method_breaks_a_line() {
        for (ask, in_case, method) in [
            (Ask::Ticket, "GET", "POST"),
            (Ask::Page, "GET", "GET"),
            (Ask::Page, "HEAD", "HEAD"),
            (Ask::Other("/x".to_owned()), "G\r\n", "GET"),
            (Ask::Segment, "", "GET"),
        ] {
            assert_eq!(ask.method(in_case), method, "{ask:?} {in_case:?}");
        }
    }
}

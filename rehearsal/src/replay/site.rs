//! What a room's page and playlists name: the addresses that people and attackers ask for.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::map::Ask;
use super::{Visitor, own};

/// Who looks in from beside comes from here.
const SCOUT: Ipv4Addr = Ipv4Addr::new(127, 1, 1, 1);

/// A room, as one sees it who has been there.
#[derive(Debug)]
pub struct Site {
    node: SocketAddr,
    room: String,
    script: String,
    style: String,
    media: String,
    duration: Duration,
    newest: Mutex<String>,
}

impl Site {
    /// Visits the room at `http://host/room`, once.
    ///
    /// # Errors
    /// The node is not on this machine, does not answer, or the room has no whole segment yet.
    pub fn look(node: SocketAddr, room: &str) -> anyhow::Result<Self> {
        let mut scout = Visitor::new(SCOUT, own(node)?)?;
        let page = scout.get(&format!("/{room}"))?;
        ensure!(page.status == 200, "The page of {room} is answered with {}.", page.status);
        let (script, style) = files(&page.text(), room);
        let playlist = scout.get(&format!("/{room}/live.m3u8"))?;
        ensure!(playlist.status == 200, "The playlist of {room} is answered with {}.", playlist.status);
        let playlist = playlist.text();
        let media = first_address(&playlist).context("the playlist names no other")?;
        let media = format!("/{room}/{media}");
        let listed = Listed::of(&scout.get(&media)?.text()).context("no segment is whole yet")?;
        let duration = listed.duration;
        let newest = Mutex::new(listed.path(&media, listed.last));
        Ok(Self { node, room: room.to_owned(), script, style, media, duration, newest })
    }

    /// A room nobody has looked at, for tests.
    #[cfg(test)]
    pub(super) fn imagined(node: SocketAddr) -> Self {
        Self {
            node,
            room: "bench".to_owned(),
            script: "/assets/inside.js".to_owned(),
            style: "/bench/worker.js".to_owned(),
            media: "/bench/hls/opus64.m3u8".to_owned(),
            duration: Duration::from_secs(2),
            newest: Mutex::new("/bench/hls/opus64/1/7.mp4".to_owned()),
        }
    }

    /// The node's address.
    pub fn node(&self) -> SocketAddr {
        self.node
    }

    /// The room's name.
    pub fn room(&self) -> &str {
        &self.room
    }

    /// How long a segment lasts.
    pub fn segment_duration(&self) -> Duration {
        self.duration
    }

    /// Where to ask for this.
    pub fn path(&self, ask: &Ask) -> String {
        let room = &self.room;
        match ask {
            Ask::Page => format!("/{room}"),
            Ask::Script => self.script.clone(),
            Ask::Style => self.style.clone(),
            Ask::Ticket => format!("/{room}/ticket"),
            Ask::Playlist => format!("/{room}/live.m3u8"),
            Ask::MediaPlaylist => self.media.clone(),
            Ask::Segment => self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Ask::Other(path) => format!("/{room}{path}"),
        }
    }

    /// Who looks for the newest segment while others play.
    pub(super) fn scout(&self) -> Option<Visitor> {
        Visitor::new(SCOUT, self.node).ok()
    }

    /// Looks for the newest segment.
    pub(super) fn look_again(&self, scout: &mut Option<Visitor>) -> anyhow::Result<()> {
        let scout = scout.as_mut().context("there is a scout")?;
        let listed = Listed::of(&scout.get(&self.media)?.text()).context("no segment is listed")?;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = listed.path(&self.media, listed.last);
        Ok(())
    }
}

/// The two files that follow the page: its script, and its style sheet. A page that has its style in itself
/// links none; then the worker is the second file, which every browser fetches that has the page.
fn files(page: &str, room: &str) -> (String, String) {
    let linked = |ending: &str| {
        let addresses = page.split(['"', '\'', '(', ')', ' ', '>', '`']);
        let mut local = addresses.filter(|one| one.starts_with('/') || one.starts_with("assets/"));
        local.find(|one| one.ends_with(ending)).map(|one| format!("/{}", one.trim_start_matches('/')))
    };
    let worker = || format!("/{room}/worker.js");
    (linked(".js").unwrap_or_else(worker), linked(".css").unwrap_or_else(worker))
}

/// The first address in a playlist.
pub(super) fn first_address(playlist: &str) -> Option<&str> {
    playlist.lines().find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The whole segments that a media playlist lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    folder: String,
    pub first: u64,
    pub last: u64,
    pub duration: Duration,
}

impl Listed {
    /// `None` without a segment.
    pub fn of(playlist: &str) -> Option<Self> {
        let addresses = || playlist.lines().filter(|line| !line.starts_with('#') && line.ends_with(".mp4"));
        let split = |address: &str| {
            let (folder, file) = address.rsplit_once('/')?;
            Some((folder.to_owned(), file.strip_suffix(".mp4")?.parse::<u64>().ok()?))
        };
        let (folder, last) = split(addresses().next_back()?)?;
        let (_, first) = split(addresses().next()?)?;
        let said = playlist.lines().rev().find_map(|line| line.strip_prefix("#EXTINF:"))?;
        let seconds: f64 = said.split(',').next()?.parse().ok()?;
        let duration = Duration::try_from_secs_f64(seconds).ok().filter(|one| !one.is_zero())?;
        Some(Self { folder, first, last, duration })
    }

    /// Where a segment lies, when the playlist lies at `media`.
    pub fn path(&self, media: &str, number: u64) -> String {
        let base = media.rsplit_once('/').map_or("", |(base, _)| base);
        format!("{base}/{}/{number}.mp4", self.folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAYLIST: &str = "#EXTM3U\n#EXT-X-PART:DURATION=0.32000,URI=\"opus64/1a/65.part.mp4\"\n\
        #EXTINF:1.92000,\nopus64/1a/10.mp4\n#EXTINF:1.92000,\nopus64/1a/11.mp4\n\
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"opus64/1a/72.part.mp4\"\n";

    #[test]
    fn whole_segments_are_found_where_the_playlist_lies() {
        let listed = Listed::of(PLAYLIST).expect("two are listed");
        assert_eq!((listed.first, listed.last, listed.duration.as_millis()), (10, 11, 1_920));
        assert_eq!(listed.path("/bench/hls/opus64.m3u8", 11), "/bench/hls/opus64/1a/11.mp4");
        for wrong in ["", "#EXTM3U\n", "#EXTINF:0,\na/1.mp4", "#EXTINF:nan,\na/1.mp4", "#EXTINF:1,\na/x.mp4"]
        {
            assert_eq!(Listed::of(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_files_of_a_page_are_those_it_links() {
        let page = r#"<img src="assets/card.png"><script>{"inside":"assets/inside.en.57.js"}</script>"#;
        let found = files(page, "bench");
        assert_eq!(found, ("/assets/inside.en.57.js".to_owned(), "/bench/worker.js".to_owned()));
        let (_, style) = files(r#"<link href="/assets/a.css">"#, "bench");
        assert_eq!(style, "/assets/a.css");
    }

    #[test]
    fn only_a_room_of_this_machine_is_looked_at() {
        for node in ["192.0.2.1:80", "[::1]:80", "10.0.0.1:8080"] {
            let looked = Site::look(node.parse().expect("an address"), "bench");
            let says = looked.expect_err("it is refused").to_string();
            assert!(says.contains("only to a node of this machine"), "{says}");
        }
    }
}

//! Whether a page of ours asks, or a page of somebody else's in a browser that is signed in here.

/// What a browser says of the page that asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    /// `Origin` (RFC 6454, section 7).
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site` (Fetch Metadata): how the page's address is related to ours. No page can set it.
    pub fetch_site: Option<&'a str>,
}

/// Whose page asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// One of ours.
    OurPage,
    /// Another's.
    OtherPage,
    /// The browser does not say; programs that are no browsers do not either.
    Unsaid,
}

/// Whose page asks, when `own` are the addresses by which ours are reached: `scheme://host[:port]`.
///
/// Another port of the same host is another's page, although cookies do not tell ports apart (RFC 6265,
/// section 8.5).
pub fn asks(told: Told<'_>, own: &[&str]) -> Asks {
    match (told.fetch_site, told.origin) {
        (Some("same-origin"), _) => Asks::OurPage,
        (Some(_), _) => Asks::OtherPage,
        (None, Some(origin)) if own.iter().any(|own| own.eq_ignore_ascii_case(origin)) => Asks::OurPage,
        (None, Some(_)) => Asks::OtherPage,
        (None, None) => Asks::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_page_is_ours() {
        let own = ["https://stage.example.org", "https://10.0.0.1:8081"];
        for (fetch_site, origin, whose) in [
            (None, Some("https://stage.example.org"), Asks::OurPage),
            (None, Some("https://10.0.0.1:8081"), Asks::OurPage),
            (None, Some("https://STAGE.example.org"), Asks::OurPage),
            (None, Some("http://stage.example.org"), Asks::OtherPage),
            (None, Some("https://stage.example.org:8443"), Asks::OtherPage),
            (None, Some("https://10.0.0.1:8080"), Asks::OtherPage),
            (None, Some("https://stage.example.org.evil.example"), Asks::OtherPage),
            (None, Some("null"), Asks::OtherPage),
            (None, Some(""), Asks::OtherPage),
            // A proxy that says nothing of the name it is reached by: the browser knows better.
            (Some("same-origin"), Some("https://elsewhere.example"), Asks::OurPage),
            (Some("same-site"), Some("https://stage.example.org"), Asks::OtherPage),
            (Some("cross-site"), None, Asks::OtherPage),
            (Some("none"), None, Asks::OtherPage),
            (Some("Same-Origin"), None, Asks::OtherPage),
            (None, None, Asks::Unsaid),
        ] {
            assert_eq!(asks(Told { origin, fetch_site }, &own), whose, "{fetch_site:?} {origin:?}");
        }
        assert_eq!(asks(Told { origin: Some("https://a"), fetch_site: None }, &[]), Asks::OtherPage);
    }
}

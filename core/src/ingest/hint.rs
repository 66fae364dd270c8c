//! What a source says it sends. Clients are often wrong about it, so it only breaks ties; the bytes decide.

/// What the `Content-Type` header promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hint {
    /// `audio/ogg`, `application/ogg`, `audio/opus`, `audio/vorbis`.
    Ogg,
    /// `audio/mpeg`, `audio/mp3`.
    Mpeg,
    /// `audio/aac`, `audio/aacp`.
    Aac,
    /// Anything else, or nothing.
    #[default]
    Unknown,
}

impl Hint {
    /// Reads a `Content-Type` value; parameters (`; codecs=…`) are ignored.
    pub fn from_content_type(value: &str) -> Self {
        let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "audio/ogg" | "application/ogg" | "audio/x-ogg" | "audio/opus" | "audio/vorbis" => Self::Ogg,
            "audio/mpeg" | "audio/mp3" | "audio/x-mpeg" | "audio/mpeg3" => Self::Mpeg,
            "audio/aac" | "audio/aacp" | "audio/x-aac" | "audio/x-hx-aac-adts" => Self::Aac,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter() {
        for (value, hint) in [
            ("Audio/Ogg; codecs=opus", Hint::Ogg),
            ("audio/mpeg", Hint::Mpeg),
            (" audio/aacp ", Hint::Aac),
            ("text/html", Hint::Unknown),
            ("", Hint::Unknown),
        ] {
            assert_eq!(Hint::from_content_type(value), hint, "{value}");
        }
    }
}

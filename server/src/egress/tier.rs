//! What somebody gets who is served so, as far as their form can be.

use tribune_core::door::capacity::Tier;
use tribune_core::program::Renditions;

use super::live::Form;

/// The rendition; none when the program has none in this form.
pub(super) fn rendition(renditions: &Renditions, form: Form, tier: Tier) -> Option<usize> {
    match tier {
        Tier::Full | Tier::Segments => renditions.best(form.codec()),
        Tier::LowBitRate => renditions.lowest(form.codec()),
    }
}

/// What a listener costs who is served as `tier` wants.
pub(super) fn paid(renditions: &Renditions, (form, rendition): (Form, usize), tier: Tier) -> Tier {
    match tier {
        Tier::LowBitRate if renditions.best(form.codec()) == Some(rendition) => Tier::Full,
        Tier::Full | Tier::LowBitRate | Tier::Segments => tier,
    }
}

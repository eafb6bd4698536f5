//! Which elements say of themselves that nobody sees them.

use html5gum::StartTag;

use super::{
    css::{Declarations, FontSize, Property, is_zero, without_comments},
    element::{Gap, gap_around},
};

/// What an element's own style and attributes say about being seen.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// It takes no room, and neither does its content.
    gone: bool,
    /// It is there, and nothing of it is seen.
    covered: bool,
    /// Whether it is hidden, as an element in it may undo.
    invisible: Option<bool>,
    /// Whether its letters have no size, as those of an element in it may have again.
    tiny: Option<bool>,
}

/// What is seen of an element, with regard to those around it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is handed down by a rule of its own"
)]
pub(super) struct Shade {
    pub(super) gone: bool,
    covered: bool,
    invisible: bool,
    tiny: bool,
}

impl Style {
    /// Of elements whose content nobody sees, whatever they say.
    pub(super) const GONE: Self = Self {
        gone: true,
        covered: false,
        invisible: None,
        tiny: None,
    };

    /// `for_others` says that Outlook has been given something else in its place.
    pub(super) fn of(tag: &StartTag<()>, for_others: bool) -> Self {
        let name = tag.name.as_slice();
        let mut style = Self::default();
        // Old markup, which is a size like others.
        if name == b"font" && tag.attributes.contains_key(b"size".as_slice()) {
            style.tiny = Some(false);
        }
        let hidden = tag.attributes.contains_key(b"hidden".as_slice());
        if let Some(text) = tag.attributes.get(b"style".as_slice()) {
            let text = without_comments(&text.value);
            let declared = Declarations::read(&text);
            // A declaration is stronger than the attribute.
            style.gone = match declared.value(Property::Display) {
                Some(_) => declared.is(Property::Display, &["none"]),
                None => hidden,
            };
            // Outlook alone does not show this, and a link is what others get for Outlook's button.
            let outlook = declared.is(Property::MsoHide, &["all"]);
            style.gone |= outlook && !for_others && name != b"a";
            style.covered = declared.value(Property::Opacity).is_some_and(is_zero)
                || is_without_room(name, &declared);
            let visibility = declared.value(Property::Visibility);
            if !declared.is(Property::Visibility, &["inherit", "unset"]) {
                let hides = declared.is(Property::Visibility, &["hidden", "collapse"]);
                style.invisible = visibility.map(|_| hides);
            }
            style.tiny = match declared.font_size() {
                None => style.tiny,
                Some(FontSize::OfParent) => None,
                Some(size) => Some(size == FontSize::Zero),
            };
        } else {
            style.gone = hidden;
        }
        if name == b"img" {
            let zero = |name: &[u8]| {
                let value = tag.attributes.get(name);
                value.is_some_and(|value| is_zero(value.value.trim_ascii()))
            };
            style.covered |= zero(b"width") || zero(b"height");
        }
        style
    }

    pub(super) fn hides(self) -> bool {
        self.gone || self.covered || self.invisible == Some(true) || self.tiny == Some(true)
    }

    /// With letters of some size whatever the element around it has.
    pub(super) fn sized(self) -> Self {
        Self {
            tiny: self.tiny.or(Some(false)),
            ..self
        }
    }
}

impl Shade {
    /// That of an element in this one.
    pub(super) fn with(self, own: Style) -> Self {
        Self {
            gone: self.gone || own.gone,
            covered: self.covered || own.covered,
            invisible: own.invisible.unwrap_or(self.invisible),
            tiny: own.tiny.unwrap_or(self.tiny),
        }
    }

    pub(super) fn shows_text(self) -> bool {
        self.shows_images() && !self.tiny
    }

    /// Images have a size of their own.
    pub(super) fn shows_images(self) -> bool {
        !self.gone && !self.covered && !self.invisible
    }

    /// Whether text takes the room that it would if it were seen.
    pub(super) fn keeps_room(self) -> bool {
        !self.gone && !self.tiny
    }
}

/// Whether an element's box is empty and cut off at its edge. A box without a size alone shows all of its
/// text, below and beside it; cells and what stands within a line grow with their text.
fn is_without_room(name: &[u8], declared: &Declarations) -> bool {
    let zero = |property| declared.value(property).is_some_and(is_zero);
    let none_of = |properties: &[Property]| {
        let mut values = properties.iter().filter_map(|one| declared.value(*one));
        values.all(|value| value.split(u8::is_ascii_whitespace).all(is_zero))
    };
    let height = (zero(Property::Height) || zero(Property::MaxHeight))
        && none_of(&[Property::MinHeight])
        // Where the height is of padding, the text lies over it.
        && none_of(&[Property::Padding, Property::PaddingTop, Property::PaddingBottom]);
    let width = (zero(Property::Width) || zero(Property::MaxWidth))
        && none_of(&[Property::MinWidth])
        && none_of(&[
            Property::Padding,
            Property::PaddingLeft,
            Property::PaddingRight,
        ]);
    if !height && !width {
        return false;
    }
    if name == b"img" {
        return true;
    }
    let hides = |property| declared.is(property, &["hidden"]);
    let cut_off = hides(Property::OverflowX)
        || hides(Property::OverflowY)
        || declared.is(Property::Overflow, &["hidden", "clip"]);
    cut_off && is_block(name, declared)
}

/// What has a box with a size of its own.
const BLOCKS: [&str; 8] = [
    "block",
    "inline-block",
    "flex",
    "inline-flex",
    "grid",
    "inline-grid",
    "flow-root",
    "list-item",
];

fn is_block(name: &[u8], declared: &Declarations) -> bool {
    if declared.value(Property::Display).is_some() {
        return declared.is(Property::Display, &BLOCKS);
    }
    let of_table = matches!(
        name,
        b"table" | b"tbody" | b"thead" | b"tfoot" | b"tr" | b"caption"
    );
    !of_table && matches!(gap_around(name), Some(Gap::Line | Gap::Paragraph))
}

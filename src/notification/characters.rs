//! Characters that nobody sees.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Unicode's general category Cf: what steers how other characters are shown.
pub(super) fn is_format(c: char) -> bool {
    // No ASCII character is one, so most characters need no search in the table.
    !c.is_ascii() && c.general_category() == GeneralCategory::Format
}

/// What joins two characters or keeps them apart, as Persian and Hindi spell and emoji are put together.
pub(super) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Characters without width that mail templates are padded with, and soft hyphens.
pub(super) fn is_zero_width(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'
    )
}

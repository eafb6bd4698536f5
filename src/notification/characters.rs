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

/// Letters and pictures that are blank: the fillers of Hangul, Mongolian's separator of vowels, and
/// Braille without a dot.
pub(super) fn is_filler(c: char) -> bool {
    matches!(
        c,
        '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
    )
}

/// What sets the direction of the text beside it or around it.
pub(super) fn is_direction(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Whether nobody sees this character by itself.
pub(super) fn is_unseen(c: char) -> bool {
    !c.is_ascii() && (is_zero_width(c) || is_filler(c) || (is_format(c) && !has_a_shape(c)))
}

/// Characters of the category Cf that are seen all the same: signs that enclose the number behind
/// them, and what builds groups of hieroglyphs.
fn has_a_shape(c: char) -> bool {
    matches!(
        c,
        '\u{600}'..='\u{605}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'
            | '\u{891}'
            | '\u{8e2}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
    )
}

/// What the flag of a region begins with, and the tag that ends it.
pub(super) const FLAG: char = '\u{1f3f4}';
const TAGS_END: char = '\u{e007f}';
/// More than any flag has.
const ROW_MAX: usize = 8;

/// Characters that nobody sees, in a row, until it is known what they belong to.
#[derive(Default)]
pub(super) struct UnseenRow(Vec<char>);

impl UnseenRow {
    /// Adds one. With the last of the tags that make a [`FLAG`] that of a region, the row is theirs
    /// and part of the picture.
    pub(super) fn add(&mut self, c: char, behind_flag: bool) -> Option<Vec<char>> {
        self.0.push(c);
        if c == TAGS_END && behind_flag && is_region(&self.0) {
            return Some(std::mem::take(&mut self.0));
        }
        self.0.truncate(ROW_MAX);
        None
    }

    pub(super) fn as_slice(&self) -> &[char] {
        &self.0
    }

    /// The row between two characters, if it is what spells a word or makes one picture of two.
    pub(super) fn joiner(&self) -> Option<char> {
        match self.0[..] {
            [joiner] if is_joiner(joiner) => Some(joiner),
            _ => None,
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Whether these are the tags of a flag: letters and digits, and the end.
fn is_region(tags: &[char]) -> bool {
    let is_tag = |c: &char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    tags.split_last()
        .is_some_and(|(_, region)| (3..=6).contains(&region.len()) && region.iter().all(is_tag))
}

//! Characters that nobody sees: padding, and what spells words.

use proptest::prelude::*;

use super::{assert_texts, text};

#[test]
fn padding_is_gone_whatever_it_is_made_of() {
    let padding = "\u{a0}\u{200c}\u{200b}\u{200d}\u{200e}\u{200f}\u{feff}".repeat(150);
    for html in [
        format!("<div>Your event<div>{padding}</div></div><p>a</p>"),
        format!("<div>Your event{padding}</div><p>a</p>"),
        format!("<div>{padding}Your event</div><div>{padding}</div><p>a</p>"),
        "<div>Your event&nbsp;&zwnj;&nbsp;&#847;&nbsp;&shy;&nbsp;&#x3164;&nbsp;&#xffa0;</div><p>a</p>".to_owned(),
        "<div>Your event &#8199;&#65279;&#847; &#8199;&#65279;&#847; </div><p>a</p>".to_owned(),
        "<div>Your event\u{2800} \u{2800} \u{2800}\u{2800}</div><p>a</p>".to_owned(),
        "<div>Your event&lrm;&rlm;&lrm;&rlm;</div><p>a</p>".to_owned(),
        "<div>Your event</div>&lrm; &rlm; <p>a</p>".to_owned(),
        format!("<div style='display:none'>x<div>{padding}</div></div>Your event<p>a</p>"),
    ] {
        assert_eq!(text(&html), "Your event\n\na", "{html}");
    }
    assert_texts(&[
        (
            "a\u{200b}b\u{2060}c\u{2063}d\u{206a}e\u{e0001}f\u{34f}g",
            "abcdefg",
        ),
        ("a&zwnj;&zwnj;b&zwj;&shy;c &zwj;d&zwnj; e&zwj;", "abc d e"),
        ("&zwnj;a&zwj;<br>&zwj;b", "a\nb"),
        ("<img alt='&zwnj;'>a<a href='https://x.y'>&zwj;</a>", "a"),
        (
            "<a href='https://x.y'>&zwnj;<img alt='&#8203;'></a>",
            "https://x.y",
        ),
    ]);
}

#[test]
fn joiners_and_tags_stay_where_they_spell_a_word_or_make_a_picture() {
    let england = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
    for kept in [
        "می\u{200c}خواهم 👨\u{200d}👩\u{200d}👧",
        "क्\u{200d}ष",
        "❤\u{fe0f}\u{200d}🔥 🏳\u{fe0f}\u{200d}🌈 1\u{fe0f}\u{20e3}",
        "🇩🇪🇫🇷",
        england,
        "a\u{180e}b",
        // Signs that have the category of what is not seen, and are.
        "\u{600}\u{661}\u{662} \u{6dd}",
    ] {
        assert_eq!(text(&format!("<p>{kept}</p>")), kept);
        assert_eq!(text(&format!("<img alt='{kept}'>")), kept);
    }
    assert_texts(&[
        (
            "<p>می\u{200c}خواهم 👨\u{200d}👩\u{200d}👧 {summary}</p>",
            "می\u{200c}خواهم 👨\u{200d}👩\u{200d}👧 «summary»",
        ),
        ("{uid}&zwnj;ها", "«uid»\u{200c}ها"),
        ("<b>می</b>&zwnj;<i>خواهم</i>", "می\u{200c}خواهم"),
        ("<b>می&zwnj;</b> خواهم", "می خواهم"),
        ("x\u{e0067}\u{e0062}\u{e0065}\u{e007f}y", "xy"),
    ]);
}

#[test]
fn what_sets_the_direction_of_a_word_stays_beside_it() {
    assert_texts(&[
        ("<p>C++&rlm; ב</p>", "C++\u{200f} ב"),
        ("&#x2068;{summary}&#x2069; a", "\u{2068}«summary»\u{2069} a"),
        (
            "a &#x2067;{summary}&#x2069;&rlm;, b",
            "a \u{2067}«summary»\u{2069}\u{200f}, b",
        ),
        ("a &lrm; b", "a b"),
        ("&lrm;<p>a</p>&rlm;", "a"),
    ]);
}

proptest! {
    #[test]
    fn no_padding_is_left_and_no_word_is_lost(
        words in prop::collection::vec("[a-z]{1,4}", 1..6),
        paddings in prop::collection::vec(padding(), 6),
    ) {
        let mut html = String::new();
        for (word, padding) in words.iter().zip(&paddings) {
            html.push_str(padding);
            html.push(' ');
            html.push_str(word);
            html.push(' ');
        }
        html.push_str(&paddings[5]);
        prop_assert_eq!(text(&html), words.join(" "));
    }
}

/// Blanks and characters that nobody sees.
fn padding() -> impl Strategy<Value = String> {
    let unseen = prop::sample::select(vec![
        '\u{a0}',
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{1160}',
        '\u{180e}',
        '\u{2007}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{202a}',
        '\u{202c}',
        '\u{2060}',
        '\u{2063}',
        '\u{2066}',
        '\u{2069}',
        '\u{2800}',
        '\u{3164}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{e0061}',
        ' ',
    ]);
    prop::collection::vec(unseen, 0..12).prop_map(|padding| padding.into_iter().collect())
}

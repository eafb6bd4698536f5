//! Small templates with the structure of well-known kinds, and the text that a person would write for
//! them.

use super::text_with;

/// A template, and its text.
struct Golden {
    name: &'static str,
    html: &'static str,
    text: &'static str,
}

macro_rules! golden {
    ($name:literal) => {
        Golden {
            name: $name,
            html: include_str!(concat!("../../../../tests/golden/text/", $name, ".html")),
            text: include_str!(concat!("../../../../tests/golden/text/", $name, ".txt")),
        }
    };
}

const GOLDEN: &[Golden] = &[
    golden!("calendar-invitation"),
    golden!("card-link"),
    golden!("cerberus-hybrid"),
    golden!("checklist"),
    golden!("code-sign-in"),
    golden!("dark-mode-duplicate"),
    golden!("emoji-flags"),
    golden!("faux-absolute"),
    golden!("foundation-callout"),
    golden!("hindi"),
    golden!("hotel-confirmation"),
    golden!("image-map-header"),
    golden!("konsav-button-table"),
    golden!("leemunroe-simple"),
    golden!("mailgun-action"),
    golden!("mjml-columns"),
    golden!("mobile-desktop-duplicate"),
    golden!("newsletter"),
    golden!("ordered-steps"),
    golden!("outlook-vml-button"),
    golden!("persian"),
    golden!("plain-paragraphs"),
    golden!("postmark-receipt"),
    golden!("progress-tracker"),
    golden!("react-email-button"),
    golden!("schedule-table"),
    golden!("social-footer"),
    golden!("two-language"),
    golden!("unclosed-tags"),
    golden!("word-export"),
];

#[test]
fn the_texts_of_thirty_kinds_of_templates_are_the_golden_ones() {
    let mut strange = String::new();
    for golden in GOLDEN {
        let text = text_with(golden.html, |name| {
            let value = match name {
                "uid" => "4711",
                "mailto" => "dana@example.com",
                _ => "Quarterly planning",
            };
            value.to_owned()
        });
        if text != golden.text.trim_end_matches('\n') {
            strange.extend(["\n=== ", golden.name, ".txt is not\n", &text, "\n"]);
        }
    }
    assert!(strange.is_empty(), "{strange}===");
    assert_eq!(GOLDEN.len(), 30);
}

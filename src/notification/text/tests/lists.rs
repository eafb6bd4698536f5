//! Lists.

use super::{assert_texts, text};

#[test]
fn the_items_of_an_ordered_list_have_their_numbers_and_inner_ones_are_indented() {
    assert_texts(&[
        (
            "<p>{summary}</p><ol><li>First</li><li>Second<ul><li>Inner</li></ul></li></ol><p>Repeat step 2.</p>",
            "«summary»\n\n1. First\n2. Second\n  - Inner\n\nRepeat step 2.",
        ),
        (
            "<ul><li>a<ol><li>b<ul><li>c<li>d</ul><li>e</ol>f</li></ul>g",
            "- a\n  1. b\n    - c\n    - d\n  2. e\n  f\n\ng",
        ),
        (
            "<ul><li>a</li><ul><li>b</li></ul><li>c</li></ul>",
            "- a\n  - b\n- c",
        ),
        ("<ol><li><ol><li>a</ol><li>b</ol>", "1.\n  1. a\n2. b"),
    ]);
}

#[test]
fn an_ordered_list_counts_as_it_says() {
    let marks = |html: &str| {
        let text = text(html);
        let marks = text
            .lines()
            .filter_map(|line| line.trim().split(' ').next());
        marks.collect::<Vec<_>>().join(" ")
    };
    for (html, expected) in [
        ("<ol start=5><li>x<li>x</ol>", "5. 6."),
        ("<ol start=' -1 '><li>x<li>x<li>x</ol>", "-1. 0. 1."),
        ("<ol start=+3x><li>x</ol>", "3."),
        ("<ol start=x><li>x</ol>", "1."),
        ("<ol start={uid}><li>x</ol>", "1."),
        ("<ol start=99999999999999999999><li>x</ol>", "1."),
        ("<ol><li>x<li value=7>x<li>x</ol>", "1. 7. 8."),
        (
            "<ol><li>x<li value=2147483647>x<li>x</ol>",
            "1. 2147483647. 2147483648.",
        ),
        ("<ol reversed><li>x<li>x<li>x</ol>", "3. 2. 1."),
        ("<ol reversed start=9><li>x<li>x</ol>", "9. 8."),
        ("<ol reversed><li>x<li value=9>x<li>x</ol>", "3. 9. 8."),
        (
            "<ol reversed><li>x<ol reversed><li>x<li>x</ol><li>x</ol><ol reversed><li>x</ol>",
            "2. 2. 1. 1.  1.",
        ),
        ("<ol reversed><li>x<li hidden>x<li>x", "2. 1."),
        ("<ol><li>x<li style='display:none'>x<li>x</ol>", "1. 2."),
        (
            "<ol type=a><li>x<li value=26>x<li>x<li value=0>x<li value=703>x</ol>",
            "a. z. aa. 0. aaa.",
        ),
        ("<ol type=A start=28><li>x</ol>", "AB."),
        (
            "<ol type=i start=4><li>x<li>x<li value=1994>x<li value=4000>x</ol>",
            "iv. v. mcmxciv. 4000.",
        ),
        (
            "<ol type=I start=9><li>x<li type=1>x<li>x</ol>",
            "IX. 10. XI.",
        ),
        ("<ol type=disc><li>x</ol>", "1."),
        ("<ul type=a start=4><li value=3>x</ul><li>x", "-  -"),
    ] {
        assert_eq!(marks(html), expected, "{html}");
    }
}

#[test]
fn what_goes_on_in_an_item_stands_below_its_text() {
    assert_texts(&[
        (
            "<ul><li>a<br>b<p>c</p>d<li>e</ul>f",
            "- a\n  b\n\n  c\n\n  d\n- e\n\nf",
        ),
        (
            "<ol><li>a<table><tr><td>b<td>c<tr><td>d</table></ol>",
            "1. a\n  b  c\n  d",
        ),
        ("<ul><li><pre>a\n b</pre></ul>c", "- a\n   b\n\nc"),
        ("<ul><li></ul>a", "-\n\na"),
        ("<ul>a<li>b</ul>", "a\n- b"),
        ("<p>a<li>b<br>c", "a\n- b\nc"),
    ]);
}

#[test]
fn no_line_begins_further_in_than_anybody_follows() {
    let text = text(&format!("{}x", "<ol><li>".repeat(100)));
    assert!(
        text.ends_with(&format!("\n{}1. x", " ".repeat(32))),
        "{text}"
    );
    assert!(!text.contains(&" ".repeat(33)));
}

//! The plain text of HTML templates.

mod golden;
mod hidden;
mod links;
mod lists;
mod properties;
mod unseen;

use super::super::JsonPointer;
use super::super::placeholder::{Pattern, Placeholder, Placeholders};
use super::*;

fn declared() -> Placeholders {
    let placeholders = ["uid", "mailto", "summary"].map(|name| Placeholder {
        name: name.to_owned(),
        field: JsonPointer::parse("/x").unwrap(),
        fallback: None,
        default: None,
    });
    Placeholders::new(placeholders.to_vec())
}

/// The text with a value for each placeholder, made of its name.
fn text_with(html: &str, value: impl Fn(&str) -> String) -> String {
    let pattern = Pattern::parse(html, &declared());
    let values: Vec<_> = pattern.names().map(value).collect();
    let mut text = Twin::of(&pattern.segments).fill(&values);
    assert!(text.is_empty() || text.ends_with('\n'), "{html}");
    text.pop();
    text
}

/// The text with each placeholder's name in guillemets.
fn text(html: &str) -> String {
    text_with(html, |name| format!("«{name}»"))
}

#[track_caller]
fn assert_texts(cases: &[(&str, &str)]) {
    for (html, expected) in cases {
        assert_eq!(text(html), *expected, "{html}");
    }
}

#[test]
fn what_is_not_shown_is_not_in_the_text() {
    for (html, expected) in [
        ("<head><title>T</title>x</head>a", "a"),
        ("<head>x<body>a", "a"),
        ("<head><title>T</title><p>a", "a"),
        ("<head><xml><o:x>96</o:x></xml></head>a", "a"),
        ("<title>{uid}</title>a", "a"),
        ("a<style>p{color:red} {uid} <b></style>b", "ab"),
        ("a<script>if (a < b) '</p>'</script>b", "ab"),
        ("a<!-- {uid} --><!--[if mso]>x<![endif]-->b", "ab"),
        ("a<template><p>x</p></template>b", "ab"),
        ("<noscript>a</noscript>", "a"),
        ("a<svg><text>x</text></svg>b<svg/>c", "abc"),
        ("<!DOCTYPE html>a<?xml x?>", "a"),
        ("a\u{200b}b&zwnj;&zwj;&shy;&#8203;&#847;&#xfeff;c", "abc"),
        ("a\0b&#1;c", "abc"),
        ("<STYLE>x</STYLE><P>a</P>", "a"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn entities_are_decoded_and_never_make_a_placeholder() {
    for (html, expected) in [
        (
            "&lt;b&gt; R&amp;D &eacute;&#128075; &amp;amp;",
            "<b> R&D é👋 &amp;",
        ),
        ("&#123;uid}{uid&#125;&lbrace;uid&rbrace;", "{uid}{uid}{uid}"),
        ("<img alt='&#123;uid}{uid}'>", "{uid}«uid»"),
        ("&am{uid}p; &#12{uid}3;", "&am«uid»p; «uid»3;"),
        ("{uid}{mailto}{uid}", "«uid»«mailto»«uid»"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn blocks_become_lines_and_white_space_folds() {
    for (html, expected) in [
        ("  a \n\t b&nbsp;&nbsp;c  ", "a b c"),
        ("a <b> b</b><i>c</i>", "a bc"),
        ("a<br>b<br/>c<br><br>d<br><br><br>e", "a\nb\nc\n\nd\n\ne"),
        ("<div>a</div><div>b<div>c</div></div>", "a\nb\nc"),
        ("<p>a</p>\n\n<p></p><p>b</p>", "a\n\nb"),
        ("<h1>a</h1>b<hr>c", "a\n\nb\n\nc"),
        (
            "<ul><li>a<li><p>b</p></li><li></li><li>c</li></ul>d",
            "- a\n- b\n\n-\n- c\n\nd",
        ),
        (
            "<table><tr><th>a</th><td>b</td></tr><tr><td> c <td>d</table>e",
            "a  b\nc  d\ne",
        ),
        (
            "x<pre>\n a  b\n\n\n   c\n</pre>y",
            "x\n\n a  b\n\n   c\n\ny",
        ),
        ("<td><p>a</p></td><td>b</td>", "a\n\nb"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn empty_lines_that_values_leave_are_collapsed() {
    assert_eq!(tidy("\n\n a \n \n\n\nb\n\n"), " a\n\nb\n");
    assert_eq!(tidy(" \n "), "");
}

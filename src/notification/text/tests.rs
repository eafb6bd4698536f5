//! The plain text of HTML templates.

use super::super::JsonPointer;
use super::super::placeholder::{Pattern, Placeholder, Placeholders, fill};
use super::*;

/// The twin with each placeholder's name in guillemets.
fn text(html: &str) -> String {
    let placeholders = ["uid", "mailto", "summary"].map(|name| Placeholder {
        name: name.to_owned(),
        field: JsonPointer::parse("/x").unwrap(),
        fallback: None,
        default: None,
    });
    let declared = Placeholders::new(placeholders.to_vec());
    let pattern = Pattern::parse(html, &declared);
    let names: Vec<_> = pattern.names().map(|name| format!("«{name}»")).collect();
    fill(&twin(&pattern.segments), &names)
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
fn links_show_where_they_go_unless_they_say_it() {
    for (html, expected) in [
        (
            "<a href='https://x.y/{uid}?a=1&amp;b=2'>see</a>.",
            "see (https://x.y/«uid»?a=1&b=2).",
        ),
        (
            "<a href='https://x.y/{uid}'> https://x.y/{uid} </a>",
            "https://x.y/«uid»",
        ),
        ("<a href='{uid}'>{uid}</a>", "«uid»"),
        ("<a href='{uid}'>{mailto}</a>", "«mailto» («uid»)"),
        ("<a href='mailto:a@b.c?subject=x'>a@b.c</a>", "a@b.c"),
        (
            "<a href='MAILTO:{mailto}'>write</a> us",
            "write («mailto») us",
        ),
        ("<a href='tel:+1'>call</a>", "call (+1)"),
        (
            "<a href='#top'>up</a> <a href=''>x</a> <a name=y>y</a> <a href='javascript:x'>z</a>",
            "up x y z",
        ),
        (
            "a <a href='https://x.y'><img src=i></a> b",
            "a https://x.y b",
        ),
        (
            "<a href='https://x.y'><img src=i alt='Logo'></a>",
            "Logo (https://x.y)",
        ),
        (
            "<a href='https://x.y'>one <a href='https://z.y'>two",
            "one (https://x.y) two (https://z.y)",
        ),
        (
            "<p>a</p><a href='https://x.y'><div>Button</div></a><p>b</p>",
            "a\n\nButton (https://x.y)\n\nb",
        ),
        ("<a href='https://x\u{200b}.y\n'>a</a>", "a (https://x.y)"),
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

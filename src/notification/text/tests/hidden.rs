//! What a reader of the HTML does not see, and what only looks as if.

use super::assert_texts;
use crate::notification::text::tests::text;

#[test]
fn what_an_element_hides_of_itself_is_not_in_the_text() {
    assert_texts(&[
        (
            "<div style=\"display:none\">Preview line</div><p>{summary}</p><div class=\"desktop\">Big</div><div hidden>Small</div>",
            "«summary»\n\nBig",
        ),
        (
            "<div hidden>{uid}</div><p style='display:none'>{uid}</p>b",
            "b",
        ),
    ]);
    for style in [
        "display:none",
        "DISPLAY : None ;",
        "color:red;display:none!important",
        "display:none !IMPORTANT;display:block",
        "display:block;display:none",
        "background:url(data:image/png;base64,x);display:none",
        "font-family:'a;b';display:none",
        "/* display:block; */display:none",
        "display:none;;foo",
        "display:none;display:",
        "visibility:hidden",
        "visibility:collapse",
        "mso-hide:all",
        "mso-hide: ALL;",
        "font-size:0",
        "font-size:0px;line-height:0",
        "font-size:0.0em",
        "font:0/0 a",
        "font:bold 0px/1 Arial",
        "font:12px Arial;font-size:0",
        "max-height:0;overflow:hidden",
        "max-height:0px;max-width:0px;overflow:hidden;padding:0 0",
        "height:0;overflow:hidden",
        "width:0;overflow:hidden",
        "height:0;overflow-y:hidden",
        "opacity:0",
        "opacity:0.0",
        "opacity:0%",
        "display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;mso-hide:all",
    ] {
        let html =
            format!("a<div style=\"{style}\">x{{uid}}<b>y</b><div>z</div></div><div>b</div>");
        assert_eq!(text(&html), "a\nb", "{style}");
    }
}

#[test]
fn what_only_looks_hidden_is_in_the_text() {
    for style in [
        "",
        "display",
        "display:block",
        "display:none;display:block",
        "display:none;display:block!important",
        "display:nonesuch",
        "display:{uid}",
        "x-display:none",
        "background:url(';display:none",
        "/*display:none",
        "visibility:visible",
        "mso-hide:none",
        "font-size:1px",
        "font-size:0.1px",
        "font-size:00.5em",
        "font-size:0;font-size:12px",
        "font-size:0;font:12px Arial",
        "font:700 12px/0 Arial",
        "line-height:0",
        "max-height:0",
        "max-height:0;max-width:0;overflow:visible",
        "height:0",
        "width:0;height:0",
        "height:0;padding-bottom:50%;overflow:hidden",
        "width:0;min-width:100%;overflow:hidden",
        "height:0;display:table-cell;overflow:hidden",
        "height:10px;overflow:hidden",
        "opacity:0.01",
        "opacity:1",
        "color:transparent",
    ] {
        let html = format!("a<div style=\"{style}\">x</div>b");
        assert_eq!(text(&html), "a\nx\nb", "{style}");
    }
    assert_texts(&[
        ("<div hidden style='display:block'>x</div>", "x"),
        ("<div aria-hidden=true>x</div>", "x"),
        ("<span style='height:0;overflow:hidden'>x</span>", "x"),
        (
            "<table><td style='height:0;max-width:0;overflow:hidden'>x</table>",
            "x",
        ),
        (
            "<table style='height:0;overflow:hidden'><tr style='height:0;overflow:hidden'><td>x</table>",
            "x",
        ),
        ("<div class=hidden data-hidden>x</div>", "x"),
    ]);
}

#[test]
fn an_element_in_a_hidden_one_shows_again_where_browsers_show_it() {
    assert_texts(&[
        (
            "<div style='visibility:hidden'>x<b style='visibility:visible'>a</b></div>",
            "a",
        ),
        (
            "<div style='display:none'>x<b style='display:block;visibility:visible'>y</b></div>b",
            "b",
        ),
        (
            "<div style='opacity:0'><b style='opacity:1'>y</b></div>b",
            "b",
        ),
        (
            "<table><td style='font-size:0px'>x<div style='font-size:13px'>a</div></table>",
            "a",
        ),
        (
            "<td style='font-size:0'><div style='font:13px/1 Arial'>a</div></td>",
            "a",
        ),
        ("<td style='font-size:0'><font size=2>a</font></td>", "a"),
        (
            "<div style='font-size:0'>x<b style='font-size:2em'>y</b><b style='font-size:100%'>y</b><b style='font:inherit'>y</b></div>b",
            "b",
        ),
        (
            "<div style='font-size:0'><b style='font-size:1rem'>a</b></div>",
            "a",
        ),
        (
            "<div style='font-size:0'><b style='font-size:{uid}em'>a</b></div>",
            "a",
        ),
        // Images have their own size.
        (
            "<td style='font-size:0'><a href='https://x.y'><img alt=Logo></a></td>",
            "Logo (https://x.y)",
        ),
        // As browsers have it in pages that do not keep to the standards, and in no others.
        (
            "<div style='font-size:0'><table><tr><td>a</table></div>",
            "a",
        ),
        (
            "<!doctype html><div style='font-size:0'><table><tr><td>x</table></div>b",
            "b",
        ),
    ]);
}

#[test]
fn outlooks_variant_does_not_hide_that_of_all_others() {
    assert_texts(&[
        (
            "<!--[if mso]><v:roundrect href='https://x.y'><center>Go</center></v:roundrect><![endif]--><a href='https://x.y' style='display:inline-block;mso-hide:all'>Go</a>",
            "Go (https://x.y)",
        ),
        (
            "<!--[if !mso]><!-->\n<div style='mso-hide:all'>a</div><!--<![endif]-->",
            "a",
        ),
        (
            "<![if !mso]><table style='mso-hide:all'><td>a</table><![endif]>",
            "a",
        ),
        (
            "<!--[if MSO]>x<![endif]-->b<div style='mso-hide:all'>x</div>",
            "b",
        ),
        ("<!-- mso --><div style='mso-hide:all'>x</div>b", "b"),
        (
            "<div style='display:none'><a href='https://x.y' style='mso-hide:all'>x</a></div>b",
            "b",
        ),
    ]);
}

#[test]
fn a_hidden_element_ends_where_browsers_end_it() {
    assert_texts(&[
        ("<div hidden>x<div>x</div>x</div>a", "a"),
        ("<div hidden>x<br>x<img alt=x>x<hr>x<input>x</div>a", "a"),
        ("<p hidden>x<p>a", "a"),
        ("<p hidden>x<div>a</div>", "a"),
        ("<p hidden><b>x<p>a", "a"),
        ("<p hidden>x<span>x</p>a</span>", "a"),
        ("<ul><li hidden>x<li>a</ul>", "- a"),
        ("<ul><li hidden>x<ul><li>x</ul><li>a</ul>", "- a"),
        ("<dl><dt hidden>x<dd>a</dl>", "a"),
        (
            "<table><tr><td hidden>x<td>a<tr hidden><td>x<tr><td>b</table>",
            "a\nb",
        ),
        (
            "<table><tr hidden><td>x<table><tr><td>x</table>x<tr><td>a</table>",
            "a",
        ),
        (
            "<table><tbody hidden><tr><td>x<tbody><tr><td>a</table>",
            "a",
        ),
        ("<table><tr><td><div hidden>x</td><td>a</table>b", "a\nb"),
        ("<table><tr><td><div hidden>x</table>a", "a"),
        ("<table hidden><tr><td>x</table>a", "a"),
        (
            "<table hidden><tr><td>x<table><tr><td>x</table>x</table>a",
            "a",
        ),
        ("<div hidden><table><tr><td>x</div>x</table></div>a", "a"),
        ("<table><td><i hidden>x</tr><tr><td>a</table>", "a"),
        (
            "<table><tr><td>a<table hidden><div>x<table><td>b</table>",
            "a\nx\nb",
        ),
        ("<h1 hidden>x</h2>a", "a"),
        ("<h1 hidden>x<h2>a</h2>", "a"),
        ("<a hidden href=x>x<a>a", "a"),
        ("<span hidden>x<span>x</span>x</span>a", "a"),
        ("<span hidden>x</b></i></p></div>x</span>a", "a"),
        ("<div><span hidden>x</div>a", "a"),
        ("<b hidden>x<div>x</b>a</div>b", "a\nb"),
        ("<div hidden><b><div>x</b>x</div>x</div>a", "a"),
        ("<img hidden alt=x>a<br hidden>b<input hidden>c", "abc"),
        ("<div hidden/>a", "a"),
        ("<b><span hidden>x</b>a", "a"),
        ("<b><span hidden>x<div>x</b>a", "a"),
        ("<button hidden>x<button>a", "a"),
        ("<form>a<form hidden>b</form>c", "a\nb\nc"),
        ("<table><form hidden><tr><td>a</table>", "a"),
        ("<td hidden>a</td><tr hidden>b", "a\nb"),
        ("<svg><svg hidden><g>x<p>a", "a"),
        ("<p><b hidden>x<p style='font-size:12px'>a", "a"),
        ("<svg><g><text>x</text></g><p>a", "a"),
        ("<svg><foreignObject><p>x</p></foreignObject></svg>a", "a"),
        ("<div hidden><style></div></style>x</div>a", "a"),
        ("<div hidden><!-- </div> -->x</div>a", "a"),
        ("<body hidden>x</body>x", ""),
        // It stands before the table, where browsers put it.
        (
            "<table hidden>a<tr>b<td>x</td><p>c</p></table>d",
            "ab\n\nc\n\nd",
        ),
        ("<div hidden>x", ""),
    ]);
}

#[test]
fn a_hidden_element_takes_the_room_that_browsers_give_it() {
    assert_texts(&[
        ("a<span hidden>x</span>b", "ab"),
        ("a<div hidden>x</div>b", "ab"),
        ("a <span hidden>x</span> b", "a b"),
        ("a<span style='visibility:hidden'>x</span>b", "a b"),
        ("a<div style='opacity:0'>x</div>b", "a\nb"),
        ("a<div style='visibility:hidden'><br></div>b", "a\n\nb"),
    ]);
}

#[test]
fn an_image_that_is_hidden_or_has_no_size_does_not_tell_its_text() {
    assert_texts(&[
        ("a<img alt=x style='display:none'>b", "ab"),
        ("a<img alt=x style='width:0'>b", "ab"),
        ("a<img alt=x width=0 height=0>b", "ab"),
        ("a <img alt=x width=600 style='height:auto'> b", "a x b"),
        ("<a href='https://x.y'><img width=0></a>b", "b"),
    ]);
}

#[test]
fn elements_beyond_the_depth_of_browsers_are_shown() {
    let deep = "<div>".repeat(2000);
    assert_eq!(text(&format!("{deep}<style>x</style>a")), "a");
    let html = format!("<div hidden>{deep}x");
    assert_eq!(text(&html), "");
}

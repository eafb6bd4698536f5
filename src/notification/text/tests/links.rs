//! Links and images.

use super::{assert_texts, text_with};

#[test]
fn links_show_where_they_go_unless_they_say_it() {
    assert_texts(&[
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
    ]);
}

#[test]
fn a_link_around_a_table_with_the_link_again_inside_shows_it_once() {
    assert_texts(&[
        (
            "<p>{summary}</p><a href=\"https://x.example/a\"><table><tr><td><a href=\"https://x.example/a\">Go</a></td></tr></table></a>",
            "«summary»\n\nGo (https://x.example/a)",
        ),
        (
            "<a href='https://x.y'>\n <table> <tr>\n <td> <a href='https://x.y'> Go </a> </td> </tr> </table>\n</a>after",
            "Go (https://x.y)\nafter",
        ),
        (
            "<a href='https://x.y'><table><td>Title</td></tr><tr><td><a href='https://x.y'>Go</a></td></table></a>",
            "Title\nGo (https://x.y)",
        ),
        (
            "<a href='https://x.y'><table><td>Title<td><a href='https://x.y'></a></table></a>",
            "Title (https://x.y)",
        ),
        (
            "<a href='https://x.y'><table><td><a href='https://z.y'>Go</a></table></a>",
            "Go (https://z.y)",
        ),
        (
            "<a href='https://x.y'><table><td>Title<td><a href='https://z.y'>Go</a><td>more</table></a>",
            "Title (https://x.y)  Go (https://z.y)  more",
        ),
        (
            "<a href='https://x.y'><table><td><a href='https://z.y'>Go</td><td>more</table>end</a>",
            "Go (https://z.y)  more\nend (https://x.y)",
        ),
        (
            "<a href='https://x.y'><table><td><a href='{uid}'><img alt='Go'></a></table></a>",
            "Go («uid»)",
        ),
    ]);
}

#[test]
fn a_link_in_which_nothing_is_seen_shows_nothing() {
    assert_texts(&[
        ("a<a href='https://x.y'></a>b", "ab"),
        ("a <a href='https://x.y'> &zwnj;\n</a> b", "a b"),
        ("a<a href='https://x.y'><span hidden>x</span></a>b", "ab"),
        ("a<a href='https://x.y'><img hidden alt=x></a>b", "ab"),
        ("<a href='https://x.y' style='display:none'>x</a>b", "b"),
        ("<p>a</p><a href='https://x.y'><div></div></a>", "a"),
    ]);
}

#[test]
fn addresses_and_images_do_not_touch_the_words_beside_them() {
    assert_texts(&[
        (
            "see<a href='https://x.y'><img src=i></a>here",
            "see https://x.y here",
        ),
        (
            "<a href='https://x.y'><img alt=A></a><a href='https://z.y'><img alt=B></a>",
            "A (https://x.y) B (https://z.y)",
        ),
        (
            "see<a href='https://x.y'><img alt=' Logo '></a>here",
            "see Logo (https://x.y) here",
        ),
        ("<a href='https://x.y'>one</a>two", "one (https://x.y) two"),
        (
            "<a href='https://x.y'>one</a>, two",
            "one (https://x.y), two",
        ),
        (
            "<a href='https://x.y'>https://x.y</a>{uid}",
            "https://x.y «uid»",
        ),
        ("a<img alt=b>c <img alt=d>.", "a b c d."),
        ("Hi <img alt=👋>!", "Hi 👋!"),
        ("a<img alt=''>b<img>c", "abc"),
        ("<a href='https://x.y/'>https://x.y</a>", "https://x.y"),
        (
            "<ul><li>a<br><a href='https://x.y'><img></a></ul>",
            "- a\n  https://x.y",
        ),
    ]);
}

#[test]
fn each_part_of_an_image_map_is_a_link_on_a_line_of_its_own() {
    assert_texts(&[
        (
            "<p>a</p><img usemap='#m' alt='Menu'><map name=m><area href='https://x.y' alt='Home'><area alt='dead'> <area href='https://z.y'><area href='#top' alt='Up'><area hidden href='https://h.y' alt=H></map>b",
            "a\n\nMenu\nHome (https://x.y)\nhttps://z.y\nb",
        ),
        (
            "<div hidden><map><area href='https://x.y' alt=a></map></div>b",
            "b",
        ),
    ]);
}

#[test]
fn an_address_that_turns_out_to_be_empty_takes_its_brackets_along() {
    let html = "<a href='{uid}'>Open</a> it, <a href='{mailto}{uid}'>write</a> ({uid})";
    assert_eq!(text_with(html, |_| String::new()), "Open it, write ()");
    assert_eq!(text_with(html, |_| " ".to_owned()), "Open it, write ( )");
    assert_eq!(
        text_with(html, str::to_owned),
        "Open (uid) it, write (mailtouid) (uid)"
    );
}

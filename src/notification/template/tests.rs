//! Templates and the bodies that they become.

use proptest::prelude::*;
use serde_json::json;

use super::super::{JsonPointer, Placeholder, event::Fields};
use super::*;

fn declared() -> Placeholders {
    let placeholders = ["summary", "uid"].map(|name| Placeholder {
        name: name.to_owned(),
        field: JsonPointer::parse(&format!("/{name}")).unwrap(),
        fallback: None,
        default: None,
    });
    Placeholders::new(placeholders.to_vec())
}

fn event(summary: &str) -> Event {
    let event = json!({"summary": summary, "uid": "7"}).to_string();
    read(&event)
}

fn read(event: &str) -> Event {
    let declared = declared();
    let fields = Fields::new(declared.iter().map(|placeholder| &placeholder.field));
    Event::read(event, &fields).unwrap()
}

fn render(source: &str, summary: &str) -> Bodies {
    Template::compile(source.as_bytes(), &declared())
        .unwrap()
        .render(&event(summary))
        .unwrap()
}

#[test]
fn values_are_escaped_in_html_and_plain_in_text() {
    let bodies = render(
        "<p title='{summary}'>{summary}</p>",
        "<b>\"R&D\"</b> 'x' 100% a b",
    );
    let escaped = "&lt;b&gt;&quot;R&amp;D&quot;&lt;/b&gt; &#39;x&#39; 100% a b";
    assert_eq!(
        bodies.html.to_string(),
        format!("<p title='{escaped}'>{escaped}</p>")
    );
    assert_eq!(bodies.text, "<b>\"R&D\"</b> 'x' 100% a b\n");
}

#[test]
fn a_value_is_never_scanned_again() {
    let bodies = render("{summary}|{uid}", "{uid}{summary}{{uid}}");
    assert_eq!(bodies.html.to_string(), "{uid}{summary}{{uid}}|7");
    assert_eq!(bodies.text, "{uid}{summary}{{uid}}|7\n");
    assert_eq!(render("{{summary}}", "uid").html.to_string(), "{uid}");
}

#[test]
fn control_characters_of_values_are_dropped_and_line_ends_unified() {
    let bodies = render(
        "<p>{summary}</p>",
        "a\0b\u{1b}[1m\u{9f}\r\nc\rd\te\u{7f}\n\n\n\n\nf",
    );
    assert_eq!(bodies.html.to_string(), "<p>ab[1m\nc\nd\te\n\n\n\n\nf</p>");
    assert_eq!(bodies.text, "ab[1m\nc\nd\te\n\nf\n");
}

#[test]
fn a_byte_order_mark_is_dropped() {
    assert_eq!(
        render("\u{feff}<p>{uid}</p>", "").html.to_string(),
        "<p>7</p>"
    );
}

#[test]
fn other_braces_stay_as_they_are() {
    let source = "<style>p{color:red} .x{ {uid} }</style><p>{other} {uid</p>";
    assert_eq!(
        render(source, "").html.to_string(),
        source.replace("{uid}", "7")
    );
}

#[test]
fn a_template_needs_the_fields_that_it_names_and_no_others() {
    let needs_both = Template::compile(b"{uid}<!--{summary}-->{uid}", &declared()).unwrap();
    assert_eq!(
        needs_both.placeholders().collect::<Vec<_>>(),
        ["uid", "summary"]
    );
    let without = read("{\"uid\":1}");
    let rejection = needs_both.render(&without).err().unwrap();
    assert_eq!(
        rejection.to_string(),
        "no field /summary, which the template's {summary} needs"
    );
    assert!(
        Template::compile(b"{uid}", &declared())
            .unwrap()
            .render(&without)
            .is_ok()
    );
}

#[test]
fn a_file_that_is_not_utf_8_is_refused_with_the_place() {
    let error = Template::compile(b"Caf\xe9", &declared()).unwrap_err();
    assert_eq!(error, TemplateError::NotUtf8 { offset: 3 });
    assert_eq!(error.to_string(), "the template is not UTF-8 (at byte 3)");
}

#[test]
fn a_template_that_shows_nothing_is_refused() {
    for source in [
        "",
        " \r\n\u{feff}",
        "<html><head><title>Hi</title><style>p{}</style></head><body><p>&nbsp;&zwnj;</p></body></html>",
        "<!-- text -->",
        "<style>unclosed",
        "<script>x</script><pre>  \n </pre><img src=x>",
        "<div style=\"display:none\">{uid}</div><p hidden>x</p><a href=\"https://x.y\"></a>",
        "<div>&lrm;&nbsp;&zwj;&#847;</div>",
    ] {
        let error = Template::compile(source.as_bytes(), &declared()).err();
        assert_eq!(error, Some(TemplateError::Blank), "{source}");
    }
}

#[test]
fn debug_hides_the_text() {
    let template = Template::compile(b"secret {uid}", &declared()).unwrap();
    assert_eq!(
        format!("{template:?}"),
        "Template { placeholders: [\"uid\"], .. }"
    );
}

#[test]
fn a_template_of_a_megabyte_of_braces_or_tags_is_compiled() {
    for piece in [
        "{",
        "{uid",
        "<",
        "<a href={uid}>",
        "&",
        "<li>",
        "{uid}",
        "<pre>\n",
        "&#123;",
    ] {
        let source = format!("x{}", piece.repeat((1 << 18) / piece.len()));
        assert!(
            Template::compile(source.as_bytes(), &declared()).is_ok(),
            "{piece}"
        );
    }
}

/// Bits of markup, so that the generator finds more than text.
fn markup() -> impl Strategy<Value = String> {
    let bits = [
        "{summary}",
        "{uid}",
        "{",
        "}",
        "<p>",
        "</p>",
        "<a href=\"",
        "\">",
        "</a>",
        "<br>",
        "<pre>",
        "</pre>",
        "<li>",
        "<td>",
        "<head>",
        "</head>",
        "<style>",
        "</style>",
        "<!--",
        "-->",
        "&amp;",
        "&#123;",
        "&",
        "&#",
        " ",
        "\n",
        "x",
    ];
    let bit = prop_oneof![
        4 => proptest::sample::select(bits.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    proptest::collection::vec(bit, 0..30).prop_map(|bits| bits.concat())
}

proptest! {
    #[test]
    fn rendering_never_panics_and_never_scans_a_value(source in markup(), summary in "\\PC*\\{uid\\}\\PC*") {
        if let Ok(template) = Template::compile(source.as_bytes(), &declared()) {
            let bodies = template.render(&event(&summary)).unwrap();
            // One replacement after the other is right here, as the first value holds no brace.
            let expected = source.strip_prefix('\u{feff}').unwrap_or(&source).replace("{uid}", "7");
            prop_assert_eq!(bodies.html.to_string(), expected.replace("{summary}", &escaped(&summary)));
        }
    }

    #[test]
    fn html_never_holds_a_value_unescaped(summary in any::<String>()) {
        let bodies = render("{summary}", &format!("x{summary}"));
        prop_assert!(!bodies.html.to_string().contains(['<', '>', '"', '\'']));
        prop_assert!(!bodies.html.to_string().chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        let rest = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().fold(bodies.html.to_string(), |html, entity| html.replace(entity, ""));
        prop_assert!(!rest.contains('&'));
    }

    #[test]
    fn the_text_part_holds_no_control_characters_and_no_two_empty_lines(source in markup(), summary in any::<String>()) {
        if let Ok(template) = Template::compile(source.as_bytes(), &declared()) {
            let text = template.render(&event(&summary)).unwrap().text;
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            prop_assert!(!text.contains("\n\n\n"));
        }
    }
}

#[test]
fn what_git_leaves_where_a_file_was_meant_is_no_template() {
    let compiled = |source: &str| Template::compile(source.as_bytes(), &declared()).map(drop);
    for pointer in [
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2463\n",
        "\u{feff}version https://hawser.github.com/spec/v1\r\noid sha256:4d7a\r\nsize 2463\r\n",
    ] {
        assert_eq!(
            compiled(pointer),
            Err(TemplateError::LfsPointer),
            "{pointer}"
        );
    }
    for (line, conflict) in [
        (
            2,
            "<p>\n<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> branch\n</p>",
        ),
        (
            1,
            "<<<<<<< HEAD\r\nours\r\n||||||| base\r\n=======\r\n>>>>>>> branch\r\n",
        ),
        // Half of it was taken away by hand.
        (3, "<p>\nours\n=======\ntheirs\n>>>>>>> branch\n</p>"),
        (2, "ours\n<<<<<<< HEAD\n"),
    ] {
        let expected = Err(TemplateError::ConflictMarkers { line });
        assert_eq!(compiled(conflict), expected, "{conflict}");
    }
    for fine in [
        "<p>version https://git-lfs.github.com/spec/v1</p>",
        "version https://git-lfs.github.com/spec/v1 is what we use",
        "Title\n=======\nText",
        ">>>>>>> quoted seven times\n=======",
        "<<<<<<<<<< arrows >>>>>>>>>>",
        "a <<<<<<< b",
    ] {
        assert_eq!(compiled(fine), Ok(()), "{fine}");
    }
}

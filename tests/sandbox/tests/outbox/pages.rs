//! What the pages show, and what they let no mail do.

use sandbox::faults::{Fault, Rule};
use sandbox::outbox::StoredMail;
use sandbox::ses::destination::EventType;
use sandbox::ses::fate::{Fate, FateRule};
use serde_json::json;

use super::{hostile, mail, page, request, start};

/// The ids of the mails that a page of the list links to, from top to bottom.
fn listed(html: &str) -> Vec<&str> {
    let links = html.split("href=\"/outbox/").skip(1);
    let targets = links.filter_map(|rest| rest.split(['"', '?']).next());
    let own = ["icon.svg", "style.css", "page.js"];
    targets.filter(|target| !own.contains(target)).collect()
}

#[tokio::test]
async fn no_value_of_a_mail_becomes_markup_of_a_page() {
    let running = start([hostile()]).await;
    let views = ["html", "text", "headers", "source"];
    let views = views.map(|view| format!("/outbox/0100-a?view={view}&q=%3Cscript%3Ealert(4)"));
    for path in [
        "/outbox".to_owned(),
        "/outbox?q=%22%3E%3Cscript%3Ealert".to_owned(),
    ]
    .into_iter()
    .chain(views)
    {
        let page = page(&running, &path).await;
        assert_eq!(page.status, 200, "{path}");
        for markup in ["<script>alert", "<img src=x", "</pre><script", "<b>"] {
            assert!(!page.body.contains(markup), "{path}: {}", page.body);
        }
    }
    let list = page(&running, "/outbox").await.body;
    assert!(list.contains("&lt;script&gt;alert(1)&lt;/script&gt; %%main%%"));
}

#[tokio::test]
async fn a_page_runs_the_outboxs_own_script_and_nothing_inline() {
    let running = start([hostile()]).await;
    for path in ["/outbox", "/outbox/0100-a", "/outbox/unknown"] {
        let page = page(&running, path).await;
        let policy =
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; ";
        assert!(page.has(policy), "{path}: {}", page.head);
        assert!(!page.head.contains("unsafe"), "{path}: {}", page.head);
        assert!(page.has("x-content-type-options: nosniff"), "{path}");
        assert!(
            page.body.contains("<script src=\"/outbox/page.js\""),
            "{path}"
        );
    }
    for (path, kind) in [
        ("/outbox/page.js", "text/javascript"),
        ("/outbox/style.css", "text/css"),
        ("/outbox/icon.svg", "image/svg+xml"),
        ("/favicon.ico", "image/svg+xml"),
    ] {
        let file = request(&running, &format!("GET {path}"), &[], "").await;
        assert_eq!(file.status, 200, "{path}");
        assert!(file.has(&format!("content-type: {kind}")), "{}", file.head);
    }
}

#[tokio::test]
async fn the_html_part_is_served_as_it_is_without_any_right() {
    let running = start([hostile()]).await;
    let part = request(&running, "GET /outbox/0100-a/html", &[], "").await;
    assert_eq!(part.body, hostile().html.unwrap());
    assert!(part.has("content-type: text/html; charset=utf-8"));
    assert!(part.has("x-content-type-options: nosniff"));
    let policy = part
        .head
        .lines()
        .find(|line| line.starts_with("content-security-policy"));
    let policy = policy.unwrap();
    assert!(
        policy.contains(": sandbox allow-same-origin; default-src 'none';"),
        "{policy}"
    );
    assert!(
        !policy.contains("allow-scripts") && !policy.contains("script-src"),
        "{policy}"
    );
    let around = page(&running, "/outbox/0100-a").await.body;
    assert!(around.contains("sandbox=\"allow-same-origin\""), "{around}");
    assert!(around.contains("src=\"/outbox/0100-a/html\""), "{around}");
}

#[tokio::test]
async fn a_search_finds_all_its_words_in_any_field() {
    let text = StoredMail {
        text: Some("Bring SLIDES".to_owned()),
        ..mail("0100-c", "Retrospective", "hana@example.org")
    };
    let html = StoredMail {
        text: None,
        html: Some("<p>soup</p>".to_owned()),
        ..mail("0100-d", "Kick-off", "ida@example.org")
    };
    let copy = StoredMail {
        bcc: vec!["secret@example.org".to_owned()],
        ..mail("0100-b", "Übung", "eve@example.net")
    };
    let running = start([
        mail("0100-a", "Lunch", "dana@example.com"),
        copy,
        text,
        html,
    ])
    .await;
    for (typed, found) in [
        ("", vec!["0100-d", "0100-c", "0100-b", "0100-a"]),
        ("lUNCH", vec!["0100-a"]),
        ("%C3%BCbung", vec!["0100-b"]),
        ("example.org", vec!["0100-d", "0100-c", "0100-b"]),
        ("noreply+lunch", vec!["0100-a"]),
        ("0100-c", vec!["0100-c"]),
        ("slides+bring", vec!["0100-c"]),
        ("soup", vec!["0100-d"]),
        ("lunch+soup", vec![]),
    ] {
        let list = page(&running, &format!("/outbox?q={typed}")).await.body;
        assert_eq!(listed(&list), found, "{typed}");
    }
    let list = page(&running, "/outbox?q=example.org").await.body;
    assert!(
        list.contains("<title>(3) example.org – Outbox</title>"),
        "{list}"
    );
    assert!(list.contains("3 of 4 mails"), "{list}");
}

#[tokio::test]
async fn the_title_counts_and_a_row_tells_year_zone_and_whole_subject() {
    let subject = "A subject ".repeat(30);
    let running = start([mail("0100-a", subject.trim(), "dana@example.com")]).await;
    let list = page(&running, "/outbox").await.body;
    assert!(list.contains("<title>(1) Outbox</title>"), "{list}");
    assert!(
        list.contains("2026-11-22 06:07:10") && list.contains("UTC"),
        "{list}"
    );
    assert!(
        list.contains(&format!("title=\"{}\"", subject.trim())),
        "{list}"
    );
}

#[tokio::test]
async fn mails_to_the_simulator_stand_below_the_others() {
    let simulated = "success+1@simulator.amazonses.com";
    let running = start([
        mail("0100-a", "One", "dana@example.com"),
        mail("0100-b", "Two", simulated),
    ])
    .await;
    let list = page(&running, "/outbox").await.body;
    let apart = list.find("simulator, read by nobody").unwrap();
    assert!(list.find("dana@example.com").unwrap() < apart);
    assert!(list.find(simulated).unwrap() > apart);
    assert_eq!(page(&running, "/outbox/0100-b").await.status, 200);
}

#[tokio::test]
async fn the_bar_counts_what_the_question_counts() {
    let simulated = "success+1@simulator.amazonses.com";
    let running = start([
        mail("0100-a", "One", "dana@example.com"),
        mail("0100-b", "Two", simulated),
        mail("0100-c", "Three", simulated),
    ])
    .await;
    let refused = |subject: &str| sandbox::outbox::Refused {
        mail: mail("", subject, simulated),
        code: "MessageRejected".to_owned(),
        ..sandbox::outbox::Refused::default()
    };
    running.sandbox.outbox.refuse(refused("Four"));
    for (path, bar, question) in [
        (
            "/outbox",
            "1 mail, 2 to the simulator, 1 refusal",
            "Delete everything: 1 mail, 2 to the simulator, 1 refusal?",
        ),
        (
            "/outbox?q=simulator",
            "0 of 1 mail, 2 to the simulator, 1 refusal",
            "Delete what “simulator” finds: 0 mails, 2 to the simulator, 1 refusal?",
        ),
        (
            "/outbox?q=one",
            "1 of 1 mail",
            "Delete what “one” finds: 1 mail?",
        ),
    ] {
        let list = page(&running, path).await.body;
        let bar = format!("<span class=\"count\">{bar}</span>");
        assert!(list.contains(&bar), "{bar}: {list}");
        assert!(list.contains(question), "{question}: {list}");
    }
    running.sandbox.outbox.delete("0100-a");
    let list = page(&running, "/outbox").await.body;
    assert!(list.contains(">0 mails of 1 sent, 2 to"), "{list}");
}

#[tokio::test]
async fn what_did_not_arrive_is_told_in_another_colour_than_what_did() {
    let running = start([]).await;
    let sandbox = &running.sandbox;
    sandbox.ses.verify("example.com");
    let types = [EventType::Send, EventType::Bounce];
    let connected = sandbox.connect_feedback("set", "feedback", true, &types);
    connected.await.unwrap();
    sandbox.ses.set_fates(vec![FateRule {
        recipient_contains: "gone@".to_owned(),
        fate: Fate::bounced("Permanent", "General"),
    }]);
    for to in ["dana@example.com", "gone@example.com"] {
        let mail = json!({
            "FromEmailAddress": "a@example.com",
            "Destination": { "ToAddresses": [to, "eve@example.com"] },
            "ConfigurationSetName": "set",
            "Content": { "Simple": {
                "Subject": { "Data": "Lunch" },
                "Body": { "Text": { "Data": "Hello" } },
            } },
        });
        sandbox.ses.call("SendEmail", mail).await.unwrap();
    }
    let list = page(&running, "/outbox").await.body;
    for told in [
        "<th class=\"fate\" scope=\"col\">Outcome</th>",
        "<td class=\"fate bad\">bounced (Permanent, General)</td>",
        "<td class=\"fate\">delivered</td>",
        "<span class=\"first\">gone@example.com</span><span> and 1 more</span>",
    ] {
        assert!(list.contains(told), "{told}: {list}");
    }
    let id = sandbox.outbox.mails()[1].id.clone();
    let shown = page(&running, &format!("/outbox/{id}")).await.body;
    assert!(
        shown.contains("<dt>Outcome</dt><dd>bounced (Permanent, General)</dd>"),
        "{shown}"
    );
}

#[tokio::test]
async fn newer_and_older_keep_the_search_the_view_and_the_width() {
    let mails = [
        ("a", "Lunch"),
        ("b", "Plan"),
        ("c", "Lunch"),
        ("d", "Lunch"),
    ];
    let running = start(mails.map(|(id, subject)| mail(id, subject, "dana@example.com"))).await;
    let shown = page(&running, "/outbox/c?view=html&width=phone&q=lunch")
        .await
        .body;
    let query = "?view=html&amp;width=phone&amp;q=lunch\"";
    assert!(
        shown.contains(&format!("rel=\"prev\" href=\"/outbox/d{query}")),
        "{shown}"
    );
    assert!(
        shown.contains(&format!("rel=\"next\" href=\"/outbox/a{query}")),
        "{shown}"
    );
    assert!(shown.contains("<iframe class=\"phone\""), "{shown}");
    let newest = page(&running, "/outbox/d").await.body;
    assert!(!newest.contains("rel=\"prev\""), "{newest}");
    assert!(
        newest.contains("rel=\"next\" href=\"/outbox/c\""),
        "{newest}"
    );
}

#[tokio::test]
async fn an_unknown_mail_or_view_is_named() {
    let running = start([mail("0100-a", "One", "dana@example.com")]).await;
    for path in [
        "/outbox/0100-%3Cb%3E",
        "/outbox/0100-%3Cb%3E/html",
        "/outbox/0100-%3Cb%3E/source.eml",
    ] {
        let answer = page(&running, path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.body.contains("<h1>No such mail</h1>"),
            "{}",
            answer.body
        );
        assert!(answer.body.contains("0100-&lt;b&gt;"), "{}", answer.body);
    }
    let answer = page(&running, "/outbox/0100-a?view=sideways").await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("`html`, `text`, `headers`, `source`"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn a_browser_at_the_root_is_led_to_the_outbox_and_calls_are_answered_there() {
    let running = start([]).await;
    let browser = page(&running, "/").await;
    assert_eq!(browser.status, 303);
    assert!(browser.has("location: /outbox\r\n"), "{}", browser.head);
    let call = [
        "x-amz-target: AmazonSQS.ListQueues",
        "sec-fetch-site: cross-site",
    ];
    let answer = request(&running, "POST /", &call, "{}").await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    let other = request(&running, "GET /", &["accept: */*"], "").await;
    assert_eq!(other.status, 400);
    assert!(
        other.body.contains("no call that the sandbox knows"),
        "{}",
        other.body
    );
}

#[tokio::test]
async fn the_banner_names_the_faults_that_can_still_strike() {
    let running = start([mail("0100-a", "One", "dana@example.com")]).await;
    for path in ["/outbox", "/outbox/0100-a"] {
        assert!(!page(&running, path).await.body.contains("Faults in force"));
    }
    let rule = |operation: &str, fault| Rule::new(operation, fault);
    let faults = &running.sandbox.faults;
    faults.set(vec![
        Rule {
            count: Some(2),
            share: 0.125,
            body_contains: Some("<b>".to_owned()),
            ..rule("ses:SendEmail", Fault::error("Throttled", 429))
        },
        Rule {
            count: Some(1),
            ..rule("sqs:ListQueues", Fault::Hang)
        },
        rule("sqs:Get*", Fault::ResetAfter),
    ]);
    assert!(faults.plan("sqs:ListQueues", b"").fault.is_some());
    for _ in 0..3 {
        assert!(faults.plan("sqs:GetQueueUrl", b"").fault.is_some());
    }
    for path in ["/outbox", "/outbox/0100-a", "/outbox?q=nothing"] {
        let body = page(&running, path).await.body;
        let told = "<code>ses:SendEmail</code> is refused with Throttled (429), 12.5 % of calls, \
                    at most 2 times, where the body holds “&lt;b&gt;” \
                    <span class=\"struck\">not struck yet</span>";
        assert!(body.contains(told), "{body}");
        let told = "<code>sqs:Get*</code> takes effect and is cut off <span class=\"struck\">struck 3 times</span>";
        assert!(body.contains(told), "{body}");
        assert!(!body.contains("sqs:ListQueues"), "{body}");
    }
}

#[tokio::test]
async fn queues_that_hold_dead_letters_are_counted() {
    let running = start([]).await;
    let sqs = &running.sandbox.sqs;
    let create = json!({ "QueueName": "dead" });
    sqs.call("CreateQueue", create).await.unwrap();
    let policy = json!({ "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1 });
    let create = json!({ "QueueName": "q", "Attributes": { "RedrivePolicy": policy.to_string() } });
    sqs.call("CreateQueue", create).await.unwrap();
    assert!(
        !page(&running, "/outbox")
            .await
            .body
            .contains("Dead-letter queue")
    );
    let send = json!({ "QueueUrl": "q", "MessageBody": "poison" });
    sqs.call("SendMessage", send).await.unwrap();
    for _ in 0..2 {
        let receive = json!({ "QueueUrl": "q", "VisibilityTimeout": 0 });
        sqs.call("ReceiveMessage", receive).await.unwrap();
    }
    let list = page(&running, "/outbox").await.body;
    assert!(
        list.contains("Dead-letter queue <code>dead</code>: <b>1 message</b>"),
        "{list}"
    );
}

//! Deleting mails, by the pages' forms and by programs, and who may not.

use sandbox::Running;

use super::{ids, mail, request, start};

async fn three() -> Running {
    start(
        [("a", "Lunch"), ("b", "Plan"), ("c", "Lunch")]
            .map(|(id, subject)| mail(id, subject, "dana@example.com")),
    )
    .await
}

#[tokio::test]
async fn a_form_deletes_one_mail_and_leads_back_to_the_search() {
    let running = three().await;
    let answer = request(&running, "POST /outbox/b/delete", &[], "q=a+b%26c").await;
    assert_eq!(answer.status, 303);
    assert!(
        answer.has("location: /outbox?q=a+b%26c\r\n"),
        "{}",
        answer.head
    );
    assert_eq!(ids(&running), ["a", "c"]);
    assert_eq!(running.sandbox.outbox.taken(), 3);
    let again = request(&running, "POST /outbox/b/delete", &[], "").await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn a_form_deletes_what_its_search_finds_and_without_one_everything() {
    let running = three().await;
    let answer = request(&running, "POST /outbox/delete", &[], "q=lunch").await;
    assert_eq!(answer.status, 303);
    assert!(answer.has("location: /outbox\r\n"), "{}", answer.head);
    assert_eq!(ids(&running), ["b"]);
    request(&running, "POST /outbox/delete", &[], "q=").await;
    assert!(ids(&running).is_empty());
    assert_eq!(running.sandbox.outbox.taken(), 0);
}

#[tokio::test]
async fn a_program_deletes_one_mail_by_its_id() {
    let running = three().await;
    assert_eq!(
        request(&running, "DELETE /outbox/a", &[], "").await.status,
        204
    );
    assert_eq!(
        request(&running, "DELETE /outbox/a", &[], "").await.status,
        404
    );
    assert_eq!(ids(&running), ["b", "c"]);
}

#[tokio::test]
async fn what_another_sites_page_sends_is_refused() {
    let running = three().await;
    let host = running.url().to_owned();
    let own = format!("origin: {host}");
    let refused: [&[&str]; 5] = [
        &["sec-fetch-site: cross-site"],
        &["sec-fetch-site: same-site"],
        &["sec-fetch-site: cross-site", &own],
        &["origin: http://evil.example"],
        &["origin: null"],
    ];
    for headers in refused {
        for line in [
            "POST /outbox/delete",
            "POST /outbox/a/delete",
            "POST /reset",
            "DELETE /outbox",
        ] {
            let answer = request(&running, line, headers, "").await;
            assert_eq!(answer.status, 403, "{line} {headers:?}");
            assert!(
                answer.body.contains("page of another site"),
                "{}",
                answer.body
            );
        }
    }
    assert_eq!(ids(&running).len(), 3);
    let allowed: [&[&str]; 4] = [
        &["sec-fetch-site: same-origin", &own],
        &["sec-fetch-site: none"],
        &[&own],
        &[],
    ];
    for (headers, id) in allowed.into_iter().zip(["a", "b", "c", "a"]) {
        let answer = request(&running, &format!("POST /outbox/{id}/delete"), headers, "").await;
        assert_ne!(answer.status, 403, "{headers:?}");
    }
    assert!(ids(&running).is_empty());
    // Links from elsewhere may lead here.
    let linked = request(&running, "GET /outbox", &["sec-fetch-site: cross-site"], "").await;
    assert_eq!(linked.status, 200);
}

//! Mail addresses, and SES's words about those that are none.

use serde_json::json;

use super::World;

#[tokio::test(start_paused = true)]
async fn mailboxes_give_their_address() {
    let world = World::new();
    // SES now names each address that it takes and does not know.
    world
        .ses
        .update_account(|account| account.production_access = false);
    for (text, address) in [
        ("dana@example.net", "dana@example.net"),
        ("Dana O'Neil <dana@example.net>", "dana@example.net"),
        ("\"Neil, Dana\" <dana@example.net>", "dana@example.net"),
        (
            "=?UTF-8?B?RMOkbmE=?= <dana@example.net>",
            "dana@example.net",
        ),
        ("<dana@example.net>", "dana@example.net"),
        ("\"a b\"@example.net", "\"a b\"@example.net"),
        (
            "a+b=c@sub.xn--bcher-kva.example",
            "a+b=c@sub.xn--bcher-kva.example",
        ),
    ] {
        let (_, code, message) = world
            .refused("/Destination/ToAddresses", json!([text]))
            .await;
        assert_eq!(code, "MessageRejected", "{text}");
        let (_, named) = message.split_once("US-EAST-1: ").unwrap();
        assert_eq!(named, address, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_address_is_refused_in_ses_words() {
    let world = World::new();
    let long = format!("{}@example.com", "a".repeat(65));
    for (text, message) in [
        ("", "Invalid email address ."),
        ("<>", "Invalid email address ."),
        ("dana", "Missing final '@domain'"),
        ("@example.com", "Missing local name"),
        ("dana@", "Missing domain"),
        ("dana@exa mple.com", "Domain contains control or whitespace"),
        ("dana@bücher.example", "Domain contains illegal character"),
        ("dana@.example.com", "Domain starts with dot"),
        ("dana@example.com.", "Domain ends with dot"),
        (
            "dänä@example.com",
            "Local address contains control or whitespace",
        ),
        (
            "da na@example.com",
            "Local address contains control or whitespace",
        ),
        (
            "dana\r\n@example.com",
            "Local address contains control or whitespace",
        ),
        (
            "a,b@example.com",
            "Local address contains illegal character",
        ),
        ("a@x.com,b@y.com", "Illegal address"),
        (".dana@example.com", "Local address starts with dot"),
        ("\"dana@example.com", "Unterminated quote"),
        ("Bücher <dana@example.com>", "Illegal address"),
        ("Neil, Dana <dana@example.com>", "Illegal address"),
        (&long, "Illegal address"),
    ] {
        let refused = world
            .refused("/Destination/ToAddresses", json!([text]))
            .await;
        assert_eq!(refused.2, message, "{text:?}");
    }
}

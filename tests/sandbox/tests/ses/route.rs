//! What a request's method, path and query ask for.

use sandbox::ses::route;

#[test]
fn a_percent_encoded_identity_is_decoded() {
    let (operation, parameters) =
        route("GET", "/v2/email/identities/a%2Bb%40example.com", "").unwrap();
    assert_eq!(operation, "GetEmailIdentity");
    assert_eq!(parameters["EmailIdentity"], "a+b@example.com");
}

#[test]
fn the_accounts_suppression_has_a_path_of_its_own() {
    let (operation, _) = route("PUT", "/v2/email/account/suppression", "").unwrap();
    assert_eq!(operation, "PutAccountSuppressionAttributes");
}

#[test]
fn a_query_becomes_parameters() {
    let (operation, parameters) =
        route("GET", "/v2/email/identities", "PageSize=5&NextToken=a%20b").unwrap();
    assert_eq!(operation, "ListEmailIdentities");
    assert_eq!(parameters["NextToken"], "a b");
}

#[test]
fn other_paths_are_not_ours() {
    assert!(route("POST", "/", "").is_none());
    assert!(route("GET", "/v2/email/outbound-emails", "").is_none());
    assert!(route("GET", "/v2/email/account/sending", "").is_none());
}

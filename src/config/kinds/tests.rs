//! What each kind of value takes and refuses.

use super::split_at_commas;

#[test]
fn a_list_in_a_variable_is_split_at_commas_outside_quotes() {
    assert_eq!(
        split_at_commas(r#" a@x.com ,"Doe, Jane" <jane@x.com>,, "#),
        ["a@x.com", r#""Doe, Jane" <jane@x.com>"#]
    );
}

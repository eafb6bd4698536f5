//! SNS's XML answers.

use quick_xml::escape::escape;
use uuid::Uuid;

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";

/// The whole answer to an action; `result` is XML already.
pub(super) fn answer(action: &str, result: &str) -> String {
    // Actions without a result have no element for it.
    let result = if result.is_empty() {
        String::new()
    } else {
        wrap(&format!("{action}Result"), result)
    };
    let request = element("RequestId", &Uuid::new_v4().to_string());
    format!(
        "<{action}Response xmlns=\"{NAMESPACE}\">{result}<ResponseMetadata>{request}\
         </ResponseMetadata></{action}Response>"
    )
}

pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// A list of XML pieces, each in a `member`.
pub(super) fn list(name: &str, members: impl Iterator<Item = String>) -> String {
    let members: Vec<String> = members.map(|member| wrap("member", &member)).collect();
    wrap(name, &members.concat())
}

pub(super) fn map<'a>(name: &str, entries: impl Iterator<Item = (&'a str, String)>) -> String {
    let entries: Vec<String> = entries
        .map(|(key, value)| wrap("entry", &(element("key", key) + &element("value", &value))))
        .collect();
    wrap(name, &entries.concat())
}

fn wrap(name: &str, xml: &str) -> String {
    format!("<{name}>{xml}</{name}>")
}

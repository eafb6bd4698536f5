//! What the program says at its start: where everything is, and what to paste to use it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sandbox::faults::Faults;
use sandbox::sqs::ACCOUNT;

/// The first line's last word is the endpoint, which scripts read.
pub(crate) fn greeting(address: SocketAddr, faults: &Faults) -> String {
    let reached = reachable(address);
    let in_force = match faults.in_force().len() {
        0 => "none in force".to_owned(),
        count => format!("{count} in force"),
    };
    format!(
        r#"listening on http://{address}

  AWS      http://{reached}            SQS, SNS, SES v2, CodeCommit, S3 and DynamoDB
  outbox   http://{reached}/outbox     the mails, for a browser
  faults   http://{reached}/faults     {in_force}
  events   http://{reached}/events     what becomes of mails
  reset    http://{reached}/reset      POST: everything empty, as at the start

To use it, paste this into another terminal. It begins empty: tests/sandbox/README.md fills it.

export AWS_ENDPOINT_URL=http://{reached} AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
export REGION=us-east-1 SQS_URL=http://{reached}/{ACCOUNT}/organizer
export CODECOMMIT_REPO=templates NEW_EVENT_NOTIFICATION_EMAIL=new_event.html
export SENDER='Events <events@example.com>' SUBJECT='Registered: {{summary}}'

To set a fault, and to end all:

curl -X PUT http://{reached}/faults -d '[{{"operation": "ses:SendEmail",
  "fault": {{"error": {{"code": "AccountSuspendedException"}}}}}}]'
curl -X DELETE http://{reached}/faults

"#
    )
}

/// The address for programs on this machine: every address is also this machine's own.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

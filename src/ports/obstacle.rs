//! What stands between us and AWS, whatever a call was for. It has one remedy wherever it shows: at a
//! start, in a line on the template or the account, at a breaker, and in `check`.

use std::{borrow::Cow, fmt, time::Duration};

/// What kept a call from being looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// There are no credentials.
    NoCredentials,
    /// What is set to give the credentials (a profile, a variable) cannot be used as it is written.
    Misconfigured,
    /// What gives the credentials fails or does not answer.
    CredentialsSource,
    /// The credentials have ended.
    Expired,
    /// AWS does not know the access key.
    UnknownKey,
    /// The secret is not the access key's.
    WrongSecret,
    /// AWS does not accept the credentials for another reason.
    NotAccepted,
    /// Our clock is wrong, so that AWS refuses our signatures; and by how much, where that is known.
    Clock(Option<ClockDifference>),
    /// Nobody listens at the endpoint's address.
    Refused,
    /// The endpoint's name has no address.
    Unresolved,
    /// No connection was made in time.
    NoConnection,
    /// The certificate of the endpoint is signed by nobody whom we trust.
    Untrusted,
    /// The certificate is another host's.
    OtherHost,
    /// The certificate has ended, or does not hold yet.
    OutOfDate,
    /// The endpoint does not speak TLS.
    NoTls,
    /// The proxy lets no connection through.
    Proxy,
}

impl Obstacle {
    /// Whether it is about who we are, not about the way.
    pub fn is_of_credentials(self) -> bool {
        match self {
            Self::NoCredentials
            | Self::Misconfigured
            | Self::CredentialsSource
            | Self::Expired
            | Self::UnknownKey
            | Self::WrongSecret
            | Self::NotAccepted
            | Self::Clock(_) => true,
            Self::Refused
            | Self::Unresolved
            | Self::NoConnection
            | Self::Untrusted
            | Self::OtherHost
            | Self::OutOfDate
            | Self::NoTls
            | Self::Proxy => false,
        }
    }

    /// What is wrong, as a clause.
    pub fn describe(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NoCredentials => "there are no AWS credentials",
            Self::Misconfigured => "the settings of the AWS credentials cannot be used",
            Self::CredentialsSource => "the source of the AWS credentials fails",
            Self::Expired => "the AWS credentials have expired",
            Self::UnknownKey => "AWS does not know the access key",
            Self::WrongSecret => "the secret access key does not belong to the access key",
            Self::NotAccepted => "AWS does not accept the credentials",
            Self::Clock(None) => "the clock of this machine is wrong",
            Self::Clock(Some(difference)) => {
                return Cow::Owned(format!("the clock of this machine is {difference} AWS's"));
            }
            Self::Refused => "the connection to AWS is refused",
            Self::Unresolved => "the host name of the AWS endpoint is not found",
            Self::NoConnection => "no connection to AWS is made in time",
            Self::Untrusted => "the certificate of the AWS endpoint is not trusted",
            Self::OtherHost => "the certificate of the AWS endpoint is for another host name",
            Self::OutOfDate => {
                "the certificate of the AWS endpoint has expired, or is not valid yet"
            }
            Self::NoTls => "the AWS endpoint does not speak TLS",
            Self::Proxy => "the proxy does not let the connection to AWS through",
        })
    }

    /// What to do about it, as a clause.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NoCredentials => {
                "give the task a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY"
            }
            Self::Misconfigured => {
                "correct what the text names: AWS_PROFILE, or the profile in ~/.aws/config and ~/.aws/credentials, or \
                 in the files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name"
            }
            Self::CredentialsSource => {
                "do what the text says, or check what it names: the program or the session of the \
                 profile, the token's file, the role of the task and its credentials endpoint"
            }
            Self::Expired => {
                "for keys in variables, set new ones and restart; for a profile, sign in again (`aws sso \
                 login`); for a role, check it: its credentials are renewed by themselves"
            }
            Self::UnknownKey => {
                "check AWS_ACCESS_KEY_ID or the profile: the key may be deleted, or of another \
                 partition; temporary credentials also need AWS_SESSION_TOKEN"
            }
            Self::WrongSecret => "set AWS_SECRET_ACCESS_KEY again, whole and without quotes",
            Self::NotAccepted => {
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the role"
            }
            Self::Clock(_) => {
                "set the clock right: AWS refuses requests from one that is 5 minutes off"
            }
            Self::Refused => {
                "check AWS_ENDPOINT_URL and the proxy's variables, if one is set, and the network"
            }
            Self::Unresolved => {
                "check the region, AWS_ENDPOINT_URL if it is set, and the network's DNS"
            }
            Self::NoConnection => {
                "check the network from here to AWS: security groups, routes, NAT, VPC endpoints, \
                 and the proxy's variables if one is needed"
            }
            Self::Untrusted => {
                "add the certificate of the CA that signed it: AWS_CA_BUNDLE or SSL_CERT_FILE names \
                 a file of such certificates"
            }
            Self::OtherHost => {
                "check the host name in AWS_ENDPOINT_URL or in the queue's URL, and what stands \
                 between here and AWS"
            }
            Self::OutOfDate => {
                "check the clock of this machine, and the certificate of the endpoint or of the \
                 proxy before it"
            }
            Self::NoTls => {
                "check AWS_ENDPOINT_URL: it begins with https://, and http:// may be meant"
            }
            Self::Proxy => "check HTTPS_PROXY and NO_PROXY, and what the proxy allows",
        }
    }
}

/// How far two clocks are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockDifference {
    /// Ours is ahead of the other one.
    Ahead(Duration),
    /// Ours is behind the other one.
    Behind(Duration),
}

impl ClockDifference {
    /// How far our time is from theirs, both counted from the same moment.
    pub fn between(ours: Duration, theirs: Duration) -> Self {
        let size = theirs.abs_diff(ours);
        if theirs < ours {
            Self::Ahead(size)
        } else {
            Self::Behind(size)
        }
    }

    /// By how much.
    pub fn size(self) -> Duration {
        match self {
            Self::Ahead(by) | Self::Behind(by) => by,
        }
    }
}

impl fmt::Display for ClockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.size().as_secs();
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        let word = match self {
            Self::Ahead(_) => "ahead of",
            Self::Behind(_) => "behind",
        };
        write!(f, "{minutes} min {seconds} s {word}")
    }
}

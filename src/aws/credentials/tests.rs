//! Credentials on paused time, from an endpoint that is slow, away, or refuses.

use super::*;

/// When the endpoint is asked, since the start of the test: what it does.
type Script = fn(Duration) -> Answer;

enum Answer {
    /// Credentials of this life, after so long.
    Gives {
        life: Duration,
        after: Duration,
    },
    Refuses,
    Hangs,
}

struct Endpoint {
    began: Instant,
    script: Script,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint")
    }
}

impl ProvideCredentials for Endpoint {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let asked = self.began.elapsed();
        future::ProvideCredentials::new(async move {
            match (self.script)(asked) {
                Answer::Gives { life, after } => {
                    sleep(after).await;
                    let end = SystemTime::now() + life;
                    let key = format!("{}", asked.as_secs());
                    Ok(Credentials::new(key, "secret", None, Some(end), "test"))
                }
                Answer::Refuses => Err(CredentialsError::provider_error("the role is gone")),
                Answer::Hangs => std::future::pending().await,
            }
        })
    }
}

fn at_once(life: Duration) -> Answer {
    Answer::Gives {
        life,
        after: Duration::ZERO,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn kept(script: Script) -> Kept {
    let began = Instant::now();
    Kept::of(SharedCredentialsProvider::new(Endpoint { began, script }))
}

/// The second of the load that the credentials in use came from, or the failure's words.
fn in_use(kept: &Kept) -> std::result::Result<u64, String> {
    match kept.credentials() {
        Ok(credentials) => Ok(credentials.access_key_id().parse().unwrap()),
        Err(failure) => Err(innermost(&failure)),
    }
}

/// When the credentials in use changed, and to what, in so many seconds.
async fn changes(script: Script, length: u64) -> Vec<(u64, std::result::Result<u64, String>)> {
    let kept = kept(script);
    let mut changes = Vec::new();
    for second in 0..length {
        let now = in_use(&kept);
        if changes.last().is_none_or(|(_, last)| *last != now) {
            changes.push((second, now));
        }
        sleep(seconds(1)).await;
    }
    changes
}

#[tokio::test(start_paused = true)]
async fn credentials_are_renewed_five_minutes_ahead_or_at_half_of_a_short_life() {
    let hour = |_| at_once(seconds(3600));
    let found = changes(hour, 7200).await;
    assert_eq!(found, [(0, Ok(0)), (3301, Ok(3300)), (6601, Ok(6600))]);
    let six_minutes = |_| at_once(seconds(360));
    let found = changes(six_minutes, 500).await;
    assert_eq!(found, [(0, Ok(0)), (181, Ok(180)), (361, Ok(360))]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_endpoint_delays_no_call() {
    let slow = |_| Answer::Gives {
        life: seconds(20),
        after: seconds(5),
    };
    let kept = kept(slow);
    kept.first().await;
    for _ in 0..120 {
        let asked = Instant::now();
        let given = kept.provide_credentials().await;
        assert!(given.is_ok());
        assert_eq!(asked.elapsed(), Duration::ZERO);
        sleep(seconds(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_away_until_a_minute_before_the_end_costs_no_call() {
    // From just before the renewal at half the life until a minute before the end, refusing or silent.
    let refusing: Script = |at| match at.as_secs() {
        170..300 => Answer::Refuses,
        _ => at_once(seconds(360)),
    };
    let silent: Script = |at| match at.as_secs() {
        170..300 => Answer::Hangs,
        _ => at_once(seconds(360)),
    };
    for script in [refusing, silent] {
        let found = changes(script, 420).await;
        assert_eq!(found.len(), 2, "{found:?}");
        assert!((300..=355).contains(&found[1].0), "{found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_away_beyond_the_end_fails_each_call_at_once_with_its_cause_until_it_is_back() {
    let away: Script = |at| match at.as_secs() {
        10..600 => Answer::Refuses,
        _ => at_once(seconds(360)),
    };
    let found = changes(away, 620).await;
    let [(0, Ok(0)), (ended, Err(cause)), (back, Ok(_))] = &found[..] else {
        panic!("{found:?}");
    };
    assert!((360..=361).contains(ended), "{found:?}");
    assert!(cause == "the role is gone", "{cause}");
    assert!((600..=611).contains(back), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_first_load_that_was_refused_is_tried_again() {
    let refused_once: Script = |at| match at.as_millis() {
        0 => Answer::Refuses,
        _ => at_once(seconds(3600)),
    };
    let kept = kept(refused_once);
    kept.first().await;
    assert!(in_use(&kept).unwrap_err().ends_with("the role is gone"));
    sleep(seconds(1)).await;
    assert_eq!(in_use(&kept), Ok(0));
}

#[tokio::test(start_paused = true)]
async fn the_same_credentials_again_are_not_asked_for_without_rest() {
    static ASKED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    // As the container's endpoint does it: nothing newer until shortly before the end.
    let same: Script = |at| {
        ASKED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        at_once(seconds(360).saturating_sub(at))
    };
    changes(same, 360).await;
    let asked = ASKED.load(std::sync::atomic::Ordering::Relaxed);
    assert!((5..=15).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_a_wrong_clock_takes_for_ended_are_used() {
    let kept = kept(|_| at_once(Duration::ZERO));
    for _ in 0..60 {
        assert!(in_use(&kept).is_ok());
        sleep(seconds(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_who_needs_it() {
    let kept = kept(|_| Answer::Refuses);
    let latest = kept.0.clone();
    drop(kept);
    drop(latest);
    sleep(seconds(60)).await;
    let alive = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    assert_eq!(alive, 0);
}

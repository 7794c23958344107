use std::time::Duration;

use super::{
    bucket::Buckets,
    store::{MAX_KEYS, SHARED},
};
use crate::base::rate::Rate;

fn rate(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

#[test]
fn rates_parse_and_display() {
    for (text, count, seconds) in
        [("10/min", 10, 60), ("3/h", 3, 3600), ("5/15min", 5, 900), ("600/60s", 600, 60), ("1/d", 1, 86_400)]
    {
        assert_eq!(rate(text), Rate { count, per: Duration::from_secs(seconds) });
        assert_eq!(rate(&rate(text).to_string()), rate(text));
    }
    assert_eq!(
        (rate("600/60s").to_string(), rate("5/15min").to_string()),
        ("600/min".into(), "5/15min".into())
    );
    for bad in
        ["", "10", "10/", "/min", "0/min", "-1/min", "1.5/min", "10/fortnight", "10/0s", "10/400d", "10/min "]
    {
        assert_eq!(Rate::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_process_allows_its_share_and_at_least_one() {
    assert_eq!(rate("10/min").share_of(3).count, 3);
    assert_eq!(rate("10/min").share_of(1).count, 10);
    assert_eq!(rate("2/min").share_of(9).count, 1);
}

#[test]
fn a_bucket_gives_its_tokens_and_then_the_time_to_wait() {
    let buckets = Buckets::new(rate("3/h"));
    let remaining: Vec<_> = (0..3).map(|_| buckets.take("ada")).collect();
    assert!(remaining.iter().all(|result| result.wait.is_none()));
    assert_eq!(remaining.iter().map(|result| result.remaining).collect::<Vec<_>>(), [2, 1, 0]);
    let refused = buckets.take("ada");
    let twenty_minutes = Duration::from_secs(1200);
    let wait = refused.wait.unwrap();
    assert!(wait <= twenty_minutes && wait > twenty_minutes - Duration::from_secs(60), "{wait:?}");
    assert_eq!(refused.reset, Duration::from_secs(3600));
    assert!(buckets.take("eve").wait.is_none(), "another user has their own bucket");
}

/// Simulates an attacker with many IP addresses.
#[test]
fn a_key_keeps_its_bucket_when_there_are_too_many_keys() {
    let buckets = Buckets::new(rate("3/h"));
    let left = |key: &str| {
        let result = buckets.take(key);
        result.wait.is_none().then_some(result.remaining)
    };
    assert_eq!(
        (left("ada"), left("eve"), left("eve"), left("eve"), left("eve")),
        (Some(2), Some(2), Some(1), Some(0), None)
    );
    for number in 0..MAX_KEYS + 50 * SHARED {
        left(&number.to_string());
    }
    assert_eq!((left("ada"), left("ada"), left("ada")), (Some(1), Some(0), None));
    assert_eq!(left("eve"), None, "a key that used up its tokens does not get a new bucket");
    assert_eq!(left("0"), Some(1));
    buckets.evict_idle();
    assert_eq!(left("ada"), None);
}

#[test]
fn later_keys_share_buckets_when_there_are_too_many_keys() {
    let buckets = Buckets::new(rate("3/h"));
    for number in 0..MAX_KEYS {
        buckets.take(&number.to_string());
    }
    let late: Vec<_> = (0..SHARED).map(|number| format!("late {number}")).collect();
    let served = late.iter().filter(|key| buckets.take(key).wait.is_none()).count();
    // A request in a shared bucket of three tokens is refused if at least three others use the bucket: 2 of 100.
    assert!(served > SHARED * 9 / 10, "{served}");
    // However many keys an attacker has, they only get the tokens of the shared buckets. A key always uses the same
    // bucket.
    let all: usize =
        (0..40 * SHARED).filter(|number| buckets.take(&format!("more {number}")).wait.is_none()).count();
    assert!(served + all <= 3 * SHARED, "{served} {all}");
    assert!(late.iter().all(|key| buckets.take(key).wait.is_some()));
}

use std::time::Duration;

use super::{
    bucket::Buckets,
    store::{MOST, SHARED},
};
use crate::base::rate::Rate;

fn quota(text: &str) -> Rate {
    Rate::parse(text).unwrap()
}

#[test]
fn a_quota_is_read_as_it_is_written() {
    for (text, count, seconds) in
        [("10/min", 10, 60), ("3/h", 3, 3600), ("5/15min", 5, 900), ("600/60s", 600, 60), ("1/d", 1, 86_400)]
    {
        assert_eq!(quota(text), Rate { count, per: Duration::from_secs(seconds) });
        assert_eq!(quota(&quota(text).to_string()), quota(text));
    }
    assert_eq!(
        (quota("600/60s").to_string(), quota("5/15min").to_string()),
        ("600/min".into(), "5/15min".into())
    );
    for bad in
        ["", "10", "10/", "/min", "0/min", "-1/min", "1.5/min", "10/fortnight", "10/0s", "10/400d", "10/min "]
    {
        assert_eq!(Rate::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_process_allows_its_part_and_at_least_one() {
    assert_eq!(quota("10/min").share_of(3).count, 3);
    assert_eq!(quota("10/min").share_of(1).count, 10);
    assert_eq!(quota("2/min").share_of(9).count, 1);
}

#[test]
fn a_bucket_gives_what_it_holds_and_says_when_there_is_more() {
    let buckets = Buckets::new(quota("3/h"));
    let remaining: Vec<_> = (0..3).map(|_| buckets.take("ada")).collect();
    assert!(remaining.iter().all(|taken| taken.wait.is_none()));
    assert_eq!(remaining.iter().map(|taken| taken.remaining).collect::<Vec<_>>(), [2, 1, 0]);
    let refused = buckets.take("ada");
    let twenty_minutes = Duration::from_secs(1200);
    let wait = refused.wait.unwrap();
    assert!(wait <= twenty_minutes && wait > twenty_minutes - Duration::from_secs(60), "{wait:?}");
    assert_eq!(refused.reset, Duration::from_secs(3600));
    assert!(buckets.take("eve").wait.is_none(), "another user has their own bucket");
}

/// As when an attacker has many addresses.
#[test]
fn a_key_that_has_a_bucket_keeps_it_when_there_are_too_many() {
    let buckets = Buckets::new(quota("3/h"));
    let left = |key: &str| {
        let taken = buckets.take(key);
        taken.wait.is_none().then_some(taken.remaining)
    };
    assert_eq!(
        (left("ada"), left("eve"), left("eve"), left("eve"), left("eve")),
        (Some(2), Some(2), Some(1), Some(0), None)
    );
    for number in 0..MOST + 50 * SHARED {
        left(&number.to_string());
    }
    assert_eq!((left("ada"), left("ada"), left("ada")), (Some(1), Some(0), None));
    assert_eq!(left("eve"), None, "a key that used up its tokens does not begin anew");
    assert_eq!(left("0"), Some(1));
    buckets.tidy();
    assert_eq!(left("ada"), None);
}

#[test]
fn keys_that_come_when_there_are_too_many_share_with_a_few() {
    let buckets = Buckets::new(quota("3/h"));
    for number in 0..MOST {
        buckets.take(&number.to_string());
    }
    let late: Vec<_> = (0..SHARED).map(|number| format!("late {number}")).collect();
    let served = late.iter().filter(|key| buckets.take(key).wait.is_none()).count();
    // One in a shared bucket of three is refused when at least three others are in it: 2 of 100.
    assert!(served > SHARED * 9 / 10, "{served}");
    // However many keys an attacker has, they get what the shared buckets hold. A key always has the same bucket.
    let all: usize =
        (0..40 * SHARED).filter(|number| buckets.take(&format!("more {number}")).wait.is_none()).count();
    assert!(served + all <= 3 * SHARED, "{served} {all}");
    assert!(late.iter().all(|key| buckets.take(key).wait.is_some()));
}

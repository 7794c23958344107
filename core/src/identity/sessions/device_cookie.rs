//! Tokens by which a browser is known again that has logged in to an account (OWASP, "Slow down online guessing attacks with
//! device cookies"): who guesses at the account elsewhere does not make it wait.

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::{
    crypto::{KeyPurpose, MacKey, MasterKey, hex, random_bytes},
    ids::UserId,
};

/// Random bytes of a token, which stand for the device.
const RANDOM: usize = 16;

/// For so long a device or an address is known from which somebody logged in.
pub const KNOWN: TimeDelta = TimeDelta::days(30);

/// Makes such tokens and reads them: base64url of 16 random bytes, the time, and the HMAC of the account and both. They open
/// nothing, and do not say whose they are.
#[derive(Clone)]
pub struct DeviceCookies(MacKey<32>);

impl DeviceCookies {
    /// With the key derived for them.
    pub fn new(master: &MasterKey) -> Self {
        Self(MacKey::derive(master, KeyPurpose::Device))
    }

    /// A token of a device that has just logged in to the account of `user`; each call gives another one.
    pub fn issue(&self, user: UserId, now: DateTime<Utc>) -> String {
        let claims = [&random_bytes::<RANDOM>()[..], &now.timestamp().to_be_bytes()].concat();
        self.0.sign_token(user.0, &claims)
    }

    /// What stands for the device, if `token` is one of this account and was made in the last 30 days.
    pub(super) fn read(&self, user: UserId, token: &str, now: DateTime<Utc>) -> Option<String> {
        let claims = self.0.verify_token(user.0, token)?;
        let (device, made) = claims.split_at_checked(RANDOM)?;
        let made = DateTime::from_timestamp(i64::from_be_bytes(made.try_into().ok()?), 0)?;
        (now - made < KNOWN).then(|| hex(device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_account_alone_and_for_thirty_days() {
        let tokens = DeviceCookies::new(&MasterKey::new("k".repeat(32)));
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let (ada, eve) = (UserId::new(now), UserId::new(now));
        let token = tokens.issue(ada, now);
        let device = tokens.read(ada, &token, now).unwrap();
        assert_ne!(tokens.read(ada, &tokens.issue(ada, now), now).unwrap(), device);
        assert_eq!(tokens.read(eve, &token, now), None);
        assert_eq!(tokens.read(ada, &token, now + KNOWN - TimeDelta::seconds(1)), Some(device));
        assert_eq!(tokens.read(ada, &token, now + KNOWN), None);
        for bad in ["", "AAAA", &token[1..], &format!("{token}A")] {
            assert_eq!(tokens.read(ada, bad, now), None, "{bad}");
        }
        assert_eq!(DeviceCookies::new(&MasterKey::new("x".repeat(32))).read(ada, &token, now), None);
    }
}

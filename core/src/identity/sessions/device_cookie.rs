//! Device cookies: tokens that identify a browser that has logged in to an account (OWASP, "Slow down online guessing
//! attacks with device cookies"). Wrong passwords on other devices do not throttle it.

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::{
    crypto::{KeyPurpose, MacKey, MasterKey, hex, random_bytes},
    ids::UserId,
};

/// Number of random bytes in a token. They identify the device.
const RANDOM: usize = 16;

/// How long a device or network is known after a login.
pub const KNOWN_DEVICE_TTL: TimeDelta = TimeDelta::days(30);

/// Creates and reads device tokens: base64url of 16 random bytes, the time, and the HMAC of the account and both. A token
/// gives no access and does not reveal its account.
#[derive(Clone)]
pub struct DeviceCookies(MacKey<32>);

impl DeviceCookies {
    /// Derives the key for device tokens.
    pub fn new(master: &MasterKey) -> Self {
        Self(MacKey::derive(master, KeyPurpose::Device))
    }

    /// Returns a token for a device that has just logged in to the account of `user`. Each call returns another token.
    pub fn issue(&self, user: UserId, now: DateTime<Utc>) -> String {
        let claims = [&random_bytes::<RANDOM>()[..], &now.timestamp().to_be_bytes()].concat();
        self.0.sign_token(user.0, &claims)
    }

    /// Returns the id of the device, if `token` belongs to this account and is less than 30 days old.
    pub(super) fn read(&self, user: UserId, token: &str, now: DateTime<Utc>) -> Option<String> {
        let claims = self.0.verify_token(user.0, token)?;
        let (device, issued) = claims.split_at_checked(RANDOM)?;
        let issued = DateTime::from_timestamp(i64::from_be_bytes(issued.try_into().ok()?), 0)?;
        (now - issued < KNOWN_DEVICE_TTL).then(|| hex(device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_only_for_its_account_and_for_thirty_days() {
        let tokens = DeviceCookies::new(&MasterKey::new("k".repeat(32)));
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let (ada, eve) = (UserId::new(now), UserId::new(now));
        let token = tokens.issue(ada, now);
        let device = tokens.read(ada, &token, now).unwrap();
        assert_ne!(tokens.read(ada, &tokens.issue(ada, now), now).unwrap(), device);
        assert_eq!(tokens.read(eve, &token, now), None);
        assert_eq!(tokens.read(ada, &token, now + KNOWN_DEVICE_TTL - TimeDelta::seconds(1)), Some(device));
        assert_eq!(tokens.read(ada, &token, now + KNOWN_DEVICE_TTL), None);
        for bad in ["", "AAAA", &token[1..], &format!("{token}A")] {
            assert_eq!(tokens.read(ada, bad, now), None, "{bad}");
        }
        assert_eq!(DeviceCookies::new(&MasterKey::new("x".repeat(32))).read(ada, &token, now), None);
    }
}

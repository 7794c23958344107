//! Fault modes of the fake mail server.

use std::{fmt, str::FromStr, time::Duration};

/// How the server treats clients that send e-mails. Written and read as the words in quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultMode {
    /// `accept`: accepts every e-mail.
    Accept,
    /// `busy`: answers everything with 421 and closes.
    Busy,
    /// `refuse`: answers MAIL, and the data of an e-mail, with 451.
    Refuse,
    /// `bounce`: answers every RCPT with 550.
    Bounce,
    /// `greylist`: answers every RCPT with 450.
    Greylist,
    /// `latin-1`: answers in Latin-1; accepts every e-mail, and refuses recipients whose address begins with `bounce`.
    Latin1,
    /// `silent`: clients that connect or send something now never get an answer, even after the mode changes.
    Silent,
    /// `slow N`: accepts every e-mail, each after N milliseconds.
    Slow(Duration),
    /// `cut`: closes after the data without an answer and does not accept the e-mail.
    Cut,
    /// `cut-accepted`: accepts the e-mail and closes without an answer, so the client must send it again.
    CutAccepted,
}

impl FromStr for FaultMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let mode = match words.next() {
            Some("accept") => Self::Accept,
            Some("busy") => Self::Busy,
            Some("refuse") => Self::Refuse,
            Some("bounce") => Self::Bounce,
            Some("greylist") => Self::Greylist,
            Some("latin-1") => Self::Latin1,
            Some("silent") => Self::Silent,
            Some("slow") => {
                let milliseconds = words.next().and_then(|number| number.parse().ok());
                Self::Slow(Duration::from_millis(
                    milliseconds.ok_or("slow needs milliseconds, as in `slow 20`")?,
                ))
            }
            Some("cut") => Self::Cut,
            Some("cut-accepted") => Self::CutAccepted,
            _ => {
                return Err(format!(
                    "{text:?} is no fault mode: accept, busy, refuse, bounce, greylist, latin-1, silent, slow N, cut, cut-accepted"
                ));
            }
        };
        match words.next() {
            None => Ok(mode),
            Some(word) => Err(format!("{word:?} is too much in {text:?}")),
        }
    }
}

impl fmt::Display for FaultMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Busy => f.write_str("busy"),
            Self::Refuse => f.write_str("refuse"),
            Self::Bounce => f.write_str("bounce"),
            Self::Greylist => f.write_str("greylist"),
            Self::Latin1 => f.write_str("latin-1"),
            Self::Silent => f.write_str("silent"),
            Self::Slow(delay) => write!(f, "slow {}", delay.as_millis()),
            Self::Cut => f.write_str("cut"),
            Self::CutAccepted => f.write_str("cut-accepted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_mode_parses_its_own_text() {
        let slow = FaultMode::Slow(Duration::from_millis(20));
        let plain = [
            FaultMode::Accept,
            FaultMode::Busy,
            FaultMode::Refuse,
            FaultMode::Bounce,
            FaultMode::Silent,
            FaultMode::Cut,
        ];
        for mode in plain.into_iter().chain([FaultMode::Greylist, FaultMode::Latin1, slow]) {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        for wrong in ["", "happy", "slow", "slow x", "accept now"] {
            assert!(wrong.parse::<FaultMode>().is_err(), "{wrong}");
        }
    }
}

//! Error texts in the database and in logs.

/// Maximum length of an error text, in characters.
const MAX: usize = 500;

/// The error as one line of at most 500 characters. Control characters, some of which databases refuse, become spaces.
pub fn error_line(error: &str) -> String {
    error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_stored_as_one_line() {
        assert_eq!(error_line("451 4.7.1\r\ntry\0again"), "451 4.7.1  try again");
        assert_eq!(error_line("a\r\nb\0c"), "a  b c");
        assert_eq!(error_line(&"é".repeat(900)).chars().count(), MAX);
    }
}

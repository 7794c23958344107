//! `postbox FILE`: a mail server that writes a line for each mail that it accepts at the end of FILE, before it says so:
//! Message-ID, recipient, subject, `cut` where the sender was not told, and when, in microseconds since 1970, separated by
//! tabs.
//!
//! Prints its URL. Each line of its input is a mood (`accept`, `busy`, `refuse`, `bounce`, `silent`, `slow N`, `cut`,
//! `cut-accepted`), which it prints again when it has it. Ends with its input.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the answers of a program")]

use std::{path::Path, process::ExitCode};

use insula_tests::{Mood, Postbox};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let Some(file) = std::env::args_os().nth(1) else {
        eprintln!("usage: postbox FILE");
        return 64.into();
    };
    let runtime = Runtime::new().expect("a runtime");
    let postbox = match runtime.block_on(Postbox::listing(Path::new(&file))) {
        Ok(postbox) => postbox,
        Err(error) => {
            eprintln!("postbox: cannot open {}: {error}", file.display());
            return 73.into();
        }
    };
    println!("Postbox listens on {}", postbox.url());
    // The runtime works in threads of its own: this one may wait for input.
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.parse::<Mood>() {
            Ok(mood) => {
                postbox.be(mood);
                println!("{mood}");
            }
            Err(sentence) => eprintln!("postbox: {sentence}"),
        }
    }
    ExitCode::SUCCESS
}

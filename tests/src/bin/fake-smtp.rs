//! `fake-smtp FILE`: a mail server that appends a line to FILE for each e-mail, before its answer. The line is separated by
//! tabs: Message-ID, recipient, subject, `cut` if the sender got no answer, and the time in microseconds since 1970.
//!
//! It prints its URL. Each line of its input is a fault mode (`accept`, `busy`, `refuse`, `bounce`, `silent`, `slow N`,
//! `cut`, `cut-accepted`), which it prints when it is in effect. It ends at the end of its input.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the answers of a program")]

use std::{path::Path, process::ExitCode};

use insula_tests::{FakeSmtp, FaultMode};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let Some(file) = std::env::args_os().nth(1) else {
        eprintln!("usage: fake-smtp FILE");
        return 64.into();
    };
    let runtime = Runtime::new().expect("a runtime");
    let fake_smtp = match runtime.block_on(FakeSmtp::appending_to(Path::new(&file))) {
        Ok(fake_smtp) => fake_smtp,
        Err(error) => {
            eprintln!("fake-smtp: cannot open {}: {error}", file.display());
            return 73.into();
        }
    };
    println!("fake-smtp listens on {}", fake_smtp.url());
    // The runtime works in threads of its own: this one may wait for input.
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.parse::<FaultMode>() {
            Ok(mode) => {
                fake_smtp.set_mode(mode);
                println!("{mode}");
            }
            Err(sentence) => eprintln!("fake-smtp: {sentence}"),
        }
    }
    ExitCode::SUCCESS
}

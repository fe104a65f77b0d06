//! What goes to standard output, and what to standard error.

use std::io::{self, Write};

use serde::Serialize;

/// Prints one JSON object, or a text for people.
pub(crate) fn answer(json: bool, object: &impl Serialize, text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut stdout, object)?;
        writeln!(stdout)?;
    } else {
        write!(stdout, "{text}")?;
    }
    stdout.flush()
}

/// Prints what went wrong, one line.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable(text));
}

/// A text from elsewhere without the characters by which it could govern a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

//! Lets instances look older than they are: what would take a test a quarter of an hour.

use std::time::Duration;

use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};

const BEGIN: &str = "<launchTime>";
const END: &str = "</launchTime>";

/// A describe's answer with every launch so much earlier.
pub(super) fn aged(body: &Bytes, by: Duration) -> Bytes {
    let Ok(text) = std::str::from_utf8(body) else { return body.clone() };
    let Ok(by) = SignedDuration::try_from(by) else { return body.clone() };
    let mut parts = text.split(BEGIN);
    let mut answer = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        answer.push_str(BEGIN);
        let time =
            part.split_once(END).and_then(|(time, rest)| Some((time.parse::<Timestamp>().ok()?, rest)));
        match time {
            Some((time, rest)) => answer.extend([&(time - by).to_string(), END, rest]),
            None => answer.push_str(part),
        }
    }
    answer.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_launch_is_moved_and_nothing_else() {
        let one = |time: &str| format!("<a>2026-01-01T00:00:00Z</a><launchTime>{time}</launchTime>");
        let (first, second) = ("2026-06-01T12:00:00.000Z", "2026-06-01T00:10:00Z");
        let body = Bytes::from(one(first) + &one(second));
        let expected = one("2026-06-01T11:44:00Z") + &one("2026-05-31T23:54:00Z");
        assert_eq!(aged(&body, Duration::from_mins(16)), expected);
        let odd = Bytes::from("<launchTime>soon</launchTime>");
        assert_eq!(aged(&odd, Duration::from_mins(16)), odd);
    }
}

//! Times for people.

/// `2026-11-23T12:00:00Z` of an ISO 8601 time of the store: seconds are enough.
pub fn time(iso8601: &str) -> String {
    match iso8601.split_once('.') {
        Some((seconds, fraction)) if fraction.ends_with('Z') => format!("{seconds}Z"),
        _ => iso8601.to_owned(),
    }
}

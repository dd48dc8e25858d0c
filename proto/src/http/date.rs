//! Dates: HTTP (IMF-fixdate), S3's XML (ISO 8601 with milliseconds, `Z`), and SigV4 (`YYYYMMDD'T'HHMMSS'Z'`).

use jiff::{Timestamp, civil::DateTime, fmt::temporal::DateTimePrinter, tz::Offset};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 9999-12-30T21:59:59Z, the last second that is whole for jiff. Later times are written as this one.
const UNIX_S_MAX: u64 = 253_402_207_199;

/// Milliseconds since the Unix epoch as `Mon, 23 Nov 2026 12:00:00 GMT`.
pub fn http(unix_ms: u64) -> String {
    let unix_s = (unix_ms / 1000).min(UNIX_S_MAX);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix_s))
}

/// As `2026-11-23T12:00:00.000Z`.
pub fn iso8601(unix_ms: u64) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    let unix_ms = i64::try_from(unix_ms.min(UNIX_S_MAX * 1000 + 999)).unwrap_or_default();
    PRINTER.timestamp_to_string(&Timestamp::from_millisecond(unix_ms).unwrap_or_default())
}

/// Any of HTTP's three date forms, to seconds since the epoch. `None` before the epoch.
pub fn parse_http(text: &str) -> Option<u64> {
    let time: SystemTime = httpdate::parse_http_date(text).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// A mail's date (RFC 2822, such as `Mon, 23 Nov 2026 12:00:00 +0000`), to seconds since the epoch. `None` before the epoch.
pub fn parse_mail(text: &str) -> Option<u64> {
    let time = jiff::fmt::rfc2822::parse(text).ok()?;
    u64::try_from(time.timestamp().as_second()).ok()
}

/// `20261123T120000Z`, to seconds since the epoch. `None` before the epoch.
pub fn parse_sigv4(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || time.len() != 6 || !date.bytes().chain(time.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two = |digits: &str, at: usize| digits.get(at..at + 2)?.parse::<i8>().ok();
    let date_time = DateTime::new(
        date.get(..4)?.parse().ok()?,
        two(date, 4)?,
        two(date, 6)?,
        two(time, 0)?,
        two(time, 2)?,
        two(time, 4)?,
        0,
    );
    let timestamp = Offset::UTC.to_timestamp(date_time.ok()?).ok()?;
    u64::try_from(timestamp.as_second()).ok()
}

/// Seconds since the epoch as `20261123T120000Z`.
pub fn sigv4(unix_s: u64) -> String {
    let unix_s = i64::try_from(unix_s.min(UNIX_S_MAX)).unwrap_or_default();
    let time = Offset::UTC.to_datetime(Timestamp::from_second(unix_s).unwrap_or_default());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

#[cfg(test)]
mod tests {
    use super::{http, iso8601, parse_http, parse_mail, parse_sigv4, sigv4};

    #[test]
    fn every_form_of_one_moment() {
        let unix_ms = 1_795_435_200_042;
        assert_eq!(http(unix_ms), "Mon, 23 Nov 2026 12:00:00 GMT");
        assert_eq!(iso8601(unix_ms), "2026-11-23T12:00:00.042Z");
        assert_eq!(sigv4(unix_ms / 1000), "20261123T120000Z");
        assert_eq!(parse_sigv4("20261123T120000Z"), Some(unix_ms / 1000));
        for text in [
            "Mon, 23 Nov 2026 12:00:00 GMT",
            "Monday, 23-Nov-26 12:00:00 GMT",
            "Mon Nov 23 12:00:00 2026",
        ] {
            assert_eq!(parse_http(text), Some(unix_ms / 1000), "{text}");
        }
        for text in [
            "Mon, 23 Nov 2026 12:00:00 GMT",
            "Mon, 23 Nov 2026 12:00:00 +0000",
            "23 Nov 2026 13:30:00 +0130",
        ] {
            assert_eq!(parse_mail(text), Some(unix_ms / 1000), "{text}");
        }
    }

    #[test]
    fn the_ends_of_time() {
        assert_eq!(http(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(iso8601(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(http(u64::MAX), "Thu, 30 Dec 9999 21:59:59 GMT");
        assert_eq!(iso8601(u64::MAX), "9999-12-30T21:59:59.999Z");
        assert_eq!(sigv4(u64::MAX), "99991230T215959Z");
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "",
            "20261123T120000",
            "20261123t120000Z",
            "20261323T120000Z",
            "20260230T000000Z",
            "20261123T246000Z",
            "+2261123T120000Z",
            "2026112T1200000Z",
            "19691231T235959Z",
            "20261123T12000éZ",
        ] {
            assert_eq!(parse_sigv4(text), None, "{text}");
        }
        assert_eq!(parse_http("yesterday"), None);
        assert_eq!(parse_mail("yesterday"), None);
        assert_eq!(parse_mail("Thu, 01 Jan 1970 00:00:00 +0100"), None);
    }
}

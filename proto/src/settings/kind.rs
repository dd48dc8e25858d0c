//! What values are: how each kind is read, what it allows, and what may have been meant.

use crate::{limits::SETTING_BYTES_MAX, nearest::nearest, s3::address};

/// The values of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// A word, or a whole number.
    NumberOr {
        /// The word.
        word: &'static str,
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// Bytes; also with a unit, such as `64KiB`.
    Size {
        /// The smallest, in bytes.
        least: u64,
        /// The largest, in bytes.
        most: u64,
    },
    /// Seconds; also with a unit, such as `1h`.
    Seconds {
        /// The shortest.
        least: u64,
        /// The longest.
        most: u64,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A host name or an IP address.
    Host {
        /// Or nothing.
        may_be_empty: bool,
    },
    /// Domain names, with commas between them.
    Domains,
    /// A file; empty for none.
    Path,
    /// What a log says.
    Filter,
}

const BOOLEANS: &[&str] = &["true", "false"];
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const SIZE_UNITS: [(&str, u64); 11] = [
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("tib", 1 << 40),
];
const TIME_UNITS: [(&str, u64); 6] = [
    ("s", 1),
    ("m", 60),
    ("min", 60),
    ("h", 3600),
    ("d", 24 * 3600),
    ("w", 7 * 24 * 3600),
];

impl Kind {
    /// The value of a text, in its one form; `None`: it is not allowed.
    pub fn parse(&self, text: &str) -> Option<String> {
        let text = text.trim();
        if text.len() > SETTING_BYTES_MAX || text.contains(['\0', '\n', '\r']) {
            return None;
        }
        let within = |number: Option<u64>, least, most| {
            number
                .filter(|number| (least..=most).contains(number))
                .map(|number| number.to_string())
        };
        match *self {
            Self::Boolean => word(text, BOOLEANS),
            Self::OneOf(words) => word(text, words),
            Self::Integer { least, most } => within(with_unit(text, &[]), least, most),
            Self::NumberOr { word, .. } if text.eq_ignore_ascii_case(word) => Some(word.to_owned()),
            Self::NumberOr { least, most, .. } => within(with_unit(text, &[]), least, most),
            Self::Size { least, most } => within(with_unit(text, &SIZE_UNITS), least, most),
            Self::Seconds { least, most } => within(with_unit(text, &TIME_UNITS), least, most),
            Self::Host { may_be_empty } => (is_host(text) || may_be_empty && text.is_empty()).then(|| text.to_owned()),
            Self::Domains => domains(text),
            Self::Path => Some(text.to_owned()),
            Self::Filter => filter(text),
        }
    }

    /// What is allowed, as the end of "give ..".
    pub fn allowed(&self) -> String {
        match *self {
            Self::Boolean => "true or false".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::NumberOr { word, least, most } => format!("{word} or a whole number from {least} to {most}"),
            Self::Size { least, most } => format!(
                "a size from {} to {}, in bytes or such as 64KiB",
                short_size(least),
                short_size(most)
            ),
            Self::Seconds { least, most } => format!("seconds from {least} to {most}, or such as 15m, 1h, 7d"),
            Self::Host { may_be_empty: false } => {
                "a host name or an IP address, without scheme, port or path".to_owned()
            }
            Self::Host { may_be_empty: true } => {
                "a host name or an IP address, without scheme, port or path, or nothing".to_owned()
            }
            Self::Domains => "domain names such as localhost,s3.example.org".to_owned(),
            Self::Path => "a file name, or nothing".to_owned(),
            Self::Filter => format!(
                "a level ({}), or levels of parts such as info,corelane_gateway=debug",
                LEVELS.join(", ")
            ),
        }
    }

    /// The allowed word that a text may have meant.
    pub fn nearest(&self, text: &str) -> Option<&'static str> {
        match *self {
            Self::Boolean => nearest(text, BOOLEANS.iter().copied()),
            Self::OneOf(words) => nearest(text, words.iter().copied()),
            Self::NumberOr { word, .. } if !text.contains(|c: char| c.is_ascii_digit()) => Some(word),
            Self::Filter => nearest(text, LEVELS.into_iter()),
            _ => None,
        }
    }

    /// Whether its values stand in TOML without quotes.
    pub fn is_bare(&self, value: &str) -> bool {
        match self {
            Self::Boolean => true,
            Self::Integer { .. } | Self::NumberOr { .. } | Self::Size { .. } | Self::Seconds { .. } => {
                !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
            }
            _ => false,
        }
    }
}

fn word(text: &str, words: &[&str]) -> Option<String> {
    words
        .iter()
        .find(|word| text.eq_ignore_ascii_case(word))
        .map(|word| (*word).to_owned())
}

/// A whole number, perhaps with `_` or spaces in it and a unit behind it.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    let number: u64 = digits.replace('_', "").parse().ok()?;
    let unit = unit.trim();
    if unit.is_empty() {
        return Some(number);
    }
    let factor = units.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?.1;
    number.checked_mul(factor)
}

/// A size with the largest unit that it is a whole number of.
pub fn short_size(bytes: u64) -> String {
    let units = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units
        .iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(unit, name)| format!("{}{name}", bytes / unit),
    )
}

fn is_host(text: &str) -> bool {
    let bare = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => return inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => text,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    bare.parse::<std::net::IpAddr>().is_ok() || !bare.is_empty() && bare.chars().all(is_name)
}

fn domains(text: &str) -> Option<String> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    (!names.is_empty() && address::Domains::parse(&names).is_ok()).then(|| names.join(","))
}

/// A level, or several directives `part=level`; a part alone would be a level that somebody mistyped.
fn filter(text: &str) -> Option<String> {
    let directives = text.split(',').map(|directive| {
        let (part, level) = match directive.trim().split_once('=') {
            Some((part, level)) => (Some(part.trim()), level),
            None => (None, directive),
        };
        let level = word(level.trim(), &LEVELS)?;
        let is_part = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-'))
        };
        match part {
            Some(part) if is_part(part) => Some(format!("{part}={level}")),
            Some(_) => None,
            None => Some(level),
        }
    });
    directives
        .collect::<Option<Vec<String>>>()
        .map(|directives| directives.join(","))
}

//! Flags of all commands that move objects.

use crate::{
    client::Client,
    error::{CliError, Result},
    interrupt::Interrupt,
    limits::{JOBS_DEFAULT_MAX, JOBS_MAX, PART_BYTES, PART_BYTES_MAX},
    output::OutputArgs,
    s3::Store,
    transfer::{Print, Progress, Tally, Transfer},
};
use clap::Args;
use proto::limits::PART_BYTES_MIN;

/// How much at a time, and what is told of it.
#[derive(Debug, Args)]
pub struct TransferArgs {
    /// Most requests at a time [default: two for each of this machine's cores, at most 16]
    #[arg(long, short, value_name = "N", value_parser = parse_jobs)]
    jobs: Option<usize>,
    /// Size of parts, such as 16MiB: larger files and objects move in parts, several at a time, and can be continued
    #[arg(long, value_name = "SIZE", value_parser = parse_part_size, default_value = "16MiB")]
    part_size: u64,
    /// No progress and no total
    #[arg(long, short)]
    pub quiet: bool,
}

impl TransferArgs {
    /// A transfer with these flags.
    pub fn transfer(&self, client: Client, output: OutputArgs) -> Result<Transfer> {
        let store = Store::new(client, Interrupt::listen()?);
        let is_quiet = self.quiet || output.is_json();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let jobs = self.jobs.unwrap_or((cores * 2).min(JOBS_DEFAULT_MAX));
        Ok(Transfer::new(
            store,
            Progress::new(is_quiet),
            Tally::new(output.is_json()),
            jobs,
            self.part_size,
        ))
    }

    /// What is printed at the end.
    pub fn print(&self, output: OutputArgs) -> Print {
        match (output.is_json(), self.quiet) {
            (true, _) => Print::Json,
            (false, true) => Print::Nothing,
            (false, false) => Print::Total,
        }
    }
}

/// `NAME=VALUE`.
pub fn parse_pair(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it like NAME=VALUE".to_owned()),
    }
}

/// A wrong use of the flags that clap cannot see.
pub fn usage<T>(message: &str) -> Result<T> {
    Err(CliError::usage(message))
}

fn parse_jobs(text: &str) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(jobs) if (1..=JOBS_MAX).contains(&jobs) => Ok(jobs),
        _ => Err(format!("a number from 1 to {JOBS_MAX} is wanted")),
    }
}

fn parse_part_size(text: &str) -> std::result::Result<u64, String> {
    let wrong = || {
        format!(
            "a size from {}MiB to {}MiB is wanted, such as {}MiB",
            PART_BYTES_MIN >> 20,
            PART_BYTES_MAX >> 20,
            PART_BYTES >> 20
        )
    };
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = match lower.strip_prefix(digits).unwrap_or_default() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes
        .filter(|bytes| (PART_BYTES_MIN..=PART_BYTES_MAX).contains(bytes))
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::{parse_pair, parse_part_size};

    #[test]
    fn part_sizes_have_units_and_limits() {
        assert_eq!(parse_part_size("16MiB"), Ok(16 << 20));
        assert_eq!(parse_part_size("8m"), Ok(8 << 20));
        assert_eq!(parse_part_size("5242880"), Ok(5 << 20));
        assert_eq!(parse_part_size("6MB"), Ok(6_000_000));
        for text in ["", "MiB", "1MiB", "5PiB", "-8MiB", "1.5GiB", "99999999999999999999GiB"] {
            assert!(parse_part_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pairs_have_a_name() {
        assert_eq!(parse_pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(parse_pair("=b").is_err());
        assert!(parse_pair("ab").is_err());
    }
}

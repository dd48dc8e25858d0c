//! Golden transcripts: command lines, what they print, and how they end, in `tests/transcripts/*.txt`.
//!
//! ```text
//! # A comment.
//! $ corelane bucket create photos | cat
//! "photos" bucket created
//! $ corelane bucket show nothing
//! ! error: NoSuchBucket: [..]
//! ? 3
//! ```
//!
//! A line of shell follows `$ `; then come its standard output, its standard error behind `! `, and its exit code behind `? `
//! unless it is 0. `[..]` stands for anything within a line. Blank lines before the next command mean nothing. `corelane`
//! is the one under test, the environment names the store and its first user, the directory is empty at first. In commands
//! and in what they print, `$ENDPOINT` is the store's address and `$DIR` the directory.
//!
//! With CORELANE_UPDATE_TRANSCRIPTS=1 what does not match is written into the file, to be looked at.

use crate::{
    command::{Clients, Ended, run},
    directory::{binaries, workspace},
    store::Store,
};
use std::{fmt::Write, fs, path::Path};

/// What may be printed in place of `[..]` is anything within a line.
const ANYTHING: &str = "[..]";

/// One command and what is expected of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Step {
    /// Comments and blank lines before it.
    before: Vec<String>,
    command: String,
    stdout: Vec<String>,
    stderr: Vec<String>,
    code: i32,
}

/// Plays `tests/transcripts/NAME.txt` against a store, as its first user; panics with all differences.
#[track_caller]
pub fn play(name: &str, store: &Store) {
    play_as(name, store, &Clients::new(store));
}

/// The same as another user, or in a directory that holds something.
#[track_caller]
pub fn play_as(name: &str, store: &Store, clients: &Clients) {
    let path = workspace().join("tests/transcripts").join(format!("{name}.txt"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (steps, rest) = parse(&text);
    assert!(!steps.is_empty(), "{} holds no command", path.display());
    let mut differences = String::new();
    let mut happened = Vec::new();
    for step in &steps {
        let got = perform(&step.command, store, clients);
        if matches(step, &got) {
            happened.push(step.clone());
        } else {
            let _ = writeln!(differences, "expected:\n{}got:\n{}", shown(step), shown(&got));
            happened.push(Step {
                before: step.before.clone(),
                ..got
            });
        }
    }
    if !differences.is_empty() && std::env::var_os("CORELANE_UPDATE_TRANSCRIPTS").is_some() {
        let mut updated: String = happened.iter().map(shown).collect();
        updated.extend(rest.iter().map(|line| format!("{line}\n")));
        fs::write(&path, updated).unwrap();
    }
    assert!(
        differences.is_empty(),
        "{} differs (CORELANE_UPDATE_TRANSCRIPTS=1 writes it anew):\n{differences}",
        path.display()
    );
}

/// Runs a line of shell with `corelane` in its path.
#[track_caller]
pub fn shell(line: &str, store: &Store, clients: &Clients) -> Ended {
    let mut command = clients.command(Path::new("bash"));
    let path = format!("{}:{}", binaries().display(), std::env::var("PATH").unwrap());
    command
        .args(["-o", "pipefail", "-c", line])
        .env("PATH", path)
        .env("ENDPOINT", origin(store))
        .env("DIR", clients.home())
        .env("CORELANE_ENDPOINT", origin(store))
        .env("CORELANE_ACCESS_KEY", clients.access_key())
        .env("CORELANE_SECRET_KEY", clients.secret_key());
    run(command)
}

fn origin(store: &Store) -> String {
    store.endpoint().trim_end_matches("/s3").to_owned()
}

#[track_caller]
fn perform(line: &str, store: &Store, clients: &Clients) -> Step {
    let ended = shell(line, store, clients);
    let lines = |text: &str| {
        let text = text
            .replace(&origin(store), "$ENDPOINT")
            .replace(&clients.home().display().to_string(), "$DIR");
        without_blank_end(text.lines().map(str::to_owned).collect())
    };
    Step {
        before: Vec::new(),
        command: line.to_owned(),
        stdout: lines(&ended.stdout),
        stderr: lines(&ended.stderr),
        code: ended.code,
    }
}

/// The steps, and what comments stand behind the last one.
fn parse(text: &str) -> (Vec<Step>, Vec<String>) {
    let mut steps: Vec<Step> = Vec::new();
    let mut between = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                before: std::mem::take(&mut between),
                command: command.to_owned(),
                ..Step::default()
            });
        } else if line.is_empty() || line.starts_with('#') {
            between.push(line.to_owned());
        } else {
            let step = steps.last_mut().expect("a command comes before what it prints");
            // Blank lines within what is printed belong to it.
            let blank = std::mem::take(&mut between);
            assert!(
                blank.iter().all(String::is_empty),
                "a comment within what is printed: {blank:?}"
            );
            if let Some(error) = line.strip_prefix("! ").or((line == "!").then_some("")) {
                step.stderr.extend(blank);
                step.stderr.push(error.to_owned());
            } else if let Some(code) = line.strip_prefix("? ") {
                step.code = code.parse().expect("an exit code");
            } else {
                step.stdout.extend(blank);
                step.stdout.push(line.to_owned());
            }
        }
    }
    (steps, between)
}

fn without_blank_end(mut lines: Vec<String>) -> Vec<String> {
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

fn shown(step: &Step) -> String {
    let mut text = String::new();
    for line in &step.before {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "$ {}", step.command);
    for line in &step.stdout {
        let _ = writeln!(text, "{line}");
    }
    for line in &step.stderr {
        let _ = writeln!(text, "{}", format!("! {line}").trim_end());
    }
    if step.code != 0 {
        let _ = writeln!(text, "? {}", step.code);
    }
    text
}

fn matches(expected: &Step, got: &Step) -> bool {
    let same = |expected: &[String], got: &[String]| {
        expected.len() == got.len() && expected.iter().zip(got).all(|(expected, got)| fits(expected, got))
    };
    expected.code == got.code && same(&expected.stdout, &got.stdout) && same(&expected.stderr, &got.stderr)
}

/// Whether a line is what the pattern says.
fn fits(pattern: &str, line: &str) -> bool {
    let mut pieces = pattern.split(ANYTHING);
    let Some(mut rest) = line.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{fits, parse, shown};

    #[test]
    fn patterns_fit_what_they_say() {
        assert!(fits("a [..] c", "a b c") && fits("[..]", "") && fits("a", "a"));
        assert!(fits("[..]x[..]y", "1x2y") && !fits("[..]x[..]y", "1y2x"));
        assert!(!fits("a", "ab") && !fits("a[..]a", "a") && !fits("a [..]", "b"));
    }

    #[test]
    fn a_transcript_is_read_as_it_is_written() {
        let text = "# Why.\n\n$ one\nout\n\nmore\n! bad\n!\n! worse\n? 3\n\n$ two\n";
        let (steps, rest) = parse(text);
        assert_eq!(steps.iter().map(shown).collect::<String>(), text);
        assert_eq!((steps.len(), steps[0].code, rest.len()), (2, 3, 0));
        assert_eq!(steps[0].stdout, ["out", "", "more"]);
    }
}

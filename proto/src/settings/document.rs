//! The table for people: the configuration file that a first start makes, and `docs/configuration.md`.

use super::{Applies, SETTINGS, Setting, file::written};
use std::fmt::Write;

const COLUMNS: usize = 100;

const INTRODUCTION: &str = "\
Corelane's configuration. Every setting is here, with what it does; those behind a # have their default.

It is read by `corelane serve` when it starts. `corelane config set NAME=VALUE` changes it while the store runs: what can
act at once does, and of the rest it says that a restart is needed. Environment variables come before this file, and flags
of `corelane serve` before those.

Sizes are bytes, or such as \"64KiB\"; times are seconds, or such as \"1h\". Files are found from the folder of this one.";

/// The configuration file with every setting, each commented out at its default.
pub fn template() -> String {
    let mut out = String::new();
    for (index, paragraph) in INTRODUCTION.split("\n\n").enumerate() {
        if index > 0 {
            out.push_str("#\n");
        }
        comment(&mut out, paragraph);
    }
    let mut section = "";
    for setting in SETTINGS {
        if setting.section() != section {
            section = setting.section();
            let _ = write!(out, "\n[{section}]\n");
        }
        out.push('\n');
        if setting.applies == Applies::Fixed {
            let fixed = format!(
                "{} is {} and cannot be set: {}",
                setting.key(),
                setting.default,
                setting.description
            );
            comment(&mut out, &fixed);
            continue;
        }
        comment(&mut out, setting.description);
        comment(&mut out, &terms(setting));
        let _ = writeln!(out, "#{} = {}", setting.key(), written(setting, setting.default));
    }
    out
}

fn terms(setting: &Setting) -> String {
    let allowed = setting.kind.allowed();
    let acts = match setting.applies {
        Applies::Live => "a change acts at once",
        Applies::Restart | Applies::Fixed => "a change needs a restart",
    };
    let also: Vec<String> = setting
        .flag
        .map(str::to_owned)
        .into_iter()
        .chain(setting.environment())
        .collect();
    format!("Give {allowed}; {acts}. Also: {}.", also.join(", "))
}

fn comment(out: &mut String, text: &str) {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > COLUMNS && line.len() > 1 {
            let _ = writeln!(out, "{line}");
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

/// `docs/configuration.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Configuration

`corelane serve` reads one TOML file: `control/corelane.toml` in the first data directory, which the first start makes with
every setting in it, or the one that `--config FILE` or `CORELANE_CONFIG` names. `corelane config template` prints it.
Environment variables come before the file, and flags before those. `--set NAME=VALUE` is a flag for every setting.

    corelane config show net.http
    corelane config set lifecycle.day_seconds=1h route.mode=proxy
    corelane config reset route.mode

`config set` changes the file of the running store, with its comments kept. Settings that are *live* act at once; of the
others it says that a restart is needed. A name or value that is wrong changes nothing: not at a start, which it ends with
the file's line, and not in a running store.

Sizes are bytes, or such as `64KiB`; times are seconds, or such as `15m`, `1h`, `7d`. They are shown in bytes and seconds.
Files are found from the folder of the configuration file, or, of flags and environment, from where the store was started.
",
    );
    let mut section = "";
    for setting in SETTINGS {
        if setting.section() != section {
            section = setting.section();
            let _ = write!(out, "\n## {section}\n");
        }
        let default = match setting.default {
            "" => "empty".to_owned(),
            default => format!("`{default}`"),
        };
        let _ = write!(out, "\n### {}\n\n{}\n\n", setting.name, sentence(setting.description));
        if setting.applies == Applies::Fixed {
            let _ = writeln!(out, "Always {default}; it cannot be set.");
            continue;
        }
        let flag = setting.flag.map_or_else(String::new, |flag| format!(", flag `{flag}`"));
        let _ = writeln!(
            out,
            "Default: {default}. Give {}. *{}*; environment `{}`{flag}.",
            setting.kind.allowed(),
            match setting.applies {
                Applies::Live => "Live",
                Applies::Restart | Applies::Fixed => "Needs a restart",
            },
            setting.environment().unwrap_or_default(),
        );
    }
    out
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

//! `corelane config`: the settings of a running store, over `/v1/config`.

use crate::{
    client::{Client, GlobalArgs},
    error::{CliError, Result},
    output::{self, Columns, printable},
};
use clap::{Args, Subcommand};
use proto::settings::document;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

const EXAMPLES: &str = "\
Examples:
  corelane config show                              Every setting with its value
  corelane config show net.http                     Those below net.http
  corelane config show route.mode --verbose         What it does, what is allowed, where its value is from
  corelane config set lifecycle.day_seconds=1h net.http.read_buffer_size=128KiB
  corelane config reset lifecycle.day_seconds       Back to the default
  corelane config template > corelane.toml          A file with every setting, for serve --config

`set` and `reset` change the configuration file of the running store, and say of each setting whether it acts at once or
after a restart. Of several settings all are changed or none. Only the store's first key may show and change settings.";

const SHOW_EXAMPLES: &str = "\
Examples:
  corelane config show                              Every setting with its value
  corelane config show net.http                     Those below net.http
  corelane config show route --verbose              What they do, what is allowed, where their values are from
  corelane config show --json                       For programs";

const SET_EXAMPLES: &str = "\
Examples:
  corelane config set route.mode=proxy
  corelane config set lifecycle.day_seconds=1h net.http.read_buffer_size=128KiB
  corelane config set node.memory_bytes=1GiB        Acts after a restart, as the answer says

Sizes are bytes or such as 64KiB, times seconds or such as 15m, 1h, 7d. Of several settings all are set or none.";

const RESET_EXAMPLES: &str = "\
Examples:
  corelane config reset route.mode
  corelane config reset lifecycle.day_seconds net.http.read_buffer_size";

const TEMPLATE_EXAMPLES: &str = "\
Examples:
  corelane config template > corelane.toml          For corelane serve --config corelane.toml
  corelane config template --markdown               The documentation of all settings";

const CONFIG_PATH: &str = "/v1/config";
/// Where lines of --verbose end.
const COLUMNS: usize = 100;

/// The flags of `corelane config`.
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
    #[command(flatten)]
    global: GlobalArgs,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Show settings and their values
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
    /// Change settings
    #[command(after_help = SET_EXAMPLES)]
    Set {
        /// What to set
        #[arg(required = true, value_name = "NAME=VALUE")]
        pairs: Vec<String>,
    },
    /// Give settings back to their defaults
    #[command(after_help = RESET_EXAMPLES)]
    Reset {
        /// What to reset
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print a configuration file with every setting at its default; needs no store
    #[command(after_help = TEMPLATE_EXAMPLES)]
    Template {
        /// Print the documentation of all settings in Markdown instead
        #[arg(long)]
        markdown: bool,
    },
    /// Show settings, or change them: NAME=VALUE, as `ais config cluster` does
    #[command(hide = true)]
    Cluster(ClusterArgs),
}

/// The flags of `corelane config show`.
#[derive(Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub struct ShowArgs {
    /// Only settings whose names begin so, such as net.http or route.mode
    pub prefix: Option<String>,
    /// Also what each does, what is allowed, its default, and where its value is from
    #[arg(long, short)]
    pub verbose: bool,
}

#[derive(Args)]
struct ClusterArgs {
    /// What to show, or NAME=VALUE to set
    items: Vec<String>,
}

/// A setting as the store shows it.
#[derive(Deserialize, Serialize)]
struct Setting {
    name: String,
    value: String,
    default: String,
    source: String,
    applies: String,
    description: String,
    allowed: String,
    pending: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Settings {
    file: Option<String>,
    /// What would stop the next start.
    #[serde(default)]
    file_error: Option<String>,
    settings: Vec<Setting>,
}

/// A setting that was changed.
#[derive(Deserialize, Serialize)]
struct Changed {
    name: String,
    value: String,
    was: String,
    applies: String,
    overridden_by: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Changes {
    changed: Vec<Changed>,
}

/// Runs the command.
pub fn run(args: &ConfigArgs) -> Result<()> {
    match &args.command {
        ConfigCommand::Show(show) => self::show(&args.global, show.prefix.as_deref(), show.verbose),
        ConfigCommand::Set { pairs } => set(&args.global, pairs),
        ConfigCommand::Reset { names } => change(&args.global, &json!({ "reset": names }), "reset to"),
        ConfigCommand::Template { markdown: false } => output::line(document::template().trim_end()),
        ConfigCommand::Template { markdown: true } => output::line(document::markdown().trim_end()),
        ConfigCommand::Cluster(cluster) if cluster.items.iter().any(|item| item.contains('=')) => {
            set(&args.global, &cluster.items)
        }
        ConfigCommand::Cluster(cluster) => match cluster.items.as_slice() {
            [] => self::show(&args.global, None, false),
            [prefix] => self::show(&args.global, Some(prefix), false),
            _ => Err(CliError::usage("give one name, such as net.http, or NAME=VALUE")),
        },
    }
}

/// Prints the settings below a prefix, or all.
pub fn show(global: &GlobalArgs, prefix: Option<&str>, verbose: bool) -> Result<()> {
    let client = Client::new(&global.connection)?;
    let query: Vec<(&str, &str)> = prefix.map(|prefix| ("prefix", prefix)).into_iter().collect();
    let answer: Settings = client
        .send_for(&Method::GET, CONFIG_PATH, &query, None)
        .map_err(not_found)?;
    if global.output.is_json() {
        return output::json(&answer);
    }
    if let Some(error) = &answer.file_error {
        eprintln!(
            "warning: {}; correct it, or the store does not start again",
            printable(error)
        );
    }
    if verbose {
        return output::line(&explained(&answer));
    }
    let rows = answer
        .settings
        .iter()
        .map(|setting| vec![setting.name.clone(), value(setting)]);
    let page = Columns::new(["PROPERTY", "VALUE"]).page(rows, global.output.style());
    output::line(&page)
}

/// A value, and what comes with a restart if that is another.
fn value(setting: &Setting) -> String {
    let now = quoted(&setting.value);
    match &setting.pending {
        Some(pending) => format!("{now} ({} after a restart)", quoted(pending)),
        None => now,
    }
}

fn quoted(text: &str) -> String {
    match text {
        "" => "\"\"".to_owned(),
        text => printable(text).into_owned(),
    }
}

fn explained(answer: &Settings) -> String {
    let mut lines = Vec::new();
    if let Some(file) = &answer.file {
        lines.push(format!("Configuration file: {}", printable(file)));
    }
    for setting in &answer.settings {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(format!("{}  {}", setting.name, value(setting)));
        wrap(&setting.description, &mut lines);
        let terms = match setting.applies.as_str() {
            "fixed" => "Cannot be set.".to_owned(),
            applies => format!(
                "Give {}. Default: {}. From: {}. A change acts {}.",
                setting.allowed,
                quoted(&setting.default),
                setting.source,
                if applies == "live" {
                    "at once"
                } else {
                    "after a restart"
                }
            ),
        };
        wrap(&terms, &mut lines);
    }
    lines.join("\n")
}

fn wrap(text: &str, lines: &mut Vec<String>) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(if line.is_empty() { "    " } else { " " });
        line.push_str(word);
    }
    lines.push(line);
}

fn set(global: &GlobalArgs, pairs: &[String]) -> Result<()> {
    let mut wanted = Map::new();
    for pair in pairs {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| CliError::usage(format!("{pair}: write it as NAME=VALUE")))?;
        let before = wanted.insert(name.trim().to_owned(), Value::from(value));
        if before.is_some_and(|before| before != value) {
            return Err(CliError::usage(format!("{name} is given twice, with two values")));
        }
    }
    change(global, &json!({ "set": wanted }), "set to")
}

fn change(global: &GlobalArgs, body: &Value, what: &str) -> Result<()> {
    let client = Client::new(&global.connection)?;
    let answer: Changes = client
        .send_for(&Method::PATCH, CONFIG_PATH, &[], Some(body))
        .map_err(not_found)?;
    if global.output.is_json() {
        return output::json(&answer);
    }
    let lines: Vec<String> = answer.changed.iter().map(|changed| told(changed, what)).collect();
    output::line(&lines.join("\n"))
}

/// A setting that does not exist is something not found, whatever it was to be set to.
fn not_found(error: CliError) -> CliError {
    match error {
        CliError::Failed(message) if message.contains("there is no setting ") => CliError::NotFound(message),
        other => other,
    }
}

fn told(changed: &Changed, what: &str) -> String {
    let Changed { name, value, was, .. } = changed;
    let mut line = format!(
        "\"{name}\" {what}: \"{}\" (was: \"{}\")",
        printable(value),
        printable(was)
    );
    match changed.overridden_by.as_deref() {
        Some("flag") => line.push_str("; a flag of `corelane serve` says otherwise and comes first"),
        Some(_) => line.push_str("; an environment variable of `corelane serve` says otherwise and comes first"),
        None if changed.applies == "restart" && value != was => line.push_str("; it acts after a restart of the store"),
        None => {}
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Changed, not_found, told, wrap};
    use crate::error::CliError;

    fn changed(applies: &str, overridden_by: Option<&str>) -> String {
        let changed = Changed {
            name: "net.port".to_owned(),
            value: "9000".to_owned(),
            was: "51080".to_owned(),
            applies: applies.to_owned(),
            overridden_by: overridden_by.map(str::to_owned),
        };
        told(&changed, "set to")
    }

    #[test]
    fn changes_say_when_they_act() {
        let set = "\"net.port\" set to: \"9000\" (was: \"51080\")";
        assert_eq!(changed("live", None), set);
        assert_eq!(
            changed("restart", None),
            format!("{set}; it acts after a restart of the store")
        );
        assert!(changed("restart", Some("flag")).contains("a flag"));
        assert!(changed("live", Some("environment")).contains("an environment variable"));
    }

    #[test]
    fn unknown_settings_are_not_found() {
        let code = |message| not_found(CliError::failed(message)).exit_code();
        assert_eq!(code("InvalidSetting: there is no setting \"x\""), 3);
        assert_eq!(code("InvalidSetting: net.port: \"x\" is not allowed"), 1);
    }

    #[test]
    fn long_lines_are_wrapped() {
        let mut lines = Vec::new();
        wrap(&"word ".repeat(40), &mut lines);
        assert_eq!(lines.len(), 3);
        assert!(
            lines
                .iter()
                .all(|line| line.len() <= 100 && line.starts_with("    word"))
        );
    }
}

//! `corelane key`: the access keys of a running store, over `/v1/keys`.

use super::serve::credentials::Credentials;
use crate::{
    client::{Client, GlobalArgs},
    error::{CliError, Result},
};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets::NOTHING};
use proto::http::{date, percent};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  corelane key create --user alice                     A new user with a new key; the secret is shown once
  corelane key create --user alice                     One more key for the same user
  corelane key create --user ci --tenant build --json  For scripts
  corelane key ls
  corelane key rm AKEXAMPLE

A bucket belongs to the user who made it; other users get AccessDenied. Only the store's first key may manage keys.
It is read from --data DIR (control/credentials.json), or from CORELANE_ACCESS_KEY and CORELANE_SECRET_KEY.";

const KEYS_PATH: &str = "/v1/keys";

/// The flags of `corelane key`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
    #[command(flatten)]
    global: GlobalArgs,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Create an access key, and its user if there is none of that name
    Create(CreateArgs),
    /// List all access keys, without secrets
    #[command(visible_alias = "list")]
    Ls,
    /// Remove an access key; its user's buckets stay
    Rm {
        /// The access key
        access_key: String,
    },
}

#[derive(Args)]
struct CreateArgs {
    /// Whose key it is
    #[arg(long, value_name = "NAME")]
    user: String,
    /// A group the user belongs to
    #[arg(long, value_name = "T")]
    tenant: Option<String>,
    /// Use this access key in place of a made one
    #[arg(long, value_name = "K", requires = "secret_key")]
    access_key: Option<String>,
    /// Use this secret key in place of a made one
    #[arg(long, value_name = "S", requires = "access_key")]
    secret_key: Option<String>,
}

/// A key as the store describes it.
#[derive(Deserialize)]
struct Key {
    access_key: String,
    #[serde(default)]
    secret_key: Option<String>,
    user: String,
    #[serde(default)]
    tenant: Option<String>,
    canonical_id: String,
    #[serde(default)]
    created: Value,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Key>,
}

/// Runs the command.
pub fn run(args: &KeyArgs) -> Result<()> {
    let client = Client::new(&args.global.connection)?;
    match &args.command {
        KeyCommand::Create(create_args) => create(&client, create_args, args.global.output.is_json()),
        KeyCommand::Ls => list(&client, args.global.output.is_json()),
        KeyCommand::Rm { access_key } => remove(&client, access_key, args.global.output.is_json()),
    }
}

fn create(client: &Client, args: &CreateArgs, json: bool) -> Result<()> {
    let mut body = json!({"user": args.user});
    if let Some(tenant) = &args.tenant {
        body["tenant"] = json!(tenant);
    }
    if let (Some(access_key), Some(secret_key)) = (&args.access_key, &args.secret_key) {
        let given = Credentials {
            access_key: access_key.clone(),
            secret_key: secret_key.clone(),
        };
        let given = given.check().map_err(CliError::usage)?;
        body["access_key"] = json!(given.access_key);
        body["secret_key"] = json!(given.secret_key);
    }
    let answer: Value = client.send_for(&Method::POST, KEYS_PATH, &[], Some(&body))?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    let key: Key = parse(answer)?;
    let mut table = table();
    table.add_row(["Access key", &key.access_key]);
    table.add_row(["Secret key", key.secret_key.as_deref().unwrap_or("(as given)")]);
    table.add_row(["User", &key.user]);
    if let Some(tenant) = &key.tenant {
        table.add_row(["Tenant", tenant]);
    }
    table.add_row(["Canonical id", &key.canonical_id]);
    println!("{table}\n\nThe secret key is not shown again.");
    Ok(())
}

fn list(client: &Client, json: bool) -> Result<()> {
    let answer: Value = client.send_for(&Method::GET, KEYS_PATH, &[], None)?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    let mut table = table();
    table.set_header(["ACCESS KEY", "USER", "TENANT", "CREATED", "CANONICAL ID"]);
    for key in parse::<Keys>(answer)?.keys {
        let created = created(&key.created);
        let tenant = key.tenant.unwrap_or_else(|| "-".to_owned());
        table.add_row([key.access_key, key.user, tenant, created, key.canonical_id]);
    }
    println!("{table}");
    Ok(())
}

fn remove(client: &Client, access_key: &str, json: bool) -> Result<()> {
    let path = format!("{KEYS_PATH}/{}", percent::encode(access_key.as_bytes(), false));
    client.send(&Method::DELETE, &path, &[], None)?;
    if json {
        println!("{}", json!({"removed": access_key}));
    } else {
        println!("Removed {access_key}.");
    }
    Ok(())
}

fn parse<T: serde::de::DeserializeOwned>(answer: Value) -> Result<T> {
    serde_json::from_value(answer)
        .map_err(|_| CliError::failed("the store gave an answer this program does not know; is it of another version?"))
}

/// When a key was created, in ISO 8601; the first key comes from a file, without a date.
fn created(value: &Value) -> String {
    match value.as_str() {
        Some(text) if text != date::iso8601(0) => text.to_owned(),
        _ => "-".to_owned(),
    }
}

/// Columns only, as `ls -l` and `kubectl get` have them: lines can be cut by other tools.
fn table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}

//! `corelane key create`.

use super::view::{Key, make};
use crate::{
    client::Client,
    cmd::{parse_answer, serve::credentials::Credentials},
    error::{CliError, Result},
    output::{self, OutputArgs},
};
use clap::Args;
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  corelane key create --user alice                     The secret is shown once
  corelane key create --user ci --tenant build --json  For scripts
  corelane key create --user bob --access-key BOBSKEY --secret-key bobs-secret-key";

/// The flags of `corelane key create`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CreateArgs {
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

/// Runs the command.
pub fn run(client: &Client, output: OutputArgs, args: &CreateArgs) -> Result<()> {
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
    let answer: Value = make(client, &body)?;
    if output.is_json() {
        return output::json(&answer);
    }
    let key: Key = parse_answer(answer)?;
    output::line(&format!("{}\n\nThe secret key is not shown again.", key.text()))
}

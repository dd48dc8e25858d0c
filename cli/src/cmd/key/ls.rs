//! `corelane key ls`.

use super::view::{Keys, fetch};
use crate::{
    client::Client,
    cmd::parse_answer,
    error::Result,
    output::{self, Columns, OutputArgs},
};

/// What `--help` shows.
pub const EXAMPLES: &str = "\
Examples:
  corelane key ls
  corelane key ls --json";

/// Runs the command.
pub fn run(client: &Client, output: OutputArgs) -> Result<()> {
    let answer = fetch(client)?;
    if output.is_json() {
        return output::json(&answer);
    }
    let keys: Keys = parse_answer(answer)?;
    let rows = keys.keys.into_iter().map(|key| {
        let created = key.created();
        let tenant = key.tenant.unwrap_or_else(|| "-".to_owned());
        vec![key.access_key, key.user, tenant, created, key.canonical_id]
    });
    let mut columns = Columns::new(["ACCESS KEY", "USER", "TENANT", "CREATED", "CANONICAL ID"]);
    output::line(&columns.page(rows, output.style()))
}

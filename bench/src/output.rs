//! What the reports of all commands begin with, and how they are printed for programs.

use crate::{
    error::{BenchError, Result},
    machine,
};
use serde::Serialize;

/// The machine, what was measured, and a warning if there is one.
pub fn print_heading(title: &str, warning: Option<&str>) {
    println!("{}\n{title}", machine::describe());
    if let Some(warning) = warning {
        println!("WARNING: {warning}");
    }
}

/// A report as JSON.
pub fn print_json(report: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(report);
    println!(
        "{}",
        text.map_err(|error| BenchError::Usage(format!("cannot write JSON: {error}")))?
    );
    Ok(())
}

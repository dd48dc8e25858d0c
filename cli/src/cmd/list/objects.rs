//! The list of a bucket's objects.

use super::{
    ListArgs,
    columns::Column,
    pages::{Listing, Page, Pages},
};
use crate::{
    bucket_name::BucketName,
    client::Client,
    error::{CliError, Result},
    output::{self, Columns, OutputArgs},
};
use serde::Serialize;
use std::io::Write;

/// Prints the objects as they come, page by page.
pub fn print(client: &Client, output: OutputArgs, args: &ListArgs, bucket: &BucketName, prefix: &str) -> Result<()> {
    let listing = Listing {
        prefix: prefix.to_owned(),
        delimiter: args.delimiter.clone().unwrap_or_default(),
        versions: args.versions,
        limit: args.limit,
    };
    let pages = Pages::new(client, bucket, listing);
    match output.is_json() {
        true => print_json(pages),
        false => print_table(pages, output, args),
    }
}

fn print_table(mut pages: Pages<'_>, output: OutputArgs, args: &ListArgs) -> Result<()> {
    let chosen = Column::chosen(&args.props, args.versions);
    let mut columns = Columns::new(chosen.iter().map(|column| column.heading()));
    if let Some(place) = chosen.iter().position(|column| *column == Column::Size) {
        columns = columns.right(place);
    }
    if args.no_heading {
        columns = columns.without_heading();
    }
    while let Some(page) = pages.next()? {
        let text = columns.page(rows(&page, &chosen), output.style());
        if !text.is_empty() {
            output::line(&text)?;
        }
    }
    Ok(())
}

/// Objects and prefixes in the order of their names.
fn rows(page: &Page, columns: &[Column]) -> Vec<Vec<String>> {
    let mut rows = Vec::with_capacity(page.objects.len() + page.prefixes.len());
    let mut prefixes = page.prefixes.iter().peekable();
    let of_prefix = |prefix: &String| columns.iter().map(|column| column.of_prefix(prefix)).collect();
    for object in &page.objects {
        while let Some(prefix) = prefixes.next_if(|prefix| **prefix < object.name) {
            rows.push(of_prefix(prefix));
        }
        rows.push(columns.iter().map(|column| column.of(object)).collect());
    }
    rows.extend(prefixes.map(of_prefix));
    rows
}

/// One document, written as the pages come: `{"objects":[..],"prefixes":[..]}`.
fn print_json(mut pages: Pages<'_>) -> Result<()> {
    // The first page tells whether there is anything to list at all.
    let mut page = pages.next()?;
    let mut stdout = std::io::stdout().lock();
    let mut write = |text: &str| {
        stdout
            .write_all(text.as_bytes())
            .map_err(|error| CliError::output(&error))
    };
    let mut prefixes = Vec::new();
    let mut separator = "";
    write("{\"objects\":[")?;
    while let Some(of_page) = page {
        for object in &of_page.objects {
            write(separator)?;
            write(&text_of(object)?)?;
            separator = ",\n";
        }
        prefixes.extend(of_page.prefixes);
        page = pages.next()?;
    }
    write("],\"prefixes\":")?;
    write(&text_of(&prefixes)?)?;
    write("}\n")?;
    stdout.flush().map_err(|error| CliError::output(&error))
}

fn text_of(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| CliError::failed(format!("cannot write the answer: {error}")))
}

//! Tables without lines, as `ls -l` and `kubectl get` have them: other tools can cut them.

use super::Style;
use comfy_table::{CellAlignment, ColumnConstraint, Table, Width, presets::NOTHING};

/// Spaces between two columns.
const GAP: u16 = 2;

/// A table that may come in pages: the heading is written once, and a column never gets narrower.
#[derive(Debug)]
pub struct Columns {
    headings: Vec<&'static str>,
    /// Columns of numbers, by their place.
    right: Vec<usize>,
    widths: Vec<u16>,
    headed: bool,
}

impl Columns {
    /// With these headings, in capitals.
    pub fn new(headings: impl IntoIterator<Item = &'static str>) -> Self {
        let headings: Vec<&'static str> = headings.into_iter().collect();
        Self {
            widths: vec![0; headings.len()],
            right: Vec::new(),
            headings,
            headed: false,
        }
    }

    /// The column at this place has its values to the right, as numbers have them.
    #[must_use]
    pub fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    /// No heading.
    #[must_use]
    pub fn without_heading(mut self) -> Self {
        self.headed = true;
        self
    }

    /// The text of the next rows, without the last line's end; with the heading before the first ones. Empty if there is
    /// nothing to write.
    pub fn page(&mut self, rows: impl IntoIterator<Item = Vec<String>>, style: Style) -> String {
        let mut table = bare();
        let with_heading = !self.headed;
        if with_heading {
            table.add_row(self.headings.clone());
            self.headed = true;
        }
        for row in rows {
            table.add_row(row);
        }
        for (index, width) in self.widths.iter_mut().enumerate() {
            let Some(column) = table.column_mut(index) else {
                continue;
            };
            column.set_padding((0, GAP));
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(*width + GAP)));
            if self.right.contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for (width, content) in self.widths.iter_mut().zip(table.column_max_content_widths()) {
            *width = (*width).max(content);
        }
        let mut lines = lines(&table);
        if let (true, Some(first)) = (with_heading, lines.first_mut()) {
            *first = style.bold(first);
        }
        lines.join("\n")
    }
}

/// Names and values, a pair a line, without the last line's end.
pub fn pairs<N: ToString, V: ToString>(rows: impl IntoIterator<Item = (N, V)>) -> String {
    let mut table = bare();
    for (name, value) in rows {
        table.add_row([name.to_string(), value.to_string()]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    lines(&table).join("\n")
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}

/// The lines of a table, without spaces at their ends.
fn lines(table: &Table) -> Vec<String> {
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Columns, pairs};
    use crate::output::Style;

    fn row(name: &str, size: &str) -> Vec<String> {
        vec![name.to_owned(), size.to_owned()]
    }

    #[test]
    fn pages_have_one_heading_and_columns_that_line_up() {
        let mut columns = Columns::new(["NAME", "SIZE"]).right(1);
        let first = columns.page([row("a-long-name", "1.00KiB"), row("b", "1B")], Style::plain());
        assert_eq!(
            first,
            "NAME            SIZE\na-long-name  1.00KiB\nb                 1B"
        );
        let second = columns.page([row("c", "12B")], Style::plain());
        assert_eq!(second, "c                12B");
        assert_eq!(columns.page([], Style::plain()), "");
    }

    #[test]
    fn pairs_line_up() {
        assert_eq!(pairs([("a", "1"), ("long", "2")]), "a     1\nlong  2");
    }
}

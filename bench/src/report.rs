//! The report of `compare`: medians of the rounds, ratios, and what to beware of.

use crate::{
    cell::Cell,
    command::Windows,
    error::{BenchError, Result},
    limits::{CLIENT_BOUND_BUSY, IDLE_BUSY_MAX, STRANGERS_BUSY_MAX, WIDE_SPREAD},
    machine,
    measure::{Measured, Spread, median},
    subject::Route,
    table::Table,
};
use serde::Serialize;

/// Everything `compare` found.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: String,
    route: &'static str,
    seconds: u64,
    rounds: u32,
    warnings: Vec<String>,
    /// In the order they ran.
    pub cells: Vec<CellReport>,
}

/// One cell, all rounds.
#[derive(Debug, Serialize)]
pub struct CellReport {
    cell: &'static str,
    clients: usize,
    object_bytes: u64,
    /// By round; empty when nginx ran alone.
    pub corelane: Vec<Measured>,
    /// By round.
    pub nginx: Vec<Measured>,
}

/// Medians over the rounds.
#[derive(Debug, Serialize)]
struct Summary {
    cell: &'static str,
    corelane_requests_per_s: f64,
    corelane_megabytes_per_s: f64,
    nginx_requests_per_s: f64,
    nginx_megabytes_per_s: f64,
    /// Corelane's throughput over nginx's, the median of the rounds' ratios, and the lowest and highest.
    throughput_ratio: Spread,
    corelane_cpu_us: f64,
    nginx_cpu_us: f64,
    /// Corelane's processor time a request over nginx's.
    cpu_ratio: Spread,
    corelane_p99_ms: f64,
    nginx_p99_ms: f64,
    notes: Vec<String>,
}

/// Objects from here on are reported in MB/s, smaller ones in requests/s.
const MEGABYTES_FROM: u64 = 1024 * 1024;

impl Report {
    /// An empty one.
    pub fn new(route: Route, windows: &Windows, warning: Option<String>) -> Self {
        let route = match route {
            Route::Direct => "direct",
            Route::Redirect => "redirect",
            Route::Proxy => "proxy",
        };
        Self {
            machine: machine::describe(),
            route,
            seconds: windows.seconds,
            rounds: windows.rounds,
            warnings: warning.into_iter().collect(),
            cells: Vec::new(),
        }
    }

    /// Prints it to standard output.
    pub fn print(&self, json: bool) -> Result<()> {
        let text = if json { self.json()? } else { self.text() };
        println!("{text}");
        Ok(())
    }

    fn json(&self) -> Result<String> {
        let summary: Vec<Summary> = self.cells.iter().map(CellReport::summary).collect();
        let report = serde_json::json!({ "report": self, "summary": summary });
        serde_json::to_string_pretty(&report).map_err(|error| BenchError::Usage(format!("cannot write JSON: {error}")))
    }

    fn text(&self) -> String {
        let mut table = Table::new(&[
            "cell",
            "clients",
            "unit",
            "corelane",
            "nginx",
            "ratio",
            "(min-max)",
            "cpu us",
            "nginx",
            "ratio",
            "(min-max)",
            "p99 ms",
            "nginx",
            "notes",
        ]);
        for cell in &self.cells {
            table.row(cell.row());
        }
        let mut text = format!(
            "{}\nCorelane ({}) beside nginx, both on processor 0, client on processor 1; {} rounds of {} s, medians\n",
            self.machine, self.route, self.rounds, self.seconds
        );
        for warning in &self.warnings {
            text.push_str(&format!("WARNING: {warning}\n"));
        }
        text.push('\n');
        text.push_str(&table.render());
        text.push_str("\ncpu us: processor time of the server a request. Corelane's PUT is durable and hashed before its answer, nginx's is neither.\n");
        text
    }
}

impl CellReport {
    /// Before its first round.
    pub fn new(cell: &Cell) -> Self {
        Self {
            cell: cell.name,
            clients: cell.clients,
            object_bytes: cell.object_bytes,
            corelane: Vec::new(),
            nginx: Vec::new(),
        }
    }

    fn row(&self) -> Vec<String> {
        let summary = self.summary();
        let (unit, corelane, nginx) = if self.object_bytes >= MEGABYTES_FROM {
            ("MB/s", summary.corelane_megabytes_per_s, summary.nginx_megabytes_per_s)
        } else {
            ("req/s", summary.corelane_requests_per_s, summary.nginx_requests_per_s)
        };
        vec![
            self.cell.to_owned(),
            self.clients.to_string(),
            unit.to_owned(),
            number(corelane, 0),
            number(nginx, 0),
            number(summary.throughput_ratio.median, 2),
            range(&summary.throughput_ratio),
            number(summary.corelane_cpu_us, 1),
            number(summary.nginx_cpu_us, 1),
            number(summary.cpu_ratio.median, 2),
            range(&summary.cpu_ratio),
            number(summary.corelane_p99_ms, 2),
            number(summary.nginx_p99_ms, 2),
            summary.notes.join(", "),
        ]
    }

    fn summary(&self) -> Summary {
        let of = |rounds: &[Measured], value: fn(&Measured) -> f64| median(rounds.iter().map(value));
        let throughput_ratio = self.ratio(|round| round.served.requests_per_s);
        Summary {
            cell: self.cell,
            corelane_requests_per_s: of(&self.corelane, |round| round.served.requests_per_s),
            corelane_megabytes_per_s: of(&self.corelane, |round| round.served.megabytes_per_s),
            nginx_requests_per_s: of(&self.nginx, |round| round.served.requests_per_s),
            nginx_megabytes_per_s: of(&self.nginx, |round| round.served.megabytes_per_s),
            notes: self.notes(&throughput_ratio),
            throughput_ratio,
            corelane_cpu_us: of(&self.corelane, |round| round.server_cpu_us),
            nginx_cpu_us: of(&self.nginx, |round| round.server_cpu_us),
            cpu_ratio: self.ratio(|round| round.server_cpu_us),
            corelane_p99_ms: of(&self.corelane, |round| round.served.p99_ms),
            nginx_p99_ms: of(&self.nginx, |round| round.served.p99_ms),
        }
    }

    /// Rounds are compared pairwise, since what disturbs one server's window often disturbs its neighbour's.
    fn ratio(&self, value: fn(&Measured) -> f64) -> Spread {
        let pairs = self.corelane.iter().zip(&self.nginx);
        Spread::of(pairs.map(|(corelane, nginx)| value(corelane) / value(nginx)))
    }

    fn notes(&self, throughput: &Spread) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, rounds) in [("corelane", &self.corelane), ("nginx", &self.nginx)] {
            let of = |value: fn(&Measured) -> f64| median(rounds.iter().map(value));
            if of(|round| round.client_busy) > CLIENT_BOUND_BUSY {
                notes.push(format!("{name}: client-bound"));
            }
            if of(|round| round.other_busy) > IDLE_BUSY_MAX {
                notes.push(format!("{name}: the other server was not idle"));
            }
            let strangers = of(|round| round.strangers_busy);
            if strangers > STRANGERS_BUSY_MAX {
                notes.push(format!("{name}: disturbed ({strangers:.1} processors)"));
            }
            let reconnects: u64 = rounds.iter().map(|round| round.reconnects).sum();
            if reconnects > 0 {
                notes.push(format!("{name}: {reconnects} reconnects"));
            }
        }
        if throughput.highest > throughput.lowest * WIDE_SPREAD {
            notes.push("noisy".to_owned());
        }
        notes
    }
}

/// Lowest and highest of a spread; empty for none.
pub fn range(spread: &Spread) -> String {
    if !spread.median.is_finite() {
        return String::new();
    }
    format!("({}-{})", number(spread.lowest, 2), number(spread.highest, 2))
}

/// A number with so many decimals, thousands separated; `-` for none.
pub fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or(grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_for_people() {
        assert_eq!(number(1_234_567.4, 0), "1,234,567");
        assert_eq!(number(-123.456, 1), "-123.5");
        assert_eq!(number(999.0, 2), "999.00");
        assert_eq!(number(f64::NAN, 2), "-");
    }
}

//! Progress bars on standard error, if that is a terminal: one for everything, one for each large file.

use crate::output::{printable, size};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::{
    fmt,
    io::{IsTerminal, Write},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How often bars are drawn.
const REDRAW_HZ: u8 = 8;

/// What is drawn for a whole command.
pub struct Progress {
    bars: MultiProgress,
    total: ProgressBar,
    is_drawn: bool,
    /// Objects known of, and objects done.
    known: AtomicU64,
    finished: AtomicU64,
}

/// One file or object on its way.
pub struct Item<'p> {
    progress: &'p Progress,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Drawn on a terminal unless `quiet`.
    pub fn new(quiet: bool) -> Self {
        let is_drawn = !quiet && std::io::stderr().is_terminal();
        let target = match is_drawn {
            true => ProgressDrawTarget::stderr_with_hz(REDRAW_HZ),
            false => ProgressDrawTarget::hidden(),
        };
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(ProgressBar::new(0));
        total.set_style(style("{msg} {bar:24} {done}/{all} {rate} {eta}"));
        if is_drawn {
            total.enable_steady_tick(Duration::from_millis(200));
        }
        Self {
            bars,
            total,
            is_drawn,
            known: AtomicU64::new(0),
            finished: AtomicU64::new(0),
        }
    }

    /// There is another object, of so many bytes.
    pub fn expect(&self, bytes: u64) {
        self.known.fetch_add(1, Ordering::Relaxed);
        self.total.inc_length(bytes);
        self.count();
    }

    /// An object turned out to have so many bytes more than expected.
    pub fn expect_more(&self, bytes: u64) {
        self.total.inc_length(bytes);
    }

    /// A large object begins: it has a bar of its own.
    pub fn begin(&self, name: &str, bytes: u64) -> Item<'_> {
        let bar = self.is_drawn.then(|| {
            let bar = self.bars.insert_before(&self.total, ProgressBar::new(bytes));
            bar.set_style(style("{msg} {bar:24} {done}/{all} {rate} {eta}"));
            bar.set_message(shortened(name));
            bar
        });
        Item { progress: self, bar }
    }

    /// An object without a bar of its own.
    pub fn begin_small(&self) -> Item<'_> {
        Item {
            progress: self,
            bar: None,
        }
    }

    /// An object has come to its end, well or not.
    pub fn end(&self) {
        self.finished.fetch_add(1, Ordering::Relaxed);
        self.count();
    }

    /// Prints something above the bars.
    pub fn print(&self, print: impl FnOnce()) {
        self.bars.suspend(print);
    }

    /// Takes the bars away; `interrupted`: by Ctrl-C.
    pub fn clear(&self, interrupted: bool) {
        self.total.finish_and_clear();
        // Nothing to do about a terminal that cannot be written to.
        let _ = self.bars.clear();
        if self.is_drawn && interrupted {
            // The terminal writes `^C` behind the last bar, whose line is full: it goes to the next line, everything is one
            // line lower than the bars know, and the first one stays behind.
            let _ = write!(std::io::stderr(), "\r\u{1b}[1A\u{1b}[2K");
        }
    }

    fn count(&self) {
        if self.is_drawn {
            let (finished, known) = (
                self.finished.load(Ordering::Relaxed),
                self.known.load(Ordering::Relaxed),
            );
            let files = if known == 1 { "file" } else { "files" };
            self.total
                .set_message(shortened(&format!("{finished}/{known} {files}")));
        }
    }
}

impl Item<'_> {
    /// So many bytes are where they belong.
    pub fn advance(&self, bytes: u64) {
        self.progress.total.inc(bytes);
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }
}

impl Drop for Item<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A template, with sizes as the rest of this program writes them.
fn style(template: &str) -> ProgressStyle {
    let style = match ProgressStyle::with_template(template) {
        Ok(style) => style,
        Err(_) => ProgressStyle::default_bar(),
    };
    style
        .progress_chars("=> ")
        .with_key("done", |state: &ProgressState, out: &mut dyn fmt::Write| {
            write_size(out, state.pos())
        })
        .with_key("all", |state: &ProgressState, out: &mut dyn fmt::Write| {
            write_size(out, state.len().unwrap_or_default());
        })
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{}/s", size(whole(state.per_sec())));
        })
        .with_key("eta", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "ETA {}", duration(state.eta()));
        })
}

fn write_size(out: &mut dyn fmt::Write, bytes: u64) {
    // A terminal's line cannot fail to take text.
    let _ = out.write_str(&size(bytes));
}

/// A rate without its fraction.
fn whole(rate: f64) -> u64 {
    Duration::try_from_secs_f64(rate).map_or(0, |as_seconds| as_seconds.as_secs())
}

/// `1:02:03`, `2:03`.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A name of at most 28 characters: its end says more than its beginning.
fn shortened(name: &str) -> String {
    const CHARS_MAX: usize = 28;
    let name = printable(name);
    let count = name.chars().count();
    match count > CHARS_MAX {
        true => {
            let end: String = name.chars().skip(count - (CHARS_MAX - 1)).collect();
            format!("\u{2026}{end}")
        }
        false => format!("{name:CHARS_MAX$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, shortened};
    use std::time::Duration;

    #[test]
    fn names_are_as_wide_as_their_column() {
        assert_eq!(shortened("a").chars().count(), 28);
        assert_eq!(shortened(&"x/".repeat(40)).chars().count(), 28);
        assert!(shortened("folder/of/something/very/long/name.tar").ends_with("name.tar"));
    }

    #[test]
    fn times_are_short() {
        assert_eq!(duration(Duration::from_secs(5)), "0:05");
        assert_eq!(duration(Duration::from_secs(3723)), "1:02:03");
    }
}

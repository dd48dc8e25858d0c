//! An access log that can be turned on, off and elsewhere while requests are served. Those who serve look at one atomic
//! number; the files are somebody else's, who passes them in.

use super::{
    Format,
    queue::{LineWriter, Lines, queue},
};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    thread::{self, JoinHandle},
};

/// An open log.
pub type Log = Box<dyn Write + Send>;

/// Opens logs, and hears what goes wrong with them.
#[derive(Debug, Clone, Copy)]
pub struct Opener {
    /// Opens a log by its name.
    pub open: fn(&Path) -> io::Result<Log>,
    /// Is told what goes wrong with one.
    pub report: fn(&Path, &io::Error),
}

/// See the module. Clones are the same log.
#[derive(Debug, Clone)]
pub struct Switch {
    lines: Lines,
    shared: Arc<Shared>,
}

struct Shared {
    /// 0: off.
    format: AtomicU8,
    opener: Opener,
    /// Makes the writer look at `place`.
    moved: Arc<AtomicBool>,
    place: Mutex<Place>,
    writer: Mutex<Option<LineWriter>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared(..)")
    }
}

#[derive(Default)]
struct Place {
    path: Option<PathBuf>,
    /// Opened already, for the writer to take.
    next: Option<Log>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Switch {
    /// One that is off.
    pub fn new(opener: Opener) -> Self {
        let (lines, writer) = queue();
        Self {
            lines,
            shared: Arc::new(Shared {
                format: AtomicU8::new(0),
                opener,
                moved: Arc::default(),
                place: Mutex::default(),
                writer: Mutex::new(Some(writer)),
                thread: Mutex::default(),
            }),
        }
    }

    /// How lines are written now; `None`: they are not.
    pub fn format(&self) -> Option<Format> {
        match self.shared.format.load(Ordering::Relaxed) {
            1 => Some(Format::Text),
            2 => Some(Format::Json),
            _ => None,
        }
    }

    /// Puts a line in; see [`Lines::send`].
    pub fn send(&self, line: Vec<u8>) {
        self.lines.send(line);
    }

    /// Lines that were lost; `None`: it is off.
    pub fn dropped(&self) -> Option<u64> {
        self.format().map(|_| self.lines.dropped())
    }

    /// What a signal handler sets to have the log opened again.
    pub fn reopening(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.moved)
    }

    /// Opens a log by its name, for [`Switch::turn_on`].
    pub fn open(&self, path: &Path) -> io::Result<Log> {
        (self.shared.opener.open)(path)
    }

    /// Lines go to this log from here on, which was opened by this name.
    pub fn turn_on(&self, path: &Path, log: Log, format: Format) -> io::Result<()> {
        *lock(&self.shared.place) = Place {
            path: Some(path.to_owned()),
            next: Some(log),
        };
        self.shared.moved.store(true, Ordering::Relaxed);
        self.start()?;
        let format = match format {
            Format::Text => 1,
            Format::Json => 2,
        };
        self.shared.format.store(format, Ordering::Relaxed);
        Ok(())
    }

    /// Lines are no longer written. The file is let go.
    pub fn turn_off(&self) {
        self.shared.format.store(0, Ordering::Relaxed);
        *lock(&self.shared.place) = Place {
            path: None,
            next: Some(Box::new(io::sink())),
        };
        self.shared.moved.store(true, Ordering::Relaxed);
    }

    /// Writes what is left, and ends.
    pub fn close(&self) {
        self.lines.close();
        let thread = lock(&self.shared.thread).take();
        if let Some(thread) = thread {
            // It can only have panicked, and said so.
            let _ = thread.join();
        }
    }

    /// The first log starts the thread that writes.
    fn start(&self) -> io::Result<()> {
        let mut slot = lock(&self.shared.writer);
        let Some(writer) = slot.take() else { return Ok(()) };
        let shared = Arc::clone(&self.shared);
        let body = move || {
            let report = |error: &io::Error| {
                let path = lock(&shared.place).path.clone().unwrap_or_default();
                (shared.opener.report)(&path, error);
            };
            writer.run(Box::new(io::sink()) as Log, || shared.next(), &shared.moved, report);
        };
        let thread = thread::Builder::new().name("access-log".to_owned()).spawn(body)?;
        *lock(&self.shared.thread) = Some(thread);
        Ok(())
    }
}

impl Shared {
    fn next(&self) -> io::Result<Log> {
        let mut place = lock(&self.place);
        match (place.next.take(), place.path.clone()) {
            (Some(next), _) => Ok(next),
            (None, Some(path)) => (self.opener.open)(&path),
            (None, None) => Ok(Box::new(io::sink())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Format, Log, Opener, Switch};
    use std::{
        io::{self, Write},
        path::Path,
        sync::{Arc, Mutex, atomic::Ordering},
    };

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
        fn wait_for(&self, text: &str) {
            while !self.text().contains(text) {
                std::thread::yield_now();
            }
        }
    }

    fn closed(_: &Path) -> io::Result<Log> {
        Err(io::ErrorKind::NotFound.into())
    }

    #[test]
    fn lines_go_where_the_switch_says() {
        let switch = Switch::new(Opener {
            open: closed,
            report: |_, _| {},
        });
        assert_eq!((switch.format(), switch.dropped()), (None, None));
        let (one, other) = (Page::default(), Page::default());
        switch
            .turn_on(Path::new("one"), Box::new(one.clone()), Format::Text)
            .unwrap();
        assert_eq!(switch.format(), Some(Format::Text));
        switch.send(b"first\n".to_vec());
        one.wait_for("first");
        switch
            .turn_on(Path::new("other"), Box::new(other.clone()), Format::Json)
            .unwrap();
        assert_eq!(switch.format(), Some(Format::Json));
        switch.send(b"second\n".to_vec());
        other.wait_for("second");
        // A file that cannot be opened again is kept.
        switch.reopening().store(true, Ordering::Relaxed);
        switch.send(b"third\n".to_vec());
        other.wait_for("third");
        assert_eq!(switch.dropped(), Some(0));
        switch.turn_off();
        assert_eq!(switch.format(), None);
        switch.close();
        assert_eq!(one.text(), "first\n");
        assert_eq!(other.text(), "second\nthird\n");
    }
}

//! The embedded store: redb on a thread of its own, since a durable commit blocks. Waiting transactions share one commit.

use super::{
    Change, CommitError, LocalFuture, MetaStore, Observer, Pairs, StoreError,
    mailbox::{Receiver, Sender, mailbox},
};
use crate::{
    limits::{BUSY_RETRY_TIME, COMMIT_BATCH_MAX, STORE_CACHE_BYTES},
    rt,
};
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError};
use std::{
    cell::RefCell,
    io,
    path::Path,
    rc::Rc,
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The only table: every value is small and under a string key.
const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("corelane-meta-v1");

/// Where the result of a transaction goes.
type Reply = Sender<Result<(), CommitError>>;

enum Request {
    Scan(Sender<Result<Pairs, StoreError>>),
    Commit(Vec<Change>, Reply),
}

/// A transaction that was decided: what it changed, and who waits for it.
struct Decided {
    changes: Vec<Change>,
    result: Result<(), CommitError>,
    reply: Reply,
}

/// The store's handle on the gateway's thread.
pub struct RedbStore {
    requests: Option<mpsc::Sender<Request>>,
    observer: Rc<RefCell<Option<Observer>>>,
    thread: Option<JoinHandle<()>>,
}

impl RedbStore {
    /// Opens or creates `directory/meta.redb` and starts its thread. A file that another process still holds is
    /// retried: after a kill the kernel lets go of it late.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("meta.redb");
        let database = prepare(directory, &path)
            .and_then(|()| open_retrying(&path))
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => StoreError(format!(
                    "{} is in use: stop the gateway that uses it, or give another --state directory",
                    path.display()
                )),
                error => StoreError(format!("{}: {error}", path.display())),
            })?;
        let (requests, incoming) = mpsc::channel();
        let (decided, mut outcomes) = mailbox();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || serve(&database, &incoming, &decided))
            .map_err(|error| StoreError(error.to_string()))?;
        let observer: Rc<RefCell<Option<Observer>>> = Rc::default();
        let observing = Rc::clone(&observer);
        rt::spawn(async move { deliver(&mut outcomes, &observing).await });
        Ok(Self {
            requests: Some(requests),
            observer,
            thread: Some(thread),
        })
    }
    fn send(&self, request: Request) -> Result<(), StoreError> {
        self.requests
            .as_ref()
            .and_then(|requests| requests.send(request).ok())
            .ok_or_else(|| StoreError("its thread has ended".to_owned()))
    }
}

impl Drop for RedbStore {
    /// Waits for the thread, so that the database is closed in order.
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl MetaStore for RedbStore {
    fn scan(&self) -> LocalFuture<Result<Pairs, StoreError>> {
        let (reply, mut answer) = mailbox();
        let sent = self.send(Request::Scan(reply));
        Box::pin(async move {
            sent?;
            let ended = || StoreError("its thread has ended".to_owned());
            answer.receive().await.ok_or_else(ended)?
        })
    }
    fn commit(&self, changes: Vec<Change>) -> LocalFuture<Result<(), CommitError>> {
        let (reply, mut answer) = mailbox();
        let sent = self.send(Request::Commit(changes, reply));
        Box::pin(async move {
            sent?;
            let ended = || StoreError("its thread has ended".to_owned());
            answer.receive().await.ok_or_else(ended)?
        })
    }
    fn watch(&self, observer: Observer) {
        *self.observer.borrow_mut() = Some(observer);
    }
}

/// Tells the observer first and the waiting task second, whether or not that task still exists.
async fn deliver(outcomes: &mut Receiver<Decided>, observer: &RefCell<Option<Observer>>) {
    while let Some(decided) = outcomes.receive().await {
        if decided.result.is_ok()
            && let Some(observer) = observer.borrow().as_ref()
        {
            observer(&decided.changes);
        }
        decided.reply.send(decided.result);
    }
}

/// Makes a store that is not there yet under another name, and renames it when it is whole: redb takes a file for none
/// of its own, and refuses it for ever, when it was killed before it wrote the magic number, which it does last.
fn prepare(directory: &Path, path: &Path) -> Result<(), DatabaseError> {
    let failed = |error| DatabaseError::Storage(StorageError::Io(error));
    if path.try_exists().map_err(failed)? {
        return Ok(());
    }
    let unfinished = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    drop(Database::builder().create(&unfinished)?);
    std::fs::rename(&unfinished, path)
        .and_then(|()| std::fs::File::open(directory)?.sync_all())
        .map_err(failed)
}

fn open_retrying(path: &Path) -> Result<Database, DatabaseError> {
    let deadline = Instant::now() + BUSY_RETRY_TIME;
    loop {
        match Database::builder().set_cache_size(STORE_CACHE_BYTES).create(path) {
            Err(DatabaseError::DatabaseAlreadyOpen) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(100));
            }
            other => return other,
        }
    }
}

/// The thread's loop.
fn serve(database: &Database, incoming: &mpsc::Receiver<Request>, decided: &Sender<Decided>) {
    while let Ok(first) = incoming.recv() {
        let mut commits = Vec::new();
        for request in std::iter::once(first).chain(incoming.try_iter().take(COMMIT_BATCH_MAX - 1)) {
            match request {
                Request::Scan(reply) => reply.send(scan(database).map_err(|error| StoreError(error.to_string()))),
                Request::Commit(changes, reply) => commits.push((changes, reply)),
            }
        }
        if !commits.is_empty() {
            for outcome in commit_batch(database, commits) {
                decided.send(outcome);
            }
        }
    }
}

fn scan(database: &Database) -> Result<Pairs, redb::Error> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(TABLE) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut pairs = Vec::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        pairs.push((key.value().to_owned(), value.value().to_vec()));
    }
    Ok(pairs)
}

/// Decides every transaction of a batch in order and commits those that apply, together.
fn commit_batch(database: &Database, commits: Vec<(Vec<Change>, Reply)>) -> Vec<Decided> {
    let attempt = || -> Result<Vec<bool>, redb::Error> {
        let transaction = database.begin_write()?;
        let mut applied = Vec::with_capacity(commits.len());
        {
            let mut table = transaction.open_table(TABLE)?;
            for (changes, _) in &commits {
                applied.push(apply(&mut table, changes)?);
            }
        }
        transaction.commit()?;
        Ok(applied)
    };
    let outcome = attempt().map_err(|error| StoreError(error.to_string()));
    if let Err(error) = &outcome {
        tracing::error!(%error, "metadata commit");
    }
    commits
        .into_iter()
        .enumerate()
        .map(|(index, (changes, reply))| Decided {
            changes,
            result: match &outcome {
                Ok(applied) if applied.get(index) == Some(&true) => Ok(()),
                Ok(_) => Err(CommitError::Conflict),
                Err(error) => Err(CommitError::Store(error.clone())),
            },
            reply,
        })
        .collect()
}

/// Applies one transaction if every key holds what it expects.
fn apply(table: &mut redb::Table<'_, &'static str, &'static [u8]>, changes: &[Change]) -> Result<bool, redb::Error> {
    for change in changes {
        let current = table.get(change.key.as_str())?;
        if current.as_ref().map(|guard| guard.value()) != change.expected.as_deref() {
            return Ok(false);
        }
    }
    for change in changes {
        match &change.value {
            Some(value) => drop(table.insert(change.key.as_str(), value.as_slice())?),
            None => drop(table.remove(change.key.as_str())?),
        }
    }
    Ok(true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::RedbStore;
    use crate::{
        rt,
        store::{Change, CommitError, MetaStore},
        testing::TemporaryDirectory,
    };
    use std::{cell::RefCell, rc::Rc};

    fn change(key: &str, expected: Option<&str>, value: Option<&str>) -> Change {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        Change {
            key: key.to_owned(),
            expected: bytes(expected),
            value: bytes(value),
        }
    }

    #[test]
    fn transactions_compare_swap_and_survive() {
        let directory = TemporaryDirectory::new();
        rt::run(async {
            let store = RedbStore::open(directory.path()).unwrap();
            let seen = Rc::new(RefCell::new(Vec::new()));
            let observed = Rc::clone(&seen);
            store.watch(Box::new(move |changes| {
                observed.borrow_mut().extend_from_slice(changes)
            }));
            store
                .commit(vec![change("a", None, Some("1")), change("b", None, Some("2"))])
                .await
                .unwrap();
            assert_eq!(seen.borrow().len(), 2);
            // One stale expectation refuses the whole transaction.
            let refused = store
                .commit(vec![change("a", Some("1"), None), change("b", None, Some("3"))])
                .await;
            assert!(matches!(refused, Err(CommitError::Conflict)));
            assert_eq!(seen.borrow().len(), 2);
            store.commit(vec![change("a", Some("1"), None)]).await.unwrap();
        })
        .unwrap();
        rt::run(async {
            let store = RedbStore::open(directory.path()).unwrap();
            assert_eq!(store.scan().await.unwrap(), [("b".to_owned(), b"2".to_vec())]);
        })
        .unwrap();
    }

    #[test]
    fn of_concurrent_creations_one_wins() {
        let directory = TemporaryDirectory::new();
        rt::run(async {
            let store = RedbStore::open(directory.path()).unwrap();
            let waiting: Vec<_> = (0..20)
                .map(|n| store.commit(vec![change("k", None, Some(&n.to_string()))]))
                .collect();
            let mut won = 0;
            for outcome in waiting {
                won += usize::from(outcome.await.is_ok());
            }
            assert_eq!(won, 1);
        })
        .unwrap();
    }
}

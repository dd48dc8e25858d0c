//! The index database on threads of its own: one writes, one reads, so that a merge holds no lookup up and the core
//! never waits for a disk.

use super::{
    database::{Database, DatabaseError},
    entry::{IndexKey, Latest},
};
use crate::{
    completion::{RemoteGiver, RemoteReceiver, remote_completion},
    error::StoreError,
};
use std::{
    cell::RefCell,
    io,
    sync::{
        Arc, PoisonError, RwLock,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

type Task = Box<dyn FnOnce(&Slot) + Send>;
type LookupGiver = RemoteGiver<Result<Option<Latest>, DatabaseError>>;

/// What a thread is asked to do.
enum Job {
    /// Look a key up; those that wait together share a transaction.
    Lookup(IndexKey, LookupGiver),
    /// Anything else.
    Task(Task),
}

/// Lookups that share one transaction.
const LOOKUPS_TOGETHER_MAX: usize = 256;

/// Opens the database again.
pub type Reopen = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// The database, opened again when it has failed: after an error, such as a full disk, redb refuses everything.
struct Slot {
    database: RwLock<Option<Database>>,
    reopen: Reopen,
}

impl Slot {
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        self.open_if_closed()?;
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = database.as_ref() else {
            return Err(DatabaseError::Io("it has failed and is opened again".to_owned()));
        };
        let result = work(open);
        let has_failed = result.is_err() && open.has_failed();
        drop(database);
        if has_failed {
            // Closed with nobody in it, so that it is not open twice.
            self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        }
        result
    }

    fn open_if_closed(&self) -> Result<(), DatabaseError> {
        if self.database.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if database.is_none() {
            *database = Some((self.reopen)()?);
        }
        Ok(())
    }
}

/// The two threads. Dropped, they finish what they were asked and end.
pub struct IndexThreads {
    reader: Worker,
    writer: Worker,
}

struct Worker {
    jobs: RefCell<Option<Sender<Job>>>,
    thread: RefCell<Option<JoinHandle<()>>>,
}

impl IndexThreads {
    /// Starts both for a database that was opened.
    pub fn start(database: Database, reopen: Reopen) -> io::Result<Self> {
        let slot = Arc::new(Slot {
            database: RwLock::new(Some(database)),
            reopen,
        });
        Ok(Self {
            reader: Worker::start("index-reader", Arc::clone(&slot))?,
            writer: Worker::start("index-writer", slot)?,
        })
    }

    /// What the database says of a key; tombstones too.
    pub async fn lookup(&self, key: IndexKey) -> Result<Option<Latest>, StoreError> {
        let (giver, receiver) = remote_completion();
        self.reader.send(Job::Lookup(key, giver))?;
        answer(receiver).await
    }

    /// Reads something else.
    pub async fn read<T: Send + 'static>(
        &self,
        task: impl FnOnce(&Database) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.reader.call(task).await
    }

    /// Writes, or does what may take long: nobody's lookup waits for this thread.
    pub async fn write<T: Send + 'static>(
        &self,
        task: impl FnOnce(&Database) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.call(task).await
    }

    /// Ends both threads when they have done what they were asked; the database is closed then.
    pub fn stop(&self) {
        self.reader.stop();
        self.writer.stop();
    }
}

impl Drop for IndexThreads {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Worker {
    fn start(name: &str, slot: Arc<Slot>) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            leave_the_core();
            run(&receiver, &slot);
        })?;
        Ok(Self {
            jobs: RefCell::new(Some(sender)),
            thread: RefCell::new(Some(thread)),
        })
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        let sent = self.jobs.borrow().as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if sent { Ok(()) } else { Err(ended()) }
    }

    async fn call<T: Send + 'static>(
        &self,
        task: impl FnOnce(&Database) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (giver, receiver) = remote_completion();
        self.send(Job::Task(Box::new(move |slot| giver.give(slot.with(task)))))?;
        answer(receiver).await
    }

    fn stop(&self) {
        self.jobs.borrow_mut().take();
        if let Some(thread) = self.thread.borrow_mut().take()
            && thread.join().is_err()
        {
            tracing::error!("an index thread failed");
        }
    }
}

async fn answer<T>(receiver: RemoteReceiver<Result<T, DatabaseError>>) -> Result<T, StoreError> {
    match receiver.wait().await {
        Some(result) => result.map_err(StoreError::from),
        None => Err(ended()),
    }
}

fn ended() -> StoreError {
    StoreError::Unavailable("its index has ended".to_owned())
}

/// Lets this thread run on all processors of the process. A thread inherits the one processor of the core that starts it; there it would take the core's time.
pub fn leave_the_core() {
    let of_process = rustix::process::getpid();
    if let Ok(allowed) = rustix::thread::sched_getaffinity(Some(of_process)) {
        // Without it the thread still works, on the core's processor.
        let _ = rustix::thread::sched_setaffinity(None, &allowed);
    }
}

fn run(jobs: &Receiver<Job>, slot: &Slot) {
    while let Ok(job) = jobs.recv() {
        let mut next = Some(job);
        while let Some(job) = next.take() {
            match job {
                Job::Task(task) => task(slot),
                Job::Lookup(key, giver) => {
                    let (mut keys, mut givers) = (vec![key], vec![giver]);
                    while keys.len() < LOOKUPS_TOGETHER_MAX {
                        match jobs.try_recv() {
                            Ok(Job::Lookup(key, giver)) => {
                                keys.push(key);
                                givers.push(giver);
                            }
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    answer_lookups(slot, &keys, givers);
                }
            }
        }
    }
}

fn answer_lookups(slot: &Slot, keys: &[IndexKey], givers: Vec<LookupGiver>) {
    match slot.with(|database| database.lookup(keys)) {
        Ok(found) => givers
            .into_iter()
            .zip(found)
            .for_each(|(giver, found)| giver.give(Ok(found))),
        Err(error) => givers.into_iter().for_each(|giver| giver.give(Err(error.clone()))),
    }
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::NoSpace => Self::NoSpace,
            DatabaseError::Damaged(reason) => Self::IndexDamaged(reason),
            DatabaseError::Io(reason) => Self::Unavailable(format!("its index cannot be read or written: {reason}")),
        }
    }
}

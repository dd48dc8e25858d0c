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
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

type Task = Box<dyn FnOnce(&Database) + Send>;
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
    pub fn start(database: Database) -> io::Result<Self> {
        let database = Arc::new(database);
        Ok(Self {
            reader: Worker::start("index-reader", Arc::clone(&database))?,
            writer: Worker::start("index-writer", database)?,
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
    fn start(name: &str, database: Arc<Database>) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            leave_the_core();
            run(&receiver, &database);
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
        self.send(Job::Task(Box::new(move |database| giver.give(task(database)))))?;
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

fn run(jobs: &Receiver<Job>, database: &Database) {
    while let Ok(job) = jobs.recv() {
        let mut next = Some(job);
        while let Some(job) = next.take() {
            match job {
                Job::Task(task) => task(database),
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
                    answer_lookups(database, &keys, givers);
                }
            }
        }
    }
}

fn answer_lookups(database: &Database, keys: &[IndexKey], givers: Vec<LookupGiver>) {
    match database.lookup(keys) {
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

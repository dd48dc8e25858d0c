//! The processes of a store: started beside each other in this process group, watched together with the signals,
//! and ended together.

use super::{
    credentials::{ACCESS_KEY_VARIABLE, SECRET_KEY_VARIABLE},
    ready,
};
use crate::{
    error::{CliError, Result},
    limits::{DRAIN, GATEWAY_DRAIN, READY_LINE_BYTES_MAX},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, getpid, getppid, pidfd_open, pidfd_send_signal, set_parent_process_death_signal,
    },
};
use serde::de::DeserializeOwned;
use std::{
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// What a child is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `corelane-gateway`.
    Gateway,
    /// `corelane-node`.
    Node,
}

impl Role {
    fn program(self) -> &'static str {
        match self {
            Self::Gateway => "corelane-gateway",
            Self::Node => "corelane-node",
        }
    }
}

/// Why a wait ended before what it waited for.
#[derive(Debug)]
pub enum Interrupted {
    /// SIGINT or SIGTERM: stop, without a complaint.
    Signal,
    /// Something failed.
    Failed(CliError),
}

impl From<CliError> for Interrupted {
    fn from(error: CliError) -> Self {
        Self::Failed(error)
    }
}

/// A running child.
struct Running {
    role: Role,
    child: Child,
    /// Readable once the child has ended; signals to it cannot reach another process that got its id.
    pidfd: OwnedFd,
    /// What it printed before `READY` was complete.
    printed: Vec<u8>,
    is_ready: bool,
}

/// What a wait may report.
enum Event {
    Signal,
    /// SIGHUP.
    Hangup,
    Ended(Role, ExitStatus),
    Ready(Role, String),
    TimeOut,
}

/// The store's processes and the signals to this one.
pub struct Children {
    signals: UnixStream,
    hangups: UnixStream,
    /// Open without a signal too: its end would be something to read.
    _hangup_writer: UnixStream,
    has_terminal: bool,
    running: Vec<Running>,
}

/// Finds a program of the store beside this executable.
pub fn find_beside_me(program: &str) -> Result<PathBuf> {
    let me = std::env::current_exe()
        .map_err(|error| CliError::failed(format!("cannot find this executable's own directory: {error}")))?;
    let path = me.with_file_name(program);
    if path.is_file() {
        return Ok(path);
    }
    Err(CliError::failed(format!(
        "{program} is not beside {}; build the whole workspace (`cargo build --release`) or install both together",
        me.display()
    )))
}

impl Children {
    /// From here on SIGINT and SIGTERM are events, not the end of the process; SIGHUP too: it has the children read their
    /// certificate and open their access log again.
    pub fn new() -> Result<Self> {
        // Asked first: taking the signal over takes what `nohup` did away.
        let outlives_terminal = ignores_hangup();
        let (signals, _) = events_of(&[signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM])?;
        let (hangups, hangup_writer) = events_of(&[signal_hook::consts::SIGHUP])?;
        Ok(Self {
            signals,
            hangups,
            _hangup_writer: hangup_writer,
            has_terminal: has_terminal() && !outlives_terminal,
            running: Vec::new(),
        })
    }

    /// Starts a child that ends when this process does, however it ends.
    pub fn spawn(&mut self, role: Role, mut command: Command) -> Result<()> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .env_remove(ACCESS_KEY_VARIABLE)
            .env_remove(SECRET_KEY_VARIABLE);
        die_with_parent(&mut command);
        let failed = |error: io::Error| CliError::failed(format!("cannot start {}: {error}", role.program()));
        let child = command.spawn().map_err(failed)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| failed(io::Error::other("it has no process id")))?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| failed(errno.into()))?;
        self.running.push(Running {
            role,
            child,
            pidfd,
            printed: Vec::new(),
            is_ready: false,
        });
        Ok(())
    }

    /// Waits, without a limit (recovery of a large store takes its time), for a child's `READY` line.
    pub fn wait_for_ready<T: DeserializeOwned>(&mut self, role: Role) -> std::result::Result<T, Interrupted> {
        loop {
            match self.next_event(None).map_err(cannot_watch)? {
                Event::Ready(from, line) if from == role => {
                    let json = line.strip_prefix(ready::PREFIX).unwrap_or_default();
                    return serde_json::from_str(json).map_err(|_| {
                        Interrupted::Failed(CliError::failed(format!(
                            "{} is of another version than this program (it said {line:?}); install both together",
                            role.program()
                        )))
                    });
                }
                Event::Ended(role, status) => return Err(ended_early(role, status).into()),
                Event::Signal => return Err(Interrupted::Signal),
                // They read it as they start.
                Event::Hangup | Event::Ready(..) | Event::TimeOut => {}
            }
        }
    }

    /// Waits for `pause` unless something ends the wait for good.
    pub fn pause(&mut self, pause: Duration) -> std::result::Result<(), Interrupted> {
        match self.next_event(Some(Instant::now() + pause)).map_err(cannot_watch)? {
            Event::Ended(role, status) => Err(ended_early(role, status).into()),
            Event::Signal => Err(Interrupted::Signal),
            Event::Hangup | Event::Ready(..) | Event::TimeOut => Ok(()),
        }
    }

    /// Waits for a signal (success) or the end of a child (failure).
    pub fn wait_for_end(&mut self) -> Result<()> {
        loop {
            match self.next_event(None).map_err(cannot_watch)? {
                Event::Signal => return Ok(()),
                // The terminal was closed: with it the store ends.
                Event::Hangup if self.has_terminal && !has_terminal() => return Ok(()),
                Event::Hangup => {
                    self.signal(Role::Gateway, Signal::HUP);
                    self.signal(Role::Node, Signal::HUP);
                }
                Event::Ended(role, status) => {
                    return Err(CliError::failed(format!(
                        "{} ended ({}), so the store stops; its log above says why. Start it again with `corelane serve`",
                        role.program(),
                        describe(status)
                    )));
                }
                Event::Ready(..) | Event::TimeOut => {}
            }
        }
    }

    /// Asks the children to finish their requests, the gateway first because its requests need the node; kills what is
    /// left at the end of the time, or at a further signal.
    pub fn shut_down(&mut self) {
        let deadline = Instant::now() + DRAIN;
        self.signal(Role::Gateway, Signal::TERM);
        let patient = self.wait_while(Instant::now() + GATEWAY_DRAIN, |running| {
            running.iter().any(|child| child.role == Role::Gateway)
        });
        self.signal(Role::Node, Signal::TERM);
        if patient {
            self.wait_while(deadline, |running| !running.is_empty());
        }
        for mut running in self.running.drain(..) {
            eprintln!(
                "warning: {} did not finish in time and is killed",
                running.role.program()
            );
            // It may have ended in this very moment, which is as good.
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }

    /// Whether the wait was not cut short by a signal.
    fn wait_while(&mut self, deadline: Instant, condition: impl Fn(&[Running]) -> bool) -> bool {
        while condition(&self.running) {
            match self.next_event(Some(deadline)) {
                Ok(Event::Signal) => return false,
                Ok(Event::TimeOut) | Err(_) => return true,
                Ok(Event::Ended(..) | Event::Hangup | Event::Ready(..)) => {}
            }
        }
        true
    }

    fn signal(&self, role: Role, signal: Signal) {
        for running in self.running.iter().filter(|running| running.role == role) {
            // One that has ended already needs no signal.
            let _ = pidfd_send_signal(&running.pidfd, signal);
        }
    }

    fn next_event(&mut self, deadline: Option<Instant>) -> io::Result<Event> {
        loop {
            let timeout = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let Some(readable) = self.poll(timeout)? else {
                return Ok(Event::TimeOut);
            };
            if readable.signal {
                let mut bytes = [0; 64];
                // One event however many signals came together: a terminal's Ctrl-C is one wish.
                let _ = self.signals.read(&mut bytes)?;
                return Ok(Event::Signal);
            }
            if readable.hangup {
                let _ = self.hangups.read(&mut [0; 64])?;
                return Ok(Event::Hangup);
            }
            for (index, is_readable) in readable.outputs.iter().enumerate() {
                let Some(running) = self.running.get_mut(index).filter(|_| *is_readable) else {
                    continue;
                };
                if let Some(line) = running.read_ready_line()? {
                    return Ok(Event::Ready(running.role, line));
                }
            }
            for (index, has_ended) in readable.ends.iter().enumerate() {
                if !has_ended {
                    continue;
                }
                let Some(status) = self
                    .running
                    .get_mut(index)
                    .map(|running| running.child.wait())
                    .transpose()?
                else {
                    continue;
                };
                return Ok(Event::Ended(self.running.remove(index).role, status));
            }
        }
    }

    /// What can be read without waiting; `None` when the time is over.
    fn poll(&self, timeout: Option<Duration>) -> io::Result<Option<Readable>> {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let count = self.running.len();
        let mut fds = vec![
            PollFd::new(&self.signals, PollFlags::IN),
            PollFd::new(&self.hangups, PollFlags::IN),
        ];
        fds.extend(
            self.running
                .iter()
                .map(|running| PollFd::new(&running.pidfd, PollFlags::IN)),
        );
        fds.extend(self.running.iter().map(|running| match &running.child.stdout {
            Some(stdout) if !running.is_ready => PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::IN),
            // Nothing to read there: a place holder that asks for nothing keeps the order.
            _ => PollFd::new(&self.signals, PollFlags::empty()),
        }));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Some(Readable::default())),
            Err(errno) => return Err(errno.into()),
        }
        let mut happened = fds.iter().map(|fd| !fd.revents().is_empty());
        Ok(Some(Readable {
            signal: happened.next().unwrap_or(false),
            hangup: happened.next().unwrap_or(false),
            ends: happened.by_ref().take(count).collect(),
            outputs: happened.collect(),
        }))
    }
}

/// What a poll found.
#[derive(Default)]
struct Readable {
    signal: bool,
    hangup: bool,
    ends: Vec<bool>,
    outputs: Vec<bool>,
}

impl Running {
    /// Reads what is there; the line once it is complete. The pipe stays open: a child must not die of it.
    fn read_ready_line(&mut self) -> io::Result<Option<String>> {
        let Some(stdout) = self.child.stdout.as_mut() else {
            return Ok(None);
        };
        let mut bytes = [0; 4096];
        let count = stdout.read(&mut bytes)?;
        self.printed.extend_from_slice(bytes.get(..count).unwrap_or_default());
        if let Some(end) = self.printed.iter().position(|byte| *byte == b'\n') {
            self.is_ready = true;
            let line = self.printed.get(..end).unwrap_or_default();
            return Ok(Some(String::from_utf8_lossy(line).into_owned()));
        }
        if count == 0 || self.printed.len() > READY_LINE_BYTES_MAX {
            // It closed its output or talks nonsense; its end, or the wait for health, tells the rest.
            self.is_ready = true;
        }
        Ok(None)
    }
}

/// A socket with something to read each time one of the signals comes, and its other end.
fn events_of(signals: &[i32]) -> Result<(UnixStream, UnixStream)> {
    let (events, writer) = UnixStream::pair().map_err(cannot_watch)?;
    for &signal in signals {
        let writer = writer.try_clone().map_err(cannot_watch)?;
        signal_hook::low_level::pipe::register(signal, writer).map_err(cannot_watch)?;
    }
    Ok((events, writer))
}

/// Whether this process was started to outlive its terminal.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is the first.
    ignored.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1))
}

/// Whether this process belongs to a terminal that is there.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// The kernel kills the child when this thread, the main one, is gone: a killed `serve` leaves nothing behind.
#[allow(unsafe_code)]
fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    let in_child = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the line above; nothing would tell.
        if getppid() == Some(parent) {
            Ok(())
        } else {
            Err(Errno::SRCH.into())
        }
    };
    // SAFETY: between fork and exec the closure only makes two system calls; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(in_child) };
}

/// A child that ends with code 1 before it was ready has printed its own `error: ` line.
fn ended_early(role: Role, status: ExitStatus) -> CliError {
    if status.code() == Some(1) {
        return CliError::Reported;
    }
    CliError::failed(format!(
        "{} ended before it was ready ({}); run with CORELANE_LOG=debug to see more",
        role.program(),
        describe(status)
    ))
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

fn cannot_watch(error: io::Error) -> CliError {
    CliError::failed(format!("cannot watch the store's processes: {error}"))
}

//! A relay between a client and a store that flips a bit, or holds bytes back, at a given place.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
};

/// What happens on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mischief {
    /// A bit of the byte with this number, on every connection, towards the store.
    FlipUp(u64),
    /// The same towards the client.
    FlipDown(u64),
    /// After so many bytes towards the store, on all connections together, nothing passes any more that way.
    HoldUp(u64),
    /// The same towards the client.
    HoldDown(u64),
    /// Every connection ends after so many bytes towards the client.
    CutDown(u64),
}

/// A relay. It listens until the process ends.
#[derive(Debug)]
pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    mischief: Option<Mischief>,
    up: u64,
    down: u64,
    holds: bool,
}

/// Where bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

impl Relay {
    /// Before a port of this machine.
    pub fn start(port: u16, mischief: Mischief) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own_port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                mischief: Some(mischief),
                up: 0,
                down: 0,
                holds: false,
            }),
            changed: Condvar::new(),
        });
        let of_listener = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let store = TcpStream::connect(("127.0.0.1", port)).unwrap();
                for (from, to, way) in [
                    (client.try_clone().unwrap(), store.try_clone().unwrap(), Way::Up),
                    (store, client, Way::Down),
                ] {
                    let shared = Arc::clone(&of_listener);
                    std::thread::spawn(move || pump(&shared, from, to, way));
                }
            }
        });
        Self { port: own_port, shared }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until bytes are being held back.
    pub fn wait_until_it_holds(&self) {
        let state = self.shared.state.lock().unwrap();
        drop(self.shared.changed.wait_while(state, |state| !state.holds).unwrap());
    }

    /// From now on everything passes as it is, also what was held back.
    pub fn behave(&self) {
        self.shared.state.lock().unwrap().mischief = None;
        self.shared.changed.notify_all();
    }
}

fn pump(shared: &Shared, mut from: TcpStream, mut to: TcpStream, way: Way) {
    let mut buffer = vec![0; 64 * 1024];
    let mut passed = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..count];
        let end = passed + count as u64;
        match (shared.pass(way, count as u64), way) {
            (Some(Mischief::FlipUp(at)), Way::Up) | (Some(Mischief::FlipDown(at)), Way::Down)
                if (passed..end).contains(&at) =>
            {
                bytes[usize::try_from(at - passed).unwrap()] ^= 1;
            }
            (Some(Mischief::CutDown(at)), Way::Down) if end > at => {
                let _ = to.write_all(&bytes[..usize::try_from(at - passed).unwrap()]);
                break;
            }
            _ => {}
        }
        passed = end;
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

impl Shared {
    /// Counts bytes, and waits while they are held back.
    fn pass(&self, way: Way, count: u64) -> Option<Mischief> {
        let mut state = self.state.lock().unwrap();
        match way {
            Way::Up => state.up += count,
            Way::Down => state.down += count,
        }
        loop {
            let is_held = match state.mischief {
                Some(Mischief::HoldUp(limit)) => way == Way::Up && state.up > limit,
                Some(Mischief::HoldDown(limit)) => way == Way::Down && state.down > limit,
                _ => false,
            };
            if !is_held {
                return state.mischief;
            }
            state.holds = true;
            self.changed.notify_all();
            state = self.changed.wait(state).unwrap();
        }
    }
}

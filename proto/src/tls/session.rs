//! The state of one TLS connection apart from its socket: ciphertext in, plaintext out, and the other way round.

use rustls::Connection;
use std::io::{self, BufRead, IoSlice, Write};

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The client speaks HTTP without TLS.
    #[error("plain HTTP on a port of HTTPS")]
    PlainHttp,
    /// A violation of the protocol, a certificate that is not accepted, or an alert of the peer.
    #[error(transparent)]
    Protocol(#[from] rustls::Error),
}

impl From<SessionError> for io::Error {
    fn from(error: SessionError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// What came of receiving.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes of plaintext that were taken.
    pub taken: usize,
    /// The peer has said that nothing more comes.
    pub closed: bool,
}

/// See the module.
pub struct Session {
    connection: Connection,
    /// Ciphertext that came and whose plaintext nobody has taken yet.
    held: Vec<u8>,
    begun: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// Of a connection that has not begun.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            held: Vec::new(),
            begun: false,
        }
    }

    /// Whether data can flow yet.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Takes in ciphertext and passes plaintext to `take`, which says how many of the bytes it has taken; with 0 it has
    /// enough, and the rest waits for the next call. There should be no new ciphertext while anything waits.
    ///
    /// After an error [`Session::wants_write`] says whether there is an alert to send.
    pub fn receive(
        &mut self,
        ciphertext: &[u8],
        take: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Result<Received, SessionError> {
        if let (false, Some(first)) = (self.begun, ciphertext.first()) {
            self.begun = true;
            // A TLS record begins with its type, at the start that of a handshake: 22 (RFC 8446 section 5.1). A request
            // begins with its method.
            if first.is_ascii_uppercase() && matches!(self.connection, Connection::Server(_)) {
                return Err(SessionError::PlainHttp);
            }
        }
        let mut received = Received::default();
        if !self.held.is_empty() {
            let mut held = std::mem::take(&mut self.held);
            let used = self.feed(&held, take, &mut received)?;
            held.drain(..used);
            if !held.is_empty() {
                held.extend_from_slice(ciphertext);
                self.held = held;
                return Ok(received);
            }
        }
        let used = self.feed(ciphertext, take, &mut received)?;
        self.held = ciphertext.get(used..).unwrap_or_default().to_vec();
        Ok(received)
    }

    /// How many bytes of `ciphertext` were used: less than all when `take` has enough.
    fn feed(
        &mut self,
        ciphertext: &[u8],
        take: &mut dyn FnMut(&[u8]) -> usize,
        received: &mut Received,
    ) -> Result<usize, SessionError> {
        let mut left = ciphertext;
        while self.pass_plaintext(take, received) && !left.is_empty() {
            match self.connection.read_tls(&mut left) {
                Ok(0) => left = &[],
                Ok(_) => {
                    self.connection.process_new_packets()?;
                }
                // A record or handshake message longer than any may be.
                Err(error) => return Err(rustls::Error::General(error.to_string()).into()),
            }
        }
        Ok(ciphertext.len() - left.len())
    }

    /// Whether all plaintext that is there was taken.
    fn pass_plaintext(&mut self, take: &mut dyn FnMut(&[u8]) -> usize, received: &mut Received) -> bool {
        let mut reader = self.connection.reader();
        loop {
            let taken = match reader.fill_buf() {
                Ok([]) => {
                    received.closed = true;
                    return true;
                }
                Ok(plaintext) => take(plaintext).min(plaintext.len()),
                // Nothing is there.
                Err(_) => return true,
            };
            if taken == 0 {
                return false;
            }
            reader.consume(taken);
            received.taken += taken;
        }
    }

    /// Whether plaintext is there, or the end, without new ciphertext.
    pub fn has_plaintext(&mut self) -> Result<bool, SessionError> {
        let mut has_some = false;
        let received = self.receive(&[], &mut |_| {
            has_some = true;
            0
        })?;
        Ok(has_some || received.closed)
    }

    /// Encrypts the first bytes of `plaintext`, in order: as many as leave at most about `unsent_bytes_max` to be sent.
    /// How many.
    pub fn encrypt(&mut self, plaintext: &[IoSlice<'_>], unsent_bytes_max: usize) -> io::Result<usize> {
        self.connection.set_buffer_limit(Some(unsent_bytes_max));
        self.connection.writer().write_vectored(plaintext)
    }

    /// Says that nothing more will be sent (`close_notify`).
    pub fn close(&mut self) {
        self.connection.send_close_notify();
    }

    /// Whether there is ciphertext to send.
    pub fn wants_write(&self) -> bool {
        self.connection.wants_write()
    }

    /// Passes ciphertext to a socket, in one vectored write. How many bytes it took.
    pub fn write_to(&mut self, socket: &mut dyn Write) -> io::Result<usize> {
        self.connection.write_tls(socket)
    }
}

#[cfg(test)]
mod tests;

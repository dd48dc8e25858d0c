//! Clients that do nothing: they connect, say something, and neither send nor receive any more.

use crate::{
    error::{Context, Result},
    limits::{STALLED_BURST, STALLED_PAUSE, STALLED_RECEIVE_BYTES},
};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
        sockopt::set_socket_recv_buffer_size,
    },
};
use std::{net::SocketAddr, os::fd::OwnedFd};

/// Open, silent connections; closed when dropped.
#[derive(Debug)]
pub struct StalledClients {
    sockets: Vec<OwnedFd>,
}

impl StalledClients {
    /// Connects `count` clients that each send `says` once.
    pub fn open(address: SocketAddr, count: usize, says: &[u8]) -> Result<Self> {
        let mut sockets = Vec::with_capacity(count);
        for number in 1..=count {
            sockets.push(stall(address, says)?);
            if number.is_multiple_of(STALLED_BURST) {
                std::thread::sleep(STALLED_PAUSE);
            }
        }
        Ok(Self { sockets })
    }

    /// How many the server has not closed.
    pub fn still_open(&self) -> usize {
        self.sockets.iter().filter(|socket| is_open(socket)).count()
    }
}

fn stall(address: SocketAddr, says: &[u8]) -> Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket =
        socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).context("open a stalled client")?;
    set_socket_recv_buffer_size(&socket, STALLED_RECEIVE_BYTES).context("set SO_RCVBUF")?;
    connect(&socket, &address).context("connect a stalled client")?;
    send(&socket, says, SendFlags::NOSIGNAL).context("send for a stalled client")?;
    Ok(socket)
}

fn is_open(socket: &OwnedFd) -> bool {
    let mut byte = [0_u8; 1];
    match recv(socket, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((_, received)) => received > 0,
        Err(error) => error == Errno::AGAIN,
    }
}

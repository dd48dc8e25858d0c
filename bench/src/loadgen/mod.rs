//! The load client: one thread, non-blocking sockets under one epoll, a fixed number of closed-loop clients.

pub mod client;
pub mod connection;
pub mod generator;
pub mod histogram;
pub mod plan;
pub mod random;
pub mod request;
pub mod wire;

#[cfg(test)]
mod tests;

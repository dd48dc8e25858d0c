//! The cells of the comparison: an operation, an object size, a number of clients.

use crate::{
    error::BenchError,
    loadgen::request::{Method, Pattern, Payload},
};

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Such as `get-4k`; also the prefix of its keys.
    pub name: &'static str,
    /// What is measured.
    pub method: Method,
    /// Size of every object, in bytes.
    pub object_bytes: u64,
    /// Concurrent clients.
    pub clients: usize,
    /// Distinct keys, taken in turn. A PUT overwrites them once it has been round.
    pub objects: usize,
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// All cells, in the order they run. GET sets fit the page cache and Corelane's memory: they are read hot.
pub fn all() -> Vec<Cell> {
    let cell = |name, method, object_bytes, clients, objects| Cell {
        name,
        method,
        object_bytes,
        clients,
        objects,
    };
    vec![
        cell("get-4k", Method::Get, 4 * KIB, 32, 256),
        cell("get-64k", Method::Get, 64 * KIB, 32, 256),
        cell("get-1m", Method::Get, MIB, 32, 64),
        cell("get-64m", Method::Get, 64 * MIB, 4, 4),
        cell("put-4k", Method::Put, 4 * KIB, 32, 1024),
        cell("put-1m", Method::Put, MIB, 32, 64),
        cell("put-64m", Method::Put, 64 * MIB, 4, 8),
    ]
}

/// The cell of this name.
pub fn named(name: &str) -> Result<Cell, BenchError> {
    all().into_iter().find(|cell| cell.name == name).ok_or_else(|| {
        let names: Vec<&str> = all().iter().map(|cell| cell.name).collect();
        BenchError::Usage(format!("there is no cell `{name}`: choose of {}", names.join(", ")))
    })
}

impl Cell {
    /// The key of object number `index`.
    pub fn key(&self, index: usize) -> String {
        format!("{}-{index:05}", self.name)
    }

    /// Its path.
    pub fn path(&self, index: usize) -> String {
        format!("{BUCKET_PATH}/{}", self.key(index))
    }

    /// What a request for object number `index` carries: nothing for a GET.
    pub fn payload(&self, index: usize, pattern: &Pattern) -> Option<Payload> {
        (self.method == Method::Put).then(|| pattern.payload(index, self.object_bytes))
    }
}

/// The path of the bucket all objects are in.
pub const BUCKET_PATH: &str = "/bench";

//! What tests share: a directory that goes away, and a gateway between a scripted core and a scripted client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::{
    access_log,
    catalog::{Catalog, RootKey},
    config::RouteMode,
    configuration::Configuration,
    gateway::{Gateway, Settings},
    live_settings::LiveSettings,
    rt::{self, Listener},
    server,
    store::{mailbox::mailbox, redb::RedbStore},
};
use proto::{
    auth::ticket::TicketKey,
    cluster::map::{CoreAddress, NodeInfo},
    digest::checksum::ChecksumType,
    s3::{address::Domains, properties::BucketProperties},
    settings::{names, values::Layers},
};
use std::{
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    rc::Rc,
    thread,
    time::Duration,
};

/// A directory that is removed when a test ends.
pub struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    /// A new one.
    pub fn new() -> Self {
        use std::hash::{BuildHasher, Hasher, RandomState};
        let unique = RandomState::new().build_hasher().finish();
        let path = std::env::temp_dir().join(format!("corelane-gateway-test-{unique:016x}"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The cluster key of tests.
pub const CLUSTER_KEY: [u8; 32] = [7; 32];

/// Runs a gateway in front of one core, which `core` plays for each connection it gets, and a client.
pub fn play<C, T>(
    route: RouteMode,
    advertise: bool,
    core: C,
    client: impl FnOnce(SocketAddr) -> T + Send + 'static,
) -> T
where
    C: Fn(usize, TcpStream) + Send + 'static,
    T: Send + 'static,
{
    let cores = TcpListener::bind("127.0.0.1:0").unwrap();
    let core_port = cores.local_addr().unwrap().port();
    thread::spawn(move || {
        for (index, stream) in cores.incoming().enumerate() {
            core(index, stream.unwrap());
        }
    });
    let directory = TemporaryDirectory::new();
    rt::run(async {
        let root = RootKey {
            access_key: "a".to_owned(),
            secret_key: "s".to_owned(),
        };
        let store = RedbStore::open(directory.path()).unwrap();
        let catalog = Rc::new(Catalog::open(Box::new(store), root).await.unwrap());
        catalog
            .create_bucket("bucket", "root", BucketProperties::new(ChecksumType::Md5))
            .await
            .unwrap();
        let gateway = Rc::new(Gateway::new(
            catalog,
            TicketKey::from_bytes(CLUSTER_KEY),
            settings(route),
            None,
        ));
        let info = NodeInfo {
            node: [9; 16],
            address: "127.0.0.1".to_owned(),
            advertise: advertise.then(|| "core.example".to_owned()),
            cores: vec![CoreAddress {
                channel: None,
                port: core_port,
                shards: vec![[1; 16]],
            }],
            unavailable: Vec::new(),
        };
        gateway.cluster.register(info).await.unwrap();
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], listener.port().unwrap()));
        let (result, mut results) = mailbox();
        thread::spawn(move || result.send(client(address)));
        rt::spawn(async move {
            while let Ok((stream, peer)) = listener.accept(&gateway.watchdog).await {
                server::spawn(&gateway, stream, peer.ip(), false);
            }
        });
        results.receive().await.unwrap()
    })
    .unwrap()
}

/// Nothing is verified, and `localhost` is the domain of buckets.
pub fn settings(route: RouteMode) -> Settings {
    let mut layers = Layers::default();
    layers
        .flags
        .insert(names::ROUTE_MODE.to_owned(), route.name().to_owned());
    Settings {
        hands_over: false,
        anonymous: true,
        domains: Domains::parse(&["localhost"]).unwrap(),
        access_log: access_log::switch().unwrap(),
        live: LiveSettings::new(&layers).unwrap(),
        configuration: Configuration::new(layers, None),
    }
}

/// A client's connection.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Reads up to and with the first empty line.
pub fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// So many bytes.
pub fn read_exact(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Whether the peer has closed; waits for it.
pub fn is_closed(stream: &mut TcpStream) -> bool {
    !matches!(stream.read(&mut [0; 64]), Ok(count) if count > 0)
}

/// An answer of a core.
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

//! Start-up in order: mountpaths, ports, cores with their shards, membership. Every failure is one line that says what to
//! do.

use crate::{
    access_log,
    certificate::Certificate,
    config::{Config, Durability},
    core::{Core, CoreParts},
    error::BootError,
    failed_shards::{FailedShard, await_cores, leave_out},
    limits::{
        BIND_WAIT, CONNECTIONS_PER_CORE_MAX, CORE_MEMORY_BYTES_MIN, DESCRIPTORS_RESERVED, DRAIN_TIMEOUT,
        LISTEN_BACKLOG, SHARD_INDEX_BYTES_MIN, UNSENT_BYTES_MAX, UPLOADS_PER_CORE_MAX,
    },
    link,
    log_filter::LogFilter,
    membership::{Membership, RegisterError},
    mountpath_set::MountpathSet,
    rt::{self, Listener},
    server,
    siblings::{self, Bell, Siblings},
    tls::CoreTls,
};
use mountpath::{
    layout::{ShardPaths, random_uuid},
    shard_store::{ShardStore, StoreOptions},
};
use proto::{
    access_log::switch::Switch,
    auth::{sigv4, ticket::TicketKey},
    cluster::{
        handoff::channel_name,
        map::{CoreAddress, NodeInfo},
    },
    tls::settings::TlsSettings,
};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
    rc::Rc,
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// A running node.
pub struct Node {
    /// What it told its gateways.
    pub info: NodeInfo,
    /// What it shows to clients that speak TLS.
    pub certificate: Option<Certificate>,
    threads: Vec<JoinHandle<Option<()>>>,
    finished: Receiver<()>,
    access_log: Switch,
}

/// What a core gets before it starts.
struct CorePlan {
    listener: TcpListener,
    channel: OwnedFd,
    channel_name: String,
    port: u16,
    cpu: usize,
    shards: Vec<(ShardPaths, [u8; 16])>,
    unavailable: Vec<[u8; 16]>,
}

/// Starts everything; returns when all cores serve and every gateway knows the node.
pub fn start(config: &Config, log_filter: &LogFilter, stopping: &Arc<AtomicBool>) -> Result<Node, BootError> {
    let cpus = cpus(config)?;
    let key = read_cluster_key(config)?;
    let access_log = open_access_log(config)?;
    let certificate = Certificate::load(config)?;
    let tls = certificate
        .as_ref()
        .map(|certificate| Arc::clone(&certificate.settings));
    let mountpaths = MountpathSet::open(&config.mountpaths, cpus.len())?;
    let node = mountpaths.node;
    let plans = plan(config, &cpus, &mountpaths)?;
    let cores = plans
        .iter()
        .map(|plan| CoreAddress {
            port: plan.port,
            channel: Some(plan.channel_name.clone()),
            shards: plan.shards.iter().map(|(_, uuid)| *uuid).collect(),
        })
        .collect();
    let address = if config.host.is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        config.host
    };
    let mut info = NodeInfo {
        node,
        address: address.to_string(),
        advertise: config.advertise.clone(),
        cores,
        unavailable: mountpaths.missing.concat(),
    };
    let seed = u64::from_le_bytes(
        random_uuid().map_err(BootError::Random)?[..8]
            .try_into()
            .unwrap_or_default(),
    );
    let shard_count = plans.iter().map(|plan| plan.shards.len()).sum();
    let shards_of_cores: Vec<Vec<[u8; 16]>> = plans
        .iter()
        .map(|plan| plan.shards.iter().map(|(_, uuid)| *uuid).collect())
        .collect();
    let (siblings, bells) = Siblings::new(&shards_of_cores).map_err(BootError::Channel)?;
    let memory = (config.memory / cpus.len()).max(CORE_MEMORY_BYTES_MIN);
    let (reports, ready) = channel();
    let (finish, finished) = channel();
    let mut threads = Vec::new();
    for ((index, plan), bell) in plans.into_iter().enumerate().zip(bells) {
        let settings = CoreSettings {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            node,
            key,
            gateways: config.gateways.clone(),
            tls: tls.clone(),
            memory,
            connections_max: connections_max(cpus.len(), shard_count),
            sync: config.durability == Durability::Sync,
            scrub_interval: (config.scrub_interval > 0).then(|| Duration::from_secs(config.scrub_interval)),
            stopping: Arc::clone(stopping),
            seed: seed.rotate_left(u32::try_from(index).unwrap_or(0)),
            unavailable: plan.unavailable,
            siblings: Arc::clone(&siblings),
            bell,
            channel: plan.channel,
            access_log: access_log.clone(),
            log_filter: log_filter.clone(),
        };
        let reports = reports.clone();
        let finish = finish.clone();
        let body = move || run_core(plan.listener, plan.shards, settings, reports, finish);
        let thread = rt::spawn_core(plan.cpu, &format!("core-{index}"), body)
            .map_err(|error| BootError::Core(index, error.to_string()))?;
        threads.push(thread);
    }
    drop(reports);
    let failed = await_cores(&ready, threads.len())?;
    leave_out(&mut info, failed, shard_count)?;
    join_cluster(key, &info, config, tls, stopping)?;
    // The directories stay locked until the process ends.
    std::mem::forget(mountpaths);
    Ok(Node {
        info,
        certificate,
        threads,
        finished,
        access_log,
    })
}

fn open_access_log(config: &Config) -> Result<Switch, BootError> {
    let path = config.access_log.as_deref();
    let opened = access_log::switch().and_then(|switch| {
        access_log::turn(&switch, path, config.access_log_format)?;
        Ok(switch)
    });
    opened.map_err(|error| {
        let name = path.map_or_else(String::new, |path| path.display().to_string());
        BootError::AccessLog(name, error)
    })
}

impl Node {
    /// Waits until all cores have finished their requests; whether none of them failed. The process may end then.
    pub fn wait(self) -> bool {
        let mut threads = self.threads.iter();
        let all_finished = threads.all(|_| self.finished.recv_timeout(DRAIN_TIMEOUT * 2).is_ok());
        self.access_log.close();
        all_finished
    }

    /// Whether a core has ended on its own.
    pub fn has_lost_a_core(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }
}

fn cpus(config: &Config) -> Result<Vec<usize>, BootError> {
    let allowed = rustix::thread::sched_getaffinity(None).map_err(|error| BootError::Core(0, error.to_string()))?;
    let cpus: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    let wanted = config.cores.unwrap_or(cpus.len());
    if wanted == 0 || wanted > cpus.len() {
        return Err(BootError::Cores {
            wanted,
            available: cpus.len(),
        });
    }
    Ok(cpus.into_iter().take(wanted).collect())
}

/// What the limit of open files leaves for each core's connections, files kept aside.
fn connections_max(core_count: usize, shard_count: usize) -> usize {
    use rustix::process::{Resource, getrlimit};
    let descriptors = getrlimit(Resource::Nofile)
        .current
        .map_or(usize::MAX, |limit| limit.try_into().unwrap_or(usize::MAX));
    let of_core = UPLOADS_PER_CORE_MAX * core_count;
    let reserved = DESCRIPTORS_RESERVED
        + of_core
        + shard_count * (mountpath::limits::OPEN_BLOBS_MAX + mountpath::limits::OPEN_SEGMENTS_MAX);
    (descriptors.saturating_sub(reserved) / core_count).clamp(1, CONNECTIONS_PER_CORE_MAX)
}

fn read_cluster_key(config: &Config) -> Result<[u8; 32], BootError> {
    let path = &config.cluster_key_file;
    let failed = |reason: String| BootError::ClusterKey(path.display().to_string(), reason);
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    sigv4::from_hex(text.trim()).ok_or_else(|| failed("it must hold 64 hex digits".to_owned()))
}

/// Shards go to cores by number, modulo; ports follow each other.
fn plan(config: &Config, cpus: &[usize], mountpaths: &MountpathSet) -> Result<Vec<CorePlan>, BootError> {
    let random = random_uuid().map_err(BootError::Random)?;
    let mut plans = Vec::new();
    for (index, cpu) in cpus.iter().enumerate() {
        let port = match config.port {
            0 => 0,
            first => u16::try_from(index)
                .ok()
                .and_then(|index| first.checked_add(index))
                .ok_or_else(|| {
                    BootError::Bind(
                        first,
                        config.host,
                        io::Error::other("there are not enough ports after it"),
                    )
                })?,
        };
        let listener = bind(config.host, port)?;
        let port = listener
            .local_addr()
            .map_err(|error| BootError::Bind(port, config.host, error))?
            .port();
        let name = channel_name(mountpaths.node, random, u16::try_from(index).unwrap_or(u16::MAX));
        plans.push(CorePlan {
            listener,
            channel: listen_on_channel(&name).map_err(BootError::Channel)?,
            channel_name: name,
            port,
            cpu: *cpu,
            shards: Vec::new(),
            unavailable: Vec::new(),
        });
    }
    for mountpath in &mountpaths.usable {
        for (index, uuid) in mountpath.shards().iter().enumerate() {
            let core = index % plans.len();
            if let Some(plan) = plans.get_mut(core) {
                plan.shards.push((mountpath.shard_paths(index), *uuid));
            }
        }
    }
    for shards in &mountpaths.missing {
        for (index, uuid) in shards.iter().enumerate() {
            let core = index % plans.len();
            if let Some(plan) = plans.get_mut(core) {
                plan.unavailable.push(*uuid);
            }
        }
    }
    Ok(plans)
}

fn bind(host: IpAddr, port: u16) -> Result<TcpListener, BootError> {
    let deadline = Instant::now() + BIND_WAIT;
    loop {
        // std sets SO_REUSEADDR; SO_REUSEPORT is left out on purpose, so that a second node is refused.
        match TcpListener::bind(SocketAddr::new(host, port)) {
            Ok(listener) => {
                // std listens with a backlog of 128, which a burst of clients overflows; listen(2) again raises it.
                rustix::net::listen(&listener, LISTEN_BACKLOG)
                    .map_err(|error| BootError::Bind(port, host, error.into()))?;
                // Inherited by every accepted socket.
                socket2::SockRef::from(&listener)
                    .set_tcp_notsent_lowat(UNSENT_BYTES_MAX)
                    .map_err(|error| BootError::Bind(port, host, error))?;
                return Ok(listener);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                if Instant::now() >= deadline {
                    return Err(BootError::PortInUse(port, host));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => return Err(BootError::Bind(port, host, error)),
        }
    }
}

/// A core's end of the channels of gateways on this host.
fn listen_on_channel(name: &str) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    rustix::net::listen(&socket, LISTEN_BACKLOG)?;
    Ok(socket)
}

struct CoreSettings {
    index: u16,
    node: [u8; 16],
    key: [u8; 32],
    gateways: Vec<SocketAddr>,
    tls: Option<Arc<TlsSettings>>,
    memory: usize,
    connections_max: usize,
    sync: bool,
    scrub_interval: Option<Duration>,
    stopping: Arc<AtomicBool>,
    seed: u64,
    unavailable: Vec<[u8; 16]>,
    siblings: Arc<Siblings>,
    bell: Bell,
    channel: OwnedFd,
    access_log: Switch,
    log_filter: LogFilter,
}

async fn run_core(
    listener: TcpListener,
    shards: Vec<(ShardPaths, [u8; 16])>,
    settings: CoreSettings,
    reports: Sender<Vec<FailedShard>>,
    finish: Sender<()>,
) {
    let mut stores = Vec::new();
    let options = StoreOptions {
        sync: settings.sync,
        scrub_interval: settings.scrub_interval,
        memory: (settings.memory / 8 / shards.len().max(1)).max(SHARD_INDEX_BYTES_MIN),
        ..StoreOptions::default()
    };
    let mut failed = Vec::new();
    for (paths, uuid) in shards {
        let name = paths.root().display().to_string();
        match ShardStore::open(paths, uuid, options).await {
            Ok((store, report)) => {
                tracing::info!(
                    shard = name,
                    objects = report.objects,
                    batches = report.batches,
                    torn_bytes = report.torn_bytes,
                    rebuilt = report.rebuilt.as_deref().unwrap_or("no"),
                    "a shard is open"
                );
                for damage in &report.damage {
                    tracing::error!(shard = name, damage, "stored data is damaged");
                }
                stores.push(store);
            }
            Err(error) => {
                let reason = error.to_string();
                failed.push(FailedShard { uuid, name, reason });
            }
        }
    }
    let mut unavailable = settings.unavailable;
    unavailable.extend(failed.iter().map(|shard| shard.uuid));
    let core = Core::new(CoreParts {
        node: settings.node,
        index: settings.index,
        shards: stores,
        unavailable,
        ticket_key: TicketKey::from_bytes(settings.key),
        gateways: settings.gateways,
        siblings: settings.siblings,
        tls: settings.tls.map(CoreTls::new),
        memory: settings.memory,
        connections_max: settings.connections_max,
        access_log: settings.access_log,
        log_filter: settings.log_filter,
        stopping: settings.stopping,
        request_seed: settings.seed,
    });
    let _ = reports.send(failed);
    drop(reports);
    rt::spawn(siblings::receive(Rc::clone(&core), settings.bell));
    rt::spawn(link::accept(Rc::clone(&core), Listener::from_unix(settings.channel)));
    server::run(Rc::clone(&core), Listener::from_std(listener)).await;
    for shard in &core.shards {
        if let Err(error) = shard.close().await {
            tracing::warn!(shard = shard.name(), %error, "a shard did not close cleanly; the next start replays its log");
        }
    }
    let _ = finish.send(());
    // The process ends from here: taking the executor down first would drop tasks that wake each other.
    std::future::pending().await
}

/// Registers once, then keeps registering in the background.
fn join_cluster(
    key: [u8; 32],
    info: &NodeInfo,
    config: &Config,
    tls: Option<Arc<TlsSettings>>,
    stopping: &Arc<AtomicBool>,
) -> Result<(), BootError> {
    let membership = Membership::new(TicketKey::from_bytes(key), info.clone(), config.gateways.clone(), tls);
    match membership.register() {
        Ok(()) => {}
        Err(RegisterError::Refused(reason)) => return Err(BootError::Refused(reason)),
        // The gateway may start later than the node; the background thread goes on trying.
        Err(RegisterError::Unreachable(gateway, error)) => tracing::warn!(%gateway, %error, "not registered yet"),
    }
    let stopping = Arc::clone(stopping);
    std::thread::Builder::new()
        .name("membership".to_owned())
        .spawn(move || membership.run(&stopping))
        .map_err(|error| BootError::Refused(format!("the membership thread does not start: {error}")))?;
    Ok(())
}

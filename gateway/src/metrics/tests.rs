//! The text of metrics, and cores that do not help with it.
#![allow(clippy::unwrap_used)]

use super::{NodeSnapshot, RequestCounters, Snapshot};
use crate::{
    config::RouteMode,
    route::Way,
    testing::{connect, play, read_head},
};
use proto::cluster::{
    map::ShardEntry,
    message::{CoreStats, PoolStats, RequestCount, ShardState, ShardStats},
};
use std::io::{Read, Write};

fn snapshot() -> Snapshot {
    let requests = RequestCounters::default();
    for status in [200, 206, 404] {
        requests.count(Some("GetObject"), status, Some(Way::Proxy));
    }
    requests.count(Some("GetObject"), 307, Some(Way::Redirect));
    requests.count(None, 403, None);
    let shard = |number, state| ShardStats {
        shard: [number; 16],
        state,
        syncs: 5,
        objects: 6,
        ..ShardStats::default()
    };
    let core = CoreStats {
        connections: 3,
        requests: vec![RequestCount {
            operation: "PutObject".to_owned(),
            status_class: 2,
            count: 9,
        }],
        cache: PoolStats {
            used_bytes: 10,
            limit_bytes: 20,
        },
        shards: vec![
            shard(1, ShardState::Serving),
            shard(2, ShardState::ReadOnly),
            shard(3, ShardState::Unavailable),
        ],
        ..CoreStats::default()
    };
    let entry = |shard, node| ShardEntry {
        shard: [shard; 16],
        node: [node; 16],
    };
    Snapshot {
        requests: requests.counts(),
        connections: 7,
        access_log_dropped: Some(11),
        nodes: vec![
            NodeSnapshot {
                node: [8; 16],
                is_up: true,
                cores: vec![(4, core)],
            },
            NodeSnapshot {
                node: [9; 16],
                is_up: false,
                cores: Vec::new(),
            },
        ],
        shards: vec![entry(1, 8), entry(2, 8), entry(3, 8), entry(4, 9)],
    }
}

#[test]
fn a_snapshot_becomes_text() {
    let text = snapshot().into_text().unwrap();
    let (node, dead) = ("08".repeat(16), "09".repeat(16));
    let core = format!("node=\"{node}\",core=\"4\"");
    let shard = |number: &str| number.repeat(16);
    for line in [
        "# TYPE corelane_gateway_requests counter".to_owned(),
        "corelane_gateway_requests_total{operation=\"GetObject\",status=\"2xx\",way=\"proxy\"} 2".to_owned(),
        "corelane_gateway_requests_total{operation=\"GetObject\",status=\"4xx\",way=\"proxy\"} 1".to_owned(),
        "corelane_gateway_requests_total{operation=\"GetObject\",status=\"3xx\",way=\"redirect\"} 1".to_owned(),
        "corelane_gateway_requests_total{operation=\"Unknown\",status=\"4xx\",way=\"gateway\"} 1".to_owned(),
        "corelane_gateway_connections 7".to_owned(),
        "corelane_gateway_access_log_dropped_lines_total 11".to_owned(),
        format!("corelane_node_up{{node=\"{node}\"}} 1"),
        format!("corelane_node_up{{node=\"{dead}\"}} 0"),
        format!("corelane_core_connections{{{core}}} 3"),
        format!("corelane_core_requests_total{{{core},operation=\"PutObject\",status=\"2xx\"}} 9"),
        format!("corelane_core_memory_used_bytes{{{core},pool=\"cache\"}} 10"),
        format!("corelane_core_memory_limit_bytes{{{core},pool=\"cache\"}} 20"),
        "# TYPE corelane_log_fdatasync counter".to_owned(),
        format!("corelane_log_fdatasync_total{{{core},shard=\"{}\"}} 5", shard("01")),
        format!("corelane_shard_objects{{{core},shard=\"{}\"}} 6", shard("02")),
        format!("corelane_shard_read_only{{{core},shard=\"{}\"}} 0", shard("01")),
        format!("corelane_shard_read_only{{{core},shard=\"{}\"}} 1", shard("02")),
        format!("corelane_shard_up{{node=\"{node}\",shard=\"{}\"}} 1", shard("02")),
        format!("corelane_shard_up{{node=\"{node}\",shard=\"{}\"}} 0", shard("03")),
        format!("corelane_shard_up{{node=\"{dead}\",shard=\"{}\"}} 0", shard("04")),
    ] {
        assert!(text.lines().any(|found| found == line), "no {line}\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
    // A shard that is away has no numbers.
    let away = shard("03");
    let of_away = text.lines().filter(|line| line.contains(&away));
    assert_eq!(of_away.count(), 1);
    // A family is told once, in one piece.
    let mut names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

fn metrics_with(core: fn(usize, std::net::TcpStream)) -> String {
    play(RouteMode::Proxy, false, core, |address| {
        let mut stream = connect(address);
        stream
            .write_all(b"GET /v1/metrics HTTP/1.1\r\nHost: h\r\n\r\n")
            .unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("application/openmetrics-text"), "{head}");
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
}

#[test]
fn cores_that_do_not_answer_are_left_out() {
    let down = format!("corelane_node_up{{node=\"{}\"}} 0\n", "09".repeat(16));
    let cores: [fn(usize, std::net::TcpStream); 4] = [
        // Closes at once, says something else, answers an error, says nothing for ever.
        |_, stream| drop(stream),
        |_, mut stream| {
            read_head(&mut stream);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")
                .unwrap();
        },
        |_, mut stream| {
            read_head(&mut stream);
            stream
                .write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
        },
        |_, stream| std::mem::forget(stream),
    ];
    for core in cores {
        let text = metrics_with(core);
        assert!(text.contains(&down), "{text}");
        assert!(text.contains("corelane_gateway_connections 1\n"), "{text}");
        assert!(!text.contains("corelane_core_connections{"), "{text}");
    }
}

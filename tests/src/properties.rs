//! Properties of buckets, set as an operator does: through the native API.

use crate::{process::wait_for, rest::User, sign::now_unix_s, store::Store};
use serde_json::{Map, Value, json};

/// Sets a property.
#[track_caller]
pub fn set(store: &Store, bucket: &str, name: &str, value: &str) {
    let properties = Map::from_iter([(name.to_owned(), json!(value))]);
    let path = format!("/v1/buckets/{bucket}");
    let changed = User::root(store).call("PATCH", &path, &json!({ "properties": properties }));
    changed.expect(200);
}

/// A property's value.
#[track_caller]
pub fn get(store: &Store, bucket: &str, name: &str) -> String {
    let shown = User::root(store).get(&format!("/v1/buckets/{bucket}")).expect(200);
    let Value::String(value) = &shown["properties"][name] else {
        panic!("no property {name}: {shown}");
    };
    value.clone()
}

/// Waits until the clock shows another second, in which what happens is later than before in every date; returns it.
pub fn another_second() -> u64 {
    let now = now_unix_s();
    wait_for("another second", || Some(now_unix_s()).filter(|later| *later > now))
}

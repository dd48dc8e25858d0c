//! Paths find their routes; the table and docs/openapi.json are the same.

use super::{Access, Found, ROUTES, find};
use crate::admin::openapi::DOCUMENT;
use proto::s3::query::Query;
use serde_json::Value;
use std::collections::BTreeSet;

/// Object data: served by cores, and so in no table of the gateway.
const OBJECT_DATA: &str = "/v1/objects/{bucket}/{key}";

fn found(method: &str, path: &str) -> String {
    match find(method, path) {
        Found::Route(route, parameters) => format!("{} {} {}", route.method, route.path, parameters.join(" ")),
        Found::OtherMethods(allow) => format!("405 {allow}"),
        Found::Nothing => "404".to_owned(),
    }
}

#[test]
fn paths_find_their_routes() {
    assert_eq!(found("GET", "/v1/health"), "GET /v1/health ");
    assert_eq!(found("HEAD", "/v1/health/"), "GET /v1/health ");
    assert_eq!(found("POST", "/v1/health"), "405 GET, HEAD");
    assert_eq!(found("DELETE", "/v1/keys/a%2Fb"), "DELETE /v1/keys/{access_key} a%2Fb");
    assert_eq!(found("PUT", "/v1/keys"), "405 GET, HEAD, POST");
    let objects = "/v1/buckets/photos/objects";
    for path in [objects.to_owned(), format!("{objects}/")] {
        assert_eq!(found("GET", &path), "GET /v1/buckets/{bucket}/objects photos");
    }
    for key in ["a", "a/", "a//b/", "/", "%2F", ".."] {
        let expected = format!("GET /v1/buckets/{{bucket}}/objects/{{key}} photos {key}");
        let path = format!("{objects}/{key}");
        assert_eq!(found("GET", &path), expected);
    }
    for nothing in [
        "/v1",
        "/v1/",
        "/v1/healthy",
        "/v1/health/x",
        "/v1//health",
        "/v1/keys/a/b",
        "/v1/objects",
        "/v1/objects/bucket",
    ] {
        assert_eq!(found("GET", nothing), "404", "{nothing}");
    }
}

#[test]
fn queries_hold_what_is_known() {
    let Found::Route(health, _) = find("GET", "/v1/health") else {
        unreachable!("it is there");
    };
    assert!(
        health
            .check_query(&Query::parse("X-Amz-Signature=1&x-amz-date=2").unwrap())
            .is_ok()
    );
    let error = health.check_query(&Query::parse("prefixx=a").unwrap()).unwrap_err();
    assert!(error.message.contains("prefixx"), "{error:?}");
}

/// (method, path, who may call, parameters of the query)
type Operation = (String, String, String, BTreeSet<String>);

fn documented() -> BTreeSet<Operation> {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let resolved = |parameter: &Value| -> Value {
        let Some(reference) = parameter["$ref"].as_str() else {
            return parameter.clone();
        };
        document.pointer(reference.strip_prefix('#').unwrap()).unwrap().clone()
    };
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let shared = item["parameters"].as_array().cloned().unwrap_or_default();
        for (method, operation) in item.as_object().unwrap() {
            if method == "parameters" || path == OBJECT_DATA {
                continue;
            }
            let own = operation["parameters"].as_array().cloned().unwrap_or_default();
            let all = shared.iter().chain(&own).map(resolved);
            let query = all.filter(|parameter| parameter["in"] == "query");
            let names = query.map(|parameter| parameter["name"].as_str().unwrap().to_owned());
            let access = operation["x-access"].as_str().unwrap_or_default().to_owned();
            operations.insert((method.to_uppercase(), path.clone(), access, names.collect()));
        }
    }
    operations
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let routes = ROUTES.iter().map(|route| {
        let access = match route.access {
            Access::Anyone => "anyone",
            Access::Key => "key",
            Access::Root => "root",
        };
        let query = route.query.iter().map(|name| (*name).to_owned());
        (
            route.method.to_owned(),
            route.path.to_owned(),
            access.to_owned(),
            query.collect(),
        )
    });
    let routes: BTreeSet<Operation> = routes.collect();
    assert_eq!(routes, documented());
}

#[test]
fn the_document_says_who_may_call_in_its_own_words_too() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            let is_open = operation["x-access"] == "anyone";
            // An empty list of requirements: none.
            let says_open = operation["security"].as_array().is_some_and(Vec::is_empty);
            assert_eq!(is_open, says_open, "{method} {path}");
        }
    }
}

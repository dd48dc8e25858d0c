//! docs/openapi.json is the truth: every operation of it is called on a real server, and what comes is what it says.
//! (That it has all routes of the gateway, a test beside their table sees to.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    raw::Response,
    request::{Request, encode_path},
    rest::{User, request},
    schema::Document,
    store::Store,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const TEXT: &str = include_str!("../../docs/openapi.json");

fn document() -> Document {
    Document(serde_json::from_str(TEXT).unwrap())
}

/// An operation of the document.
#[derive(Clone)]
struct Operation<'d> {
    document: &'d Document,
    method: String,
    path: String,
    /// Of its path and its query.
    parameters: Vec<&'d Value>,
    value: &'d Value,
}

fn operations(document: &Document) -> Vec<Operation<'_>> {
    let mut operations = Vec::new();
    for (path, item) in document.0["paths"].as_object().unwrap() {
        let shared = item["parameters"].as_array().into_iter().flatten();
        for (method, value) in item.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            let own = value["parameters"].as_array().into_iter().flatten();
            operations.push(Operation {
                document,
                method: method.to_uppercase(),
                path: path.clone(),
                parameters: shared
                    .clone()
                    .chain(own)
                    .map(|parameter| document.resolve(parameter))
                    .collect(),
                value,
            });
        }
    }
    operations
}

impl<'d> Operation<'d> {
    fn id(&self) -> &'d str {
        self.value["operationId"].as_str().unwrap()
    }

    /// Its path with the examples of its parameters, or with other values.
    fn filled(&self, other: Option<&str>) -> String {
        let in_path = self.parameters.iter().filter(|parameter| parameter["in"] == "path");
        in_path.fold(self.path.clone(), |path, parameter| {
            let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
            let value = other.unwrap_or_else(|| parameter["example"].as_str().expect("an example"));
            path.replace(&name, &encode_path(value))
        })
    }

    /// The example of its body; null: it has none in JSON.
    fn body(&self) -> Value {
        let schema = &self.value["requestBody"]["content"]["application/json"]["schema"];
        match schema {
            Value::Null => Value::Null,
            schema => self.document.resolve(schema)["example"].clone(),
        }
    }

    fn request(&self) -> Request {
        request(&self.method, &self.filled(None), &self.body())
    }

    fn is_data(&self) -> bool {
        self.path.starts_with("/v1/objects/")
    }

    /// Holds an answer against what is described for its status.
    #[track_caller]
    fn check(&self, answer: &Response) {
        let described = &self.value["responses"][answer.status.to_string()];
        let what = format!("{} {}: {}", self.id(), answer.status, answer.text());
        assert!(!described.is_null(), "not described: {what}");
        let described = self.document.resolve(described);
        for (name, _) in described["headers"].as_object().into_iter().flatten() {
            assert!(answer.header(&name.to_lowercase()).is_some(), "no {name}: {what}");
        }
        let Some(content) = described["content"].as_object() else {
            assert!(answer.body.is_empty(), "a body: {what}");
            return;
        };
        if self.method == "HEAD" {
            return;
        }
        let (described_type, media) = content.iter().next().unwrap();
        let content_type = answer.header("content-type").unwrap_or_default();
        if described_type == "application/octet-stream" {
            return;
        }
        assert!(
            content_type.starts_with(described_type.as_str()),
            "{content_type}: {what}"
        );
        if described_type == "application/json" {
            let value: Value = serde_json::from_slice(&answer.body).expect(&what);
            if let Err(error) = self.document.check(&media["schema"], &value) {
                panic!("{error}: {what}");
            }
        }
    }
}

/// A store in the state in which an operation succeeds.
fn arrange(store: &Store, root: &User<'_>, operation: &Operation<'_>) {
    root.send(Request::object("DELETE", "photos", "2026/cat.jpg"));
    root.call("DELETE", "/v1/buckets/photos", &Value::Null);
    let key = json!({ "user": "alice", "access_key": "ALICESACCESSKEY00001" });
    root.call("POST", "/v1/keys", &key);
    if operation.id() != "createBucket" {
        root.call("POST", "/v1/buckets", &json!({ "name": "photos" }))
            .expect(201);
    }
    if !["createBucket", "deleteBucket"].contains(&operation.id()) {
        store.put("photos", "2026/cat.jpg", "hello world");
        store.put("photos", "2026/raw/cat", "a raw cat");
        root.send(Request::object("DELETE", "photos", "2026/raw/cat"))
            .expect_status(204);
    }
}

#[test]
fn every_operation_does_what_it_says() {
    let document = document();
    let store = Store::start();
    let root = User::root(&store);
    for operation in operations(&document) {
        arrange(&store, &root, &operation);
        let answer = root.send(operation.request());
        assert!(
            (200..300).contains(&answer.status),
            "{}: {}",
            operation.id(),
            answer.text()
        );
        operation.check(&answer);
        let responses = operation.value["responses"].as_object().unwrap();
        let is_described = |status: u16| responses.contains_key(&status.to_string());

        let unsigned = store.send_as_is(&store.addressed(operation.request()));
        operation.check(&unsigned);
        match operation.value["x-access"].as_str().unwrap() {
            "anyone" => assert_eq!(unsigned.status, 200, "{}", operation.id()),
            "key" | "root" => assert_eq!(unsigned.status, 403, "{}", operation.id()),
            other => panic!("x-access is {other}"),
        }
        if is_described(404) && operation.path.contains('{') {
            let missing = root.send(request(
                &operation.method,
                &operation.filled(Some("nowhere")),
                &operation.body(),
            ));
            assert_eq!(missing.status, 404, "{}: {}", operation.id(), missing.text());
            operation.check(&missing);
        }
        if !operation.is_data() {
            let unknown = root.send(operation.request().query("nonsense", "1"));
            assert_eq!(unknown.status, 400, "{}", operation.id());
            assert!(unknown.text().contains("nonsense"), "{}", unknown.text());
        }
        if operation.method == "GET" {
            let head = root.send(Request::new("HEAD", operation.filled(None)));
            assert_eq!(head.status, 200, "{}", operation.id());
        }
    }
}

#[test]
fn bodies_have_the_fields_that_are_described_and_no_others() {
    let document = document();
    let store = Store::start();
    let root = User::root(&store);
    for operation in operations(&document) {
        let Value::Object(example) = operation.body() else {
            continue;
        };
        arrange(&store, &root, &operation);
        let schema = &operation.value["requestBody"]["content"]["application/json"]["schema"];
        let schema = document.resolve(schema);
        let mut more = example.clone();
        more.insert("nonsense".to_owned(), json!(1));
        let refused = root.send(request(&operation.method, &operation.filled(None), &json!(more)));
        assert_eq!(refused.status, 400, "{}", operation.id());
        assert!(refused.text().contains("nonsense"), "{}", refused.text());
        operation.check(&refused);
        for name in schema["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
        {
            let mut less = example.clone();
            less.remove(name).expect(name);
            let refused = root.send(request(&operation.method, &operation.filled(None), &json!(less)));
            assert_eq!(refused.status, 400, "{} without {name}", operation.id());
            assert!(refused.text().contains(name), "{}", refused.text());
        }
        let no_json = Request::new(&operation.method, operation.filled(None)).body("{");
        operation.check(&root.send(no_json).expect_status(400));
    }
}

#[test]
fn parameters_of_queries_are_taken() {
    let document = document();
    let store = Store::start();
    let root = User::root(&store);
    for operation in operations(&document) {
        for parameter in operation
            .parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
        {
            let Some(example) = parameter.get("example") else {
                continue;
            };
            arrange(&store, &root, &operation);
            let text = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            let name = parameter["name"].as_str().unwrap();
            let answer = root.send(operation.request().query(name, &text));
            assert_eq!(
                answer.status,
                200,
                "{} with {name}={text}: {}",
                operation.id(),
                answer.text()
            );
            operation.check(&answer);
        }
    }
}

#[test]
fn paths_have_the_methods_that_are_described_and_no_others() {
    let document = document();
    let store = Store::start();
    let root = User::root(&store);
    let all = operations(&document);
    let paths: BTreeSet<&str> = all.iter().map(|operation| operation.path.as_str()).collect();
    for path in paths {
        let of_path: Vec<&Operation<'_>> = all.iter().filter(|operation| operation.path == path).collect();
        let first = of_path.first().unwrap();
        if first.is_data() {
            continue;
        }
        arrange(&store, &root, first);
        let mut allowed: BTreeSet<&str> = of_path.iter().map(|operation| operation.method.as_str()).collect();
        if allowed.contains("GET") {
            allowed.insert("HEAD");
        }
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            if allowed.contains(method) {
                continue;
            }
            let answer = root.send(Request::new(method, first.filled(None)));
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text());
            let named: BTreeSet<&str> = answer.header("allow").expect("an Allow header").split(", ").collect();
            assert_eq!(named, allowed, "{method} {path}");
        }
    }
}

#[test]
fn the_document_is_whole_and_its_examples_fit() {
    let document = document();
    for (name, schema) in document.0["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name}");
        if let Some(example) = schema.get("example") {
            document
                .check(schema, example)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    let mut ids = BTreeSet::new();
    for operation in operations(&document) {
        assert!(ids.insert(operation.id()), "{} is there twice", operation.id());
        for field in ["summary", "description"] {
            assert!(
                operation.value[field].as_str().is_some_and(|text| !text.is_empty()),
                "{}",
                operation.id()
            );
        }
        for parameter in &operation.parameters {
            assert!(parameter["description"].is_string(), "{parameter}");
            if let Some(example) = parameter.get("example") {
                document.check(&parameter["schema"], example).unwrap();
            }
        }
        let in_path = operation
            .parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path");
        assert_eq!(
            in_path.count(),
            operation.path.matches('{').count(),
            "{}",
            operation.path
        );
        for response in operation.value["responses"].as_object().unwrap().values() {
            assert!(document.resolve(response)["description"].is_string());
        }
        if let Value::Object(body) = operation.body() {
            let schema = &operation.value["requestBody"]["content"]["application/json"]["schema"];
            document.check(schema, &Value::Object(body)).unwrap();
        }
    }
    check_references(&document, &document.0);
}

/// Every reference leads somewhere.
fn check_references(document: &Document, value: &Value) {
    document.resolve(value);
    match value {
        Value::Array(values) => values.iter().for_each(|value| check_references(document, value)),
        Value::Object(fields) => fields.values().for_each(|value| check_references(document, value)),
        _ => {}
    }
}

#[test]
fn the_store_serves_its_document() {
    let store = Store::start();
    let served = store
        .send_as_is(&store.addressed(Request::new("GET", "/v1/openapi.json")))
        .expect_status(200);
    assert_eq!(served.text(), TEXT);
    assert_eq!(served.header("content-type"), Some("application/json"));
}

//! The native API as its callers use it: JSON in, JSON out.

use crate::{raw::Response, request::Request, sign::Signer, store::Store};
use serde_json::Value;

/// An answer of the native API.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its body; null where there is none.
    pub value: Value,
    /// What came.
    pub response: Response,
}

impl Reply {
    /// Reads an answer, which must be JSON or nothing.
    #[track_caller]
    pub fn read(response: Response) -> Self {
        let value = match response.body.is_empty() {
            true => Value::Null,
            false => {
                serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{error}: {}", response.text()))
            }
        };
        Self {
            status: response.status,
            value,
            response,
        }
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.value);
        self.value
    }

    /// The message of an error that must be this one.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> String {
        assert_eq!(
            (self.status, self.value["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.value
        );
        let message = self.value["message"].as_str().expect("a message").to_owned();
        assert!(!message.is_empty());
        message
    }
}

/// A request, with a JSON body unless that is null. What stands behind `?` is a query that needs no encoding.
pub fn request(method: &str, path: &str, body: &Value) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parameters = query.split('&').filter_map(|parameter| parameter.split_once('='));
    let request = parameters.fold(Request::new(method, path), |request, (name, value)| {
        request.query(name, value)
    });
    match body {
        Value::Null => request,
        body => request
            .header("Content-Type", "application/json")
            .body(body.to_string()),
    }
}

/// Whoever calls.
#[derive(Debug)]
pub struct User<'s> {
    store: &'s Store,
    signer: Signer,
}

impl<'s> User<'s> {
    /// The root user of a store.
    pub fn root(store: &'s Store) -> Self {
        Self {
            store,
            signer: store.signer(),
        }
    }

    /// Another user, who gets a key.
    #[track_caller]
    pub fn new(store: &'s Store, name: &str) -> Self {
        let key = Self::root(store)
            .call("POST", "/v1/keys", &serde_json::json!({ "user": name }))
            .expect(201);
        let text = |field: &str| key[field].as_str().unwrap();
        Self {
            store,
            signer: Signer::new(text("access_key"), text("secret_key")),
        }
    }

    /// Signs a request and sends it, whatever it is.
    #[track_caller]
    pub fn send(&self, request: Request) -> Response {
        self.store.send_as_is(&self.sign(request))
    }

    /// The request, addressed and signed.
    pub fn sign(&self, request: Request) -> Request {
        self.signer.sign(self.store.addressed(request))
    }

    /// The request, addressed and presigned for a minute.
    pub fn presign(&self, request: Request) -> Request {
        self.signer.presign(self.store.addressed(request), 60)
    }

    /// Calls the native API.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.ask(request(method, path, body))
    }

    /// The same with a request that has more to it.
    #[track_caller]
    pub fn ask(&self, request: Request) -> Reply {
        Reply::read(self.send(request))
    }

    /// GETs.
    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &Value::Null)
    }
}

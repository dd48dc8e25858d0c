//! Calls of the management interface (`/v1/...`): JSON both ways.

use super::{Call, Client, Payload};
use crate::error::{CliError, Result};
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};

/// An error answer.
#[derive(Deserialize)]
struct ErrorAnswer {
    code: String,
    message: String,
}

impl Client {
    /// Sends a request; `path` is percent-encoded already, `query` is not. The body of a 2xx answer.
    pub fn send(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&serde_json::Value>,
    ) -> Result<Vec<u8>> {
        let mut call = Call::new(method.clone(), path).with_query(query);
        if let Some(body) = body {
            call = call
                .with_header("content-type", "application/json")
                .with_payload(Payload::Signed(body.to_string().into()));
        }
        let answer = self.exchange(&call).map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let body = answer.bytes().map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return Ok(body.to_vec());
        }
        Err(match serde_json::from_slice::<ErrorAnswer>(&body) {
            Ok(error) => self.refused(status, &error.code, &error.message),
            Err(_) => self.stranger(status, &body),
        })
    }

    /// The same with an answer in JSON.
    pub fn send_for<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&serde_json::Value>,
    ) -> Result<T> {
        let answer = self.send(method, path, query, body)?;
        serde_json::from_slice(&answer).map_err(|_| {
            CliError::failed(format!(
                "{} gave an answer this program does not know; is it of another version?",
                self.origin()
            ))
        })
    }
}

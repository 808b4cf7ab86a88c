//! A kept connection to CometBFT's RPC: JSON-RPC bodies out, answers in, nothing parsed that is
//! not needed. Cheaper for the machine under load than a client with a pool and types.

use crate::client::Failure;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{handshake, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{json, Value};
use tokio::net::TcpStream;

/// `host:port` of an RPC address.
///
/// # Errors
/// When it is no plain HTTP address.
pub fn authority(address: &str) -> Result<String, Failure> {
    let wrong = || {
        Failure::usage(format!("'{address}' is no address of a node"))
            .hint("an address looks like http://127.0.0.1:26657")
    };
    let rest = match address.trim().trim_end_matches('/').split_once("://") {
        Some(("http" | "tcp", rest)) => rest,
        Some(_) => return Err(wrong()),
        None => address.trim(),
    };
    let port = rest.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    port.map(|_| rest.to_owned()).ok_or_else(wrong)
}

/// One connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Connection {
    /// Opens it.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn open(authority: &str) -> Result<Connection, Failure> {
        let sender = connect(authority).await?;
        Ok(Connection { sender, authority: authority.to_owned() })
    }

    /// Posts a body and gives the answer's. The node closes connections that were silent for ten
    /// seconds: where it did, a new one is opened.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn post(&mut self, body: Bytes) -> Result<Bytes, Failure> {
        if self.sender.ready().await.is_err() {
            self.sender = connect(&self.authority).await?;
        }
        let broken = |error: &dyn std::fmt::Display| unreachable(&self.authority, error);
        let request = http::Request::post("/")
            .header(http::header::HOST, &self.authority)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| broken(&error))?;
        let answer = self.sender.send_request(request).await.map_err(|error| broken(&error))?;
        let body = answer.into_body().collect().await.map_err(|error| broken(&error))?;
        Ok(body.to_bytes())
    }

    /// Calls a method and gives its result.
    ///
    /// # Errors
    /// When the connection broke or the node answered with an error.
    pub async fn call(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": method, "params": params });
        let body = Bytes::from(body.to_string());
        let answer = match self.post(body.clone()).await {
            Ok(answer) => answer,
            // The node may close a silent connection in the moment it is used again: a question
            // can be asked twice.
            Err(_) => {
                self.sender = connect(&self.authority).await?;
                self.post(body).await?
            }
        };
        let mut answer: Value = serde_json::from_slice(&answer)
            .map_err(|error| Failure::new_answer(&self.authority, &error.to_string()))?;
        match answer["result"].take() {
            Value::Null => Err(Failure::new_answer(&self.authority, &answer["error"].to_string())),
            result => Ok(result),
        }
    }
}

async fn connect(authority: &str) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let broken = |error: &dyn std::fmt::Display| unreachable(authority, error);
    let stream = TcpStream::connect(authority).await.map_err(|error| broken(&error))?;
    stream.set_nodelay(true).map_err(|error| broken(&error))?;
    let opened = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = opened.map_err(|error| broken(&error))?;
    // Ends with the sender; what goes wrong on it the sender hears.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

impl Failure {
    fn new_answer(authority: &str, what: &str) -> Failure {
        Failure::new(crate::client::Exit::Error, "node", format!("{authority}: {what}"))
    }
}

fn unreachable(authority: &str, reason: &dyn std::fmt::Display) -> Failure {
    let text = format!("no node answers at {authority}: {reason}");
    Failure::new(crate::client::Exit::Unreachable, "unreachable", text)
        .hint("without --node, cyberd load starts a chain of its own")
        .retryable()
}

/// A number that CometBFT writes as a text.
pub fn number(value: &Value) -> u64 {
    let text = value.as_str().and_then(|text| text.parse().ok());
    text.or_else(|| value.as_u64()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_host_and_port_and_no_encryption() {
        assert_eq!(authority("http://127.0.0.1:26657/").expect("http"), "127.0.0.1:26657");
        assert_eq!(authority("tcp://localhost:1").expect("tcp"), "localhost:1");
        assert_eq!(authority("[::1]:2").expect("plain"), "[::1]:2");
        for wrong in ["https://a:1", "http://a", "a", "http://a:70000"] {
            assert!(authority(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_come_as_texts_or_as_numbers() {
        assert_eq!((number(&json!("12")), number(&json!(12)), number(&json!(null))), (12, 12, 0));
    }
}

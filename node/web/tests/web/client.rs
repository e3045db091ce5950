//! A browser in a few lines: raw HTTP over a real connection, so that every header is the test's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_util::sync::DropGuard;
use towline_web::Web;

/// A running board, for as long as this lives.
pub(crate) struct Board {
    pub(crate) address: SocketAddr,
    pub(crate) web: Arc<Web>,
    pub(crate) _stop: DropGuard,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self
            .head
            .lines()
            .find(|line| line.to_lowercase().starts_with(&format!("{name}: ")))?;
        line.split_once(": ").map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Board {
    pub(crate) async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if headers.iter().all(|(name, _)| *name != "host") {
            request.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut stream = self.open(method, path, headers, body).await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The status line and the headers of an answer; its body is not awaited.
    pub(crate) async fn head_of(&self, path: &str, headers: &[(&str, &str)]) -> String {
        let mut stream = BufReader::new(self.open("GET", path, headers, "").await);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(
                stream.read_line(&mut head).await.unwrap() > 0,
                "the answer ended: {head}"
            );
        }
        head
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    /// Signs somebody in: the cookie and the token that their pages carry.
    pub(crate) async fn sign_in(&self, who: &str) -> (String, String) {
        let link = self.web.login_link("", who);
        let answer = self.get(&link).await;
        assert_eq!(answer.status, 303);
        let cookie = answer
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        let page = self.send("GET", "/p/demo", &[("cookie", &cookie)], "").await.body;
        let csrf = page.split("name=\"csrf-token\" content=\"").nth(1).unwrap();
        (cookie, csrf.split('"').next().unwrap().to_owned())
    }

    pub(crate) async fn write(&self, headers: &[(&str, &str)], body: Value) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/json"));
        self.send(
            "POST",
            "/api/v1/projects/demo/requests",
            &headers,
            &body.to_string(),
        )
        .await
    }
}

/// Reads one event of a stream: its id, its name and its data.
pub(crate) async fn event(stream: &mut BufReader<TcpStream>) -> (String, String, Value) {
    let (mut id, mut name, mut data) = (String::new(), "message".to_owned(), Value::Null);
    loop {
        let mut line = String::new();
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_line(&mut line)).await;
        assert!(read.expect("an event in time").unwrap() > 0, "the stream ended");
        match line.trim_end().split_once(": ") {
            Some(("id", value)) => id = value.to_owned(),
            Some(("event", value)) => name = value.to_owned(),
            Some(("data", value)) => data = serde_json::from_str(value).unwrap(),
            _ if !data.is_null() && line.trim().is_empty() => return (id, name, data),
            _ => {}
        }
    }
}

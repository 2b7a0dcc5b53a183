//! A scrape of `/metrics`, and single requests to the admin API, by HTTP as it is written.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// What a scrape brought, in the text format of Prometheus.
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// The value of a series, written as it is in the text.
    pub(crate) fn of(&self, series: &str) -> Option<f64> {
        let value = self.0.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        Some(value.parse().unwrap_or_else(|_| panic!("{series} is {value:?}")))
    }

    /// The names of all families.
    pub(crate) fn families(&self) -> impl Iterator<Item = &str> {
        self.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
    }
}

/// The status and the body of a scrape that accepts this.
pub(crate) fn scrape(admin: SocketAddr, accept: &str) -> (u16, String) {
    exchange(admin, &format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\nAccept: {accept}\r\n\r\n"))
}

/// The status and the body of the answer to a request with a JSON body.
pub(crate) fn request(admin: SocketAddr, method: &str, path: &str, body: &str) -> (u16, String) {
    let length = body.len();
    exchange(
        admin,
        &format!(
            "{method} {path} HTTP/1.1\r\nHost: {admin}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ),
    )
}

fn exchange(admin: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(admin).expect("the admin API listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    stream.write_all(request.as_bytes()).expect("the request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, to its end");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request}: {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

//! A client of HTTP/1.1 that does as little as possible: product and floor are loaded by the same one.
//!
//! One thread keeps all connections busy: each sends its next request as soon as it has its answer.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// What came of a load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Answers.
    pub(crate) requests: u64,
    /// Those that said something else than 200 or 201, and requests without an answer.
    pub(crate) failed: u64,
    /// From the first request to the last answer.
    pub(crate) seconds: f64,
    /// How long half of the answers took at most, in seconds.
    pub(crate) p50: f64,
    /// The same for 99 of a hundred.
    pub(crate) p99: f64,
}

impl Load {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

/// The value that the given share of sorted microseconds does not exceed, in seconds.
fn quantile(sorted: &[u32], share: f64) -> f64 {
    let position = (sorted.len() as f64 * share).ceil() as usize;
    let value = sorted.get(
        position
            .saturating_sub(1)
            .min(sorted.len().saturating_sub(1)),
    );
    f64::from(value.copied().unwrap_or(0)) / 1e6
}

/// Sends requests over so many connections for so long. `request` writes the one with a number.
pub(crate) fn load(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    request: &mut dyn FnMut(u64, &mut Vec<u8>),
) -> anyhow::Result<Load> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(connections);
    let start = Instant::now();
    let mut sender = Sender {
        time,
        start,
        sent: 0,
        request,
    };
    let mut latencies: Vec<u32> = Vec::new();
    let mut failed = 0;
    let mut all = Vec::with_capacity(connections);
    for position in 0..connections {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        poll.registry().register(
            &mut stream,
            Token(position),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        all.push(Connection::new(stream));
    }
    let mut open = connections;
    for connection in &mut all {
        if !sender.next(connection) {
            open -= 1;
        }
    }
    while open > 0 {
        if let Err(error) = poll.poll(&mut events, Some(Duration::from_secs(30))) {
            if error.kind() == ErrorKind::Interrupted {
                continue;
            }
            return Err(error.into());
        }
        if events.is_empty() {
            bail!("no answer for 30 seconds");
        }
        for event in &events {
            let connection = &mut all[event.token().0];
            if !connection.is_busy {
                continue;
            }
            if connection.write()? {
                continue;
            }
            while let Some(status) = connection.read()? {
                let took = connection.since.elapsed().as_micros();
                latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
                failed += u64::from(!matches!(status, 200 | 201));
                if !sender.next(connection) {
                    open -= 1;
                    break;
                }
                if connection.write()? {
                    break;
                }
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    Ok(Load {
        requests: latencies.len() as u64,
        failed,
        seconds,
        p50: quantile(&latencies, 0.5),
        p99: quantile(&latencies, 0.99),
    })
}

/// Hands out requests until there is to be no more.
struct Sender<'a> {
    time: Duration,
    start: Instant,
    sent: u64,
    request: &'a mut dyn FnMut(u64, &mut Vec<u8>),
}

impl Sender<'_> {
    /// Gives a connection its next request; false if there is none.
    fn next(&mut self, connection: &mut Connection) -> bool {
        let goes_on = self.start.elapsed() < self.time;
        connection.is_busy = goes_on;
        if goes_on {
            connection.out.clear();
            connection.written = 0;
            (self.request)(self.sent, &mut connection.out);
            self.sent += 1;
            connection.since = Instant::now();
        }
        goes_on
    }
}

struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    since: Instant,
    is_busy: bool,
}

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        Connection {
            stream,
            out: Vec::new(),
            written: 0,
            answer: Vec::with_capacity(1 << 12),
            since: Instant::now(),
            is_busy: false,
        }
    }

    /// Writes what is to be written; true if the rest must wait.
    fn write(&mut self) -> anyhow::Result<bool> {
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if must_wait(&error) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("a request could not be sent"),
            }
        }
        Ok(false)
    }

    /// Reads what there is; the status, if the answer is complete.
    fn read(&mut self) -> anyhow::Result<Option<u16>> {
        let mut buffer = [0; 1 << 14];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(read) => {
                    self.answer.extend_from_slice(&buffer[..read]);
                    if let Some(status) = complete(&self.answer)? {
                        self.answer.clear();
                        return Ok(Some(status));
                    }
                }
                Err(error) if must_wait(&error) => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("an answer could not be read"),
            }
        }
    }
}

/// A connection that is still being made says that it is not connected.
fn must_wait(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}

/// The status of an answer, if all of it is there.
fn complete(answer: &[u8]) -> anyhow::Result<Option<u16>> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end]).context("a head is text")?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .with_context(|| format!("no answer of HTTP: {head}"))?;
    let length: usize = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .with_context(|| format!("an answer without its length: {head}"))?;
    Ok((answer.len() >= end + 4 + length).then_some(status))
}

/// One connection for one request after the other.
pub(crate) struct Client {
    address: SocketAddr,
    stream: std::net::TcpStream,
    authorization: String,
}

/// An answer.
pub(crate) struct Answer {
    /// Its body.
    pub(crate) body: Vec<u8>,
    /// From the request's first byte to the answer's last, in seconds.
    pub(crate) seconds: f64,
}

impl Client {
    /// Connects; every request carries the key.
    pub(crate) fn connect(address: SocketAddr, key: &str) -> anyhow::Result<Client> {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(5)))?;
        Ok(Client {
            address,
            stream,
            authorization: format!("Authorization: Bearer {key}\r\n"),
        })
    }

    /// Asks for a path.
    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{}\r\n",
            self.address, self.authorization
        );
        self.ask(head.as_bytes())
            .with_context(|| format!("GET {path}"))
    }

    /// Sends a body to a path.
    pub(crate) fn post(
        &mut self,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{}Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.authorization,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.ask(&request).with_context(|| format!("POST {path}"))
    }

    /// Asks for a path whose answer has no known length, and counts the lines of it.
    pub(crate) fn count_lines(&self, path: &str) -> anyhow::Result<(u64, f64)> {
        let start = Instant::now();
        let mut stream = std::net::TcpStream::connect(self.address)?;
        // The old version has no chunks, so what comes is the body as it is.
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\n{}\r\n",
            self.address, self.authorization
        )?;
        let mut answer = BufReader::with_capacity(1 << 18, stream);
        let mut line = Vec::new();
        let (mut lines, mut is_body) = (0, false);
        while answer.read_until(b'\n', &mut line)? > 0 {
            if is_body {
                lines += 1;
            } else if lines == 0 && line.starts_with(b"HTTP/") && !line[8..].starts_with(b" 200 ") {
                bail!("GET {path}: {}", String::from_utf8_lossy(&line));
            }
            is_body |= line == b"\r\n";
            line.clear();
        }
        Ok((lines, start.elapsed().as_secs_f64()))
    }

    fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        let start = Instant::now();
        self.stream.write_all(request)?;
        let mut answer = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = self.stream.read(&mut buffer)?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            answer.extend_from_slice(&buffer[..read]);
            let Some(status) = complete(&answer)? else {
                continue;
            };
            let seconds = start.elapsed().as_secs_f64();
            let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            let body = answer.split_off(end.map_or(0, |end| end + 4));
            if !(200..300).contains(&status) {
                bail!("{status}: {}", String::from_utf8_lossy(&body));
            }
            return Ok(Answer { body, seconds });
        }
    }
}

/// The middle and the 99th of a hundred of some times, in seconds.
pub(crate) fn middle_and_worst(mut seconds: Vec<f64>) -> (f64, f64) {
    seconds.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let position = (seconds.len() as f64 * share) as usize;
        seconds
            .get(position.min(seconds.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
    };
    (at(0.5), at(0.99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_body_is() {
        let answer = b"HTTP/1.1 201 Created\r\ncontent-length: 4\r\n\r\nabcd";
        for end in 0..answer.len() {
            assert_eq!(complete(&answer[..end]).unwrap(), None, "{end}");
        }
        assert_eq!(complete(answer).unwrap(), Some(201));
    }

    #[test]
    fn quantiles_are_taken_from_the_sorted_times() {
        let times: Vec<u32> = (1..=100).collect();
        assert!((quantile(&times, 0.5) - 50e-6).abs() < 1e-9);
        assert!((quantile(&times, 0.99) - 99e-6).abs() < 1e-9);
        assert!((quantile(&[], 0.99)).abs() < 1e-9);
    }
}

//! The built binary as a process: started, watched, stopped.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::files::Workspace;

/// How long a server may take until it listens.
const START: Duration = Duration::from_mins(1);

/// The binary.
pub(crate) struct Rollbook {
    binary: PathBuf,
}

/// What an import came to.
#[derive(Debug)]
pub(crate) struct Imported {
    /// What `rollbook import --json` printed.
    pub(crate) summary: Value,
    /// From start to exit.
    pub(crate) seconds: f64,
    /// Time on all processors together.
    pub(crate) processor_seconds: f64,
    /// The most memory it ever had.
    pub(crate) peak_bytes: u64,
    /// What it sent to the disk.
    pub(crate) written_bytes: u64,
    /// The identifiers that it had in memory at its end, and the bytes that they took.
    pub(crate) identifiers: u64,
    pub(crate) index_bytes: u64,
}

/// A server of ours; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Rollbook {
    /// The binary at a path.
    pub(crate) fn at(binary: &Path) -> anyhow::Result<Rollbook> {
        ensure!(
            binary.is_file(),
            "there is no `{}`; build it with `cargo build --release`",
            binary.display()
        );
        Ok(Rollbook {
            binary: binary.canonicalize()?,
        })
    }

    /// Imports a file and watches the process.
    pub(crate) fn import(&self, workspace: &Workspace, file: &Path) -> anyhow::Result<Imported> {
        let start = Instant::now();
        let mut child = self
            .command(workspace)
            .arg("import")
            .arg(file)
            .arg("--json")
            .env("ROLLBOOK_LOG", "info")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut watched = Watched::default();
        let status = loop {
            watched.look(child.id());
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let seconds = start.elapsed().as_secs_f64();
        let said = read_all(child.stdout.take())?;
        let told = read_all(child.stderr.take())?;
        // Some of the generated rows are meant to fail: 3.
        if !matches!(status.code(), Some(0 | 3)) {
            bail!("rollbook import ended with {status}: {told}");
        }
        Ok(Imported {
            summary: serde_json::from_str(&said).context("the summary is no JSON")?,
            seconds,
            processor_seconds: watched.processor_seconds,
            peak_bytes: watched.peak_bytes,
            written_bytes: watched.written_bytes,
            identifiers: figure_in(&told, "identifiers=")?,
            index_bytes: figure_in(&told, "bytes=")?,
        })
    }

    /// Runs a command to its end and returns what it printed.
    pub(crate) fn run(&self, workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(workspace).args(arguments).output()?;
        ensure!(
            output.status.success(),
            "rollbook {} ended with {}: {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Serves on a free port.
    pub(crate) fn serve(&self, workspace: &Workspace) -> anyhow::Result<Server> {
        let mut command = self.command(workspace);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        // Counted as always, but never too many.
        for rate in ["--api-rate", "--api-address-rate"] {
            command.args([rate, "1000000000/m"]);
        }
        Server::start(command)
    }

    fn command(&self, workspace: &Workspace) -> Command {
        let mut command = Command::new(&self.binary);
        let database = format!("sqlite:{}", workspace.database().display());
        command
            .current_dir(&workspace.folder)
            .env("ROLLBOOK_DATABASE", database)
            .env("ROLLBOOK_FILES", workspace.files())
            .env("ROLLBOOK_MAX_FILE_BYTES", (16_u64 << 30).to_string())
            .stdin(Stdio::null());
        command
    }
}

impl Server {
    /// Starts a server and waits until it says on standard error where it listens.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Server> {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().context("standard error is a pipe")?;
        let (tell, told) = std::sync::mpsc::channel();
        // Reads on, so that the server never waits for us to listen.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let Ok(line) = line else { return };
                if let Some((_, address)) = line.split_once("listening on http://") {
                    let _ = tell.send(address.trim().to_owned());
                }
            }
        });
        let said = told.recv_timeout(START);
        let address = said
            .ok()
            .and_then(|address| address.parse::<SocketAddr>().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            bail!("a server did not start");
        };
        Ok(Server { child, address })
    }

    /// The most memory it ever had.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let mut watched = Watched::default();
        watched.look(self.child.id());
        watched.peak_bytes
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill(); // If it has ended already, all the better.
        let _ = self.child.wait();
    }
}

/// What Linux knows of a process as long as it lives.
#[derive(Debug, Default)]
struct Watched {
    processor_seconds: f64,
    peak_bytes: u64,
    written_bytes: u64,
}

impl Watched {
    fn look(&mut self, process: u32) {
        // Both only ever grow, and the files are gone when the process is: the last look counts.
        if let Some(kibibytes) = number_of(&format!("/proc/{process}/status"), "VmHWM:") {
            self.peak_bytes = kibibytes << 10;
        }
        if let Some(bytes) = number_of(&format!("/proc/{process}/io"), "write_bytes:") {
            self.written_bytes = self.written_bytes.max(bytes);
        }
        if let Some(seconds) = processor_seconds(&process.to_string()) {
            self.processor_seconds = self.processor_seconds.max(seconds);
        }
    }
}

/// The time that a process has had on all processors together; `self` is this one.
pub(crate) fn processor_seconds(process: &str) -> Option<f64> {
    /// Linux counts in hundredths of a second towards programs, whatever it does inside.
    const TICKS: f64 = 100.0;

    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second word is the program's name in brackets, with whatever signs it has.
    let (_, words) = text.rsplit_once(") ")?;
    let ticks = |position| words.split(' ').nth(position)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

/// The number behind a word in one of Linux's files.
fn number_of(file: &str, word: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The number behind the last such word in what a program told.
fn figure_in(told: &str, word: &str) -> anyhow::Result<u64> {
    let (_, rest) = told
        .rsplit_once(word)
        .with_context(|| format!("the program did not tell `{word}`: {told}"))?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
    Ok(digits.unwrap_or_default().parse()?)
}

fn read_all(pipe: Option<impl Read>) -> anyhow::Result<String> {
    let mut text = String::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_string(&mut text)?;
    }
    Ok(text)
}

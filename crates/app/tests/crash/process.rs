//! The built binary: started in a place of its own, killed by its handle, asked what it has.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use reqwest::blocking::{Client, ClientBuilder};
use rollbook_bench::generate::{DateStyle, Recipe, Variant};
use serde_json::Value;

/// How long anything may take that is waited for, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// A folder with a database and its files.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// A running process; killed when dropped.
pub(crate) struct Running {
    child: Child,
}

/// A running server.
pub(crate) struct Server {
    running: Running,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// The state of the file that every commit writes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written(Option<(u64, SystemTime)>);

impl Place {
    pub(crate) fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder can be made");
        Place { folder }
    }

    /// Writes a generated file.
    pub(crate) fn file(&self, recipe: &Recipe) -> PathBuf {
        let name = format!("{:?}-{}.csv", recipe.variant, recipe.seed);
        let path = self.folder.path().join(name.to_lowercase());
        let file = File::create(&path).expect("a file can be made");
        recipe
            .write_csv(&mut BufWriter::new(file))
            .expect("a file can be written");
        path
    }

    /// Writes a file with this content.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file can be written");
        path
    }

    /// Starts a command; what it prints can be read at its end.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let child = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the built binary starts");
        Running { child }
    }

    /// Runs a command to its end and returns what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self
            .command(arguments)
            .output()
            .expect("the built binary starts");
        assert!(
            output.status.success(),
            "rollbook {arguments:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("what it prints is UTF-8")
    }

    /// Serves on a free port.
    pub(crate) fn serve(&self) -> Server {
        let mut child = self
            .command(&["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the built binary starts");
        let said = lines(child.stderr.take().expect("standard error is a pipe"));
        let running = Running { child };
        let mut all = String::new();
        let begun = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let line = said
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("the server did not start: {all}"));
            if let Some((_, address)) = line.split_once("listening on http://") {
                let address = address.trim().parse().expect("an address is printed");
                return Server { running, address };
            }
            all.push_str(&line);
            all.push('\n');
        }
    }

    /// What has been written so far.
    pub(crate) fn written(&self) -> Written {
        let wal = self.folder.path().join("rollbook.db-wal");
        let written = std::fs::metadata(wal).ok();
        Written(written.and_then(|file| Some((file.len(), file.modified().ok()?))))
    }

    /// Every file of the place, with its bytes.
    pub(crate) fn everything(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut folders = vec![self.folder.path().to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder can be read") {
                let path = entry.expect("a folder can be read").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = std::fs::read(&path).expect("a file can be read");
                    files.push((path, bytes));
                }
            }
        }
        files
    }

    /// The newest attempt of the log, as it is printed; empty where nothing has been imported.
    pub(crate) fn newest(&self) -> String {
        if !self.folder.path().join("rollbook.db").exists() {
            return String::new();
        }
        self.run(&["log", "--since", "all", "--limit", "1", "--format", "json"])
    }

    /// All attempts of the log, newest first.
    pub(crate) fn log(&self) -> Vec<Value> {
        json_lines(&self.run(&["log", "--since", "all", "--format", "json"]))
    }

    /// All contacts in the order of their creation.
    pub(crate) fn contacts(&self) -> Vec<Value> {
        let mut contacts = json_lines(&self.run(&["contacts", "export", "--format", "json"]));
        contacts.sort_by_key(|contact| {
            let id = contact["id"].as_str().expect("a contact has an id");
            id.parse::<u64>().expect("an id is a number")
        });
        contacts
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let folder = self.folder.path();
        let database = format!("sqlite:{}", folder.join("rollbook.db").display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollbook"));
        command
            .args(arguments)
            .current_dir(folder)
            .env("ROLLBOOK_DATABASE", database)
            .env("ROLLBOOK_FILES", folder.join("files"))
            .env_remove("ROLLBOOK_CONFIG")
            .stdin(Stdio::null());
        command
    }
}

impl Running {
    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .expect("a child of ours can be waited for")
    }

    /// Waits for its end, but not longer than this.
    pub(crate) fn ends_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if begun.elapsed() >= time {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1).min(time));
        }
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child of ours can be killed");
        self.child
            .wait()
            .expect("a child of ours can be waited for");
    }

    /// What an ended process printed.
    pub(crate) fn printed(&mut self) -> String {
        read(self.child.stdout.take())
    }

    /// What an ended process said on standard error.
    pub(crate) fn said(&mut self) -> String {
        read(self.child.stderr.take())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may have ended already.
        let _ = self.child.wait();
    }
}

impl Server {
    /// Asks it to stop, with SIGTERM, and returns how it ended.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let id = self.running.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.is_ok_and(|told| told.success()), "kill works");
        let ended = self.running.ends_within(PATIENCE);
        ended.expect("the server ends when it is told to")
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.running.kill();
    }
}

/// An HTTP client. It can speak TLS, because the product can, and wants to know with what.
pub(crate) fn client() -> ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}

/// Waits until something is there.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The recipe of a file with new, changed or unchanged people.
pub(crate) fn recipe(rows: u64, variant: Variant) -> Recipe {
    Recipe {
        rows,
        seed: crate::kills::seed(),
        variant,
        dates: DateStyle::DayFirst,
    }
}

/// The lines that come out of a pipe.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Read on when nobody listens any more, so that the process never waits for us.
            let _ = tell.send(line);
        }
    });
    told
}

fn read(pipe: Option<impl Read>) -> String {
    let mut text = String::new();
    pipe.expect("it is a pipe, read once")
        .read_to_string(&mut text)
        .expect("what comes out is UTF-8");
    text
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

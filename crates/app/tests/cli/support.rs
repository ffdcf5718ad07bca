//! A folder with a database of its own, and the binary run in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A workspace that nobody else uses.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Workspace {
    /// An empty one.
    pub(crate) fn new() -> Workspace {
        Workspace {
            folder: tempfile::tempdir().expect("there is a temporary folder"),
        }
    }

    /// One in which phone numbers are German.
    pub(crate) fn german() -> Workspace {
        let workspace = Workspace::new();
        workspace
            .run(&[
                "workspace",
                "set",
                "--region",
                "DE",
                "--time-zone",
                "Europe/Berlin",
            ])
            .code(0);
        workspace
    }

    /// The path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("the folder takes files");
    }

    /// Reads a file of the folder.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("the file is there")
    }

    /// The binary in the folder, with nothing of our environment's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollbook"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("NO_COLOR");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ROLLBOOK_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, b"")
    }

    /// Runs a command that reads this.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let child = self.start(arguments, Stdio::piped());
        finish(child, input)
    }

    /// Starts a command and lets it run.
    pub(crate) fn start(&self, arguments: &[&str], input: Stdio) -> Child {
        self.command(arguments)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts")
    }

    /// Imports a file and returns its summary.
    pub(crate) fn import(&self, arguments: &[&str]) -> Value {
        let all: Vec<&str> = ["import", "--json"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        let ran = self.run(&all);
        assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
        ran.json()
    }

    /// The attempts that the log shows.
    pub(crate) fn attempts(&self, arguments: &[&str]) -> Vec<Value> {
        let all: Vec<&str> = ["log", "--since", "1h", "--format", "json"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        self.run(&all).code(0).json_lines()
    }
}

/// Feeds a child and waits for it.
pub(crate) fn finish(mut child: Child, input: &[u8]) -> Ran {
    let mut stdin = child.stdin.take();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        if let Some(stdin) = &mut stdin {
            // The child may end before it has read everything.
            let _ = stdin.write_all(&input);
        }
    });
    let output = child.wait_with_output().expect("the binary ends");
    writer.join().expect("the writer does not panic");
    Ran::of(&output)
}

impl Ran {
    fn of(output: &Output) -> Ran {
        Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Checks that what was said on standard error has these parts.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Ran {
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is not in {self:?}");
        }
        self
    }

    /// The one JSON value on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON values on standard output, one a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let value = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        self.out.lines().map(value).collect()
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < limit, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The path of a shared table, if it is there: in the folder that `ROLLBOOK_TEST_DATA` names, else beside the
/// workspace. Without it a test says that it was left out; where `CI` is `true` that is a failure.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("ROLLBOOK_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{} is missing; set ROLLBOOK_TEST_DATA",
        path.display()
    );
    eprintln!(
        "left out: {} is missing; set ROLLBOOK_TEST_DATA",
        path.display()
    );
    None
}

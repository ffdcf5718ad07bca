//! What the machine says: room on a disk, the size of files, what the process takes.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Ticks of the processor's time in `/proc`: the same on every Linux.
const TICKS_A_SECOND: u32 = 100;

/// What a process takes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Process {
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// Open files and connections.
    pub(crate) open_files: u64,
    /// Time of the processors.
    pub(crate) processor: Duration,
}

/// Bytes that others than the administrator may still write where this file or folder is.
pub(crate) fn free(place: &Path) -> Option<u64> {
    let about = rustix::fs::statvfs(place).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}

/// The folder that a file is in.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Bytes of a database with its write-ahead log.
pub(crate) fn database_bytes(file: &Path) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    size(file) + size(Path::new(&log))
}

/// What this process takes; zeros where the machine does not say.
pub(crate) fn process() -> Process {
    let mut process = Process::default();
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        process.memory = kilobytes.unwrap_or(0_u64) * 1024;
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        process.open_files = files.count() as u64;
    }
    if let Ok(stat) = std::fs::read_to_string("/proc/self/stat") {
        // The name in parentheses may hold anything; behind it stand numbers.
        let numbers = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = |place: usize| {
            let text = numbers.split_whitespace().nth(place)?;
            text.parse::<u64>().ok()
        };
        let all = ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0);
        process.processor = Duration::from_secs(all) / TICKS_A_SECOND;
    }
    process
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_something() {
        let process = process();
        assert!(process.memory > 1 << 20, "{process:?}");
        assert!(process.open_files > 2, "{process:?}");
        assert!(free(Path::new("/")).is_some());
        assert_eq!(free(Path::new("/there/is/no/such/place")), None);
        assert_eq!(folder_of(Path::new("rollbook.db")), Path::new("."));
        assert_eq!(folder_of(Path::new("/a/rollbook.db")), Path::new("/a"));
    }
}

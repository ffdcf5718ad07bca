//! The command line. One command a file; exit code 0: done, 1: could not run, 2: bad arguments, 3: done, some rows
//! failed.

mod serve;

use std::process::ExitCode;

use crate::config::Config;

/// Reads the command line and runs the command.
pub(crate) fn main() -> ExitCode {
    let config = Config {
        database: "sqlite:rollbook.db".to_owned(),
        files: "rollbook-files".into(),
        listen: ([127, 0, 0, 1], 8080).into(),
        public_url: None,
        max_file_bytes: 2 << 30,
        max_record_bytes: 1 << 20,
        max_batch_bytes: 64 << 20,
    };
    let runtime = tokio::runtime::Runtime::new().expect("the system gives us threads");
    match runtime.block_on(serve::serve(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(1)
        }
    }
}

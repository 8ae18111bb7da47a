//! The command line; everything else stands in `commands`.

use std::process::ExitCode;

use clap::Parser as _;
use countersign::commands::CommandLine;

fn main() -> ExitCode {
    // One provider of cryptography for every TLS client in the process; a second call would only be told so.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    countersign::commands::run(CommandLine::parse())
}

//! The pando command.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            pando_vmm::console::terminal::restore();
            eprintln!("pando: {error:#}");
            ExitCode::from(cli::exit_status(&error))
        }
    }
}

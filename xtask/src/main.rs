//! `cargo xtask`: commands for work on Pando.

mod apt;
mod bench;
mod build;
mod cache;
mod cli;
mod demo;
mod dpdk;
mod endpoint_test;
mod fuzz;
mod host;
mod initramfs;
mod kernels;
mod modules;
mod nested;
mod packages;
mod paths;
mod qemu;
mod scratch;
mod test;
mod ui;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use self::cli::{Cli, Fetch, Nested, Task};
use self::host::Way;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Task::Demo(options) => demo::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Nested(options) => nested(options),
        Task::Fetch(options) => fetch(&options),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{} {error:#}", ui::paint("1;31", "error:"));
        ExitCode::FAILURE
    })
}

fn nested(options: Nested) -> Result<ExitCode> {
    if let (Way::Direct, why) = Way::find() {
        ui::say(&format!("the nested machine is not needed here: {why}"));
    }
    let Nested { command, memory, core } = options;
    let stdout = Box::new(std::io::stdout());
    let job = nested::Job { command, memory, core, with_stdin: true, stdout };
    let status = nested::run(job)?;
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)))
}

fn fetch(options: &Fetch) -> Result<ExitCode> {
    packages::ensure(packages::GUEST)?;
    for series in options.kernels.list() {
        let kernel = kernels::get(*series, options.newest)?;
        ui::say(&format!("{}: {}", series.name(), kernel.image().display()));
        if let Ok(builds) = endpoint_test::archive(*series, &kernel)? {
            ui::say(&format!("its pci_endpoint_test: {}", builds.display()));
        }
    }
    ui::say(&format!("programs: {}", initramfs::tools()?.display()));
    ui::say(&format!("DPDK: {}", dpdk::archive()?.display()));
    Ok(ExitCode::SUCCESS)
}

use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn all_options_of_run() {
    let line = "pando run --platform p --kernel k --initrd i --cmdline -x --cpus 2 --memory 1GiB \
                --serial none --on-reset exit --workers 3 --poll 2ms -vv";
    let Command::Run(run) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else {
        panic!("not run");
    };
    let (cpus, memory) = (run.cpus.unwrap().get(), run.memory.unwrap().bytes());
    assert_eq!((cpus, memory, run.workers, run.verbose), (2, 1 << 30, Some(3), 2));
    assert_eq!(run.poll.unwrap().duration(), std::time::Duration::from_millis(2));
    assert_eq!((run.on_reset, run.cmdline.as_deref()), (OnReset::Exit, Some("-x")));
}

#[test]
fn exit_statuses() {
    let status = |error: run::NotPoweredOff| exit_status(&error.into());
    assert_eq!(status(run::NotPoweredOff::Signal(15)), 143);
    assert_eq!(status(run::NotPoweredOff::Reset("x")), 3);
    assert_eq!(status(run::NotPoweredOff::Quit), 1);
    assert_eq!(exit_status(&anyhow::anyhow!("x")), 1);
}

use super::*;
use clap::CommandFactory;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn sizes_as_people_write_them() {
    let bytes = |text: &str| text.parse::<Size>().map(|size| size.0);
    for text in ["512", "512M", "512MiB", "512 mib", "512mb"] {
        assert_eq!(bytes(text), Ok(512 << 20), "{text}");
    }
    assert_eq!(bytes("4GiB"), Ok(4 << 30));
    for text in ["", "GiB", "4XB", "-1", "1.5GiB", "99999999999TiB"] {
        assert!(bytes(text).is_err(), "{text}");
    }
}

#[test]
fn all_options_of_run() {
    let line = "pando run --platform p --kernel k --initrd i --cmdline -x --cpus 2 --memory 1GiB \
                --serial none --on-reset exit --workers 3 -vv";
    let Command::Run(run) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else {
        panic!("not run");
    };
    assert_eq!(
        (run.cpus, run.memory, run.workers, run.verbose),
        (Some(2), Some(Size(1 << 30)), Some(3), 2)
    );
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

//! The handle against shell scripts that play a VMM.

use std::process::Command;
use std::time::Duration;

use super::{Guest, Signal};

fn play(script: &str, limit: Duration) -> Guest {
    Guest::spawn(Command::new("bash").args(["-c", script]), limit).unwrap()
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn host_and_guest_take_turns() {
    let mut guest = play("echo PANDO:await:tap; read -r word; echo \"got <$word>\"; exit 3", LONG);
    guest.wait_for("tap").unwrap();
    guest.send("go\n").unwrap();
    assert_eq!(guest.wait_line("got").unwrap(), "got <go>");
    assert_eq!(guest.finish().unwrap().code(), Some(3));
}

#[test]
fn a_line_is_found_though_others_were_read_first() {
    let mut guest = play("echo one; echo two; echo err >&2", LONG);
    guest.finish().unwrap();
    assert_eq!(guest.wait_line("two").unwrap(), "two");
    assert!(guest.wait_line("one").is_err(), "only later lines count");
    assert_eq!(guest.errors(), ["err"]);
}

#[test]
fn a_hanging_guest_is_an_error_and_gone_afterwards() {
    let mut guest =
        play("echo last words; echo PANDO:begin:; exec sleep 1000", Duration::from_millis(300));
    let id = guest.id();
    assert_eq!(guest.finish().unwrap_err().to_string(), "the time is up");
    assert_eq!(guest.console(), ["last words", "PANDO:begin:"]);
    drop(guest);
    assert!(!std::path::Path::new(&format!("/proc/{id}")).exists());
}

#[test]
fn a_guest_that_does_not_come_up_is_told_from_one_that_hangs_later() {
    let mut guest = play("echo half a boot; exec sleep 1000", Duration::from_millis(300));
    assert_eq!(guest.finish().unwrap_err().to_string(), "the time is up, and the guest is not");
}

#[test]
fn a_signal_reaches_the_vmm() {
    let mut guest = play("trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done", LONG);
    guest.wait_line("ready").unwrap();
    guest.signal(Signal::TERM).unwrap();
    assert_eq!(guest.finish().unwrap().code(), Some(9));
}

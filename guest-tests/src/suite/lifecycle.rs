//! How a machine ends: power-off, reboot, panic, and the user's signals.

use anyhow::{Result, ensure};

use crate::guest::{Guest, Signal};
use crate::test::{Test, guest};

pub(super) fn tests() -> Vec<Test> {
    vec![
        guest("lifecycle::power_off", "check 'the guest is up' true"),
        guest("lifecycle::reboot_exits", REBOOT).fails(),
        guest("lifecycle::panic_exits", PANIC).fails(),
        guest("lifecycle::reboot_restarts", RESTART).restarts().host(comes_up_twice),
        guest("lifecycle::terminate", WAIT).host(|guest| ends_by(guest, Signal::TERM)).fails(),
        guest("lifecycle::interrupt", WAIT).host(|guest| ends_by(guest, Signal::INT)).fails(),
        guest("lifecycle::no_input", "check 'the guest runs without input' true").host(|guest| {
            guest.close_input();
            Ok(())
        }),
    ]
}

const REBOOT: &str = "check 'the guest is up' true; finish; reboot -f";

const PANIC: &str = "check 'the guest is up' true; finish; echo c >/proc/sysrq-trigger";

/// Every start looks like the first, so the host side tells which one this is.
const RESTART: &str = r#"
    await_host "start"
    case "$REPLY" in
    again) reboot -f ;;
    done) check "no VF is left of the last run" [ "$(cat "/sys/bus/pci/devices/$(pf)/sriov_numvfs")" = 0 ] ;;
    esac
"#;

const WAIT: &str = "check 'the guest is up' true; finish; await_host signal; sleep 1000";

fn comes_up_twice(guest: &mut Guest) -> Result<()> {
    guest.wait_for("start")?;
    guest.send("again\n")?;
    guest.wait_for("start")?;
    guest.send("done\n")
}

/// The VMM ends orderly: by an exit status, not by the signal itself.
fn ends_by(guest: &mut Guest, signal: Signal) -> Result<()> {
    guest.wait_for("signal")?;
    guest.signal(signal)?;
    let status = guest.finish()?;
    ensure!(status.code().is_some(), "the VMM died of the signal ({status})");
    Ok(())
}

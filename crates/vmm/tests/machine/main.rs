//! The `pando` command with bare-metal payloads: a machine's life as a user sees it.
//!
//! Needs /dev/kvm, but no hardware virtualization: the payloads are a few hundred instructions. Without /dev/kvm each test says so and passes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod payload;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use payload::{Code, write_elf};
use tempfile::TempDir;

/// A machine that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

struct Machine {
    folder: TempDir,
    platform: PathBuf,
    arguments: Vec<String>,
}

impl Machine {
    /// `None` where there is no KVM.
    fn new(code: Code) -> Option<Self> {
        if !Path::new("/dev/kvm").exists() {
            eprintln!("skipped: there is no /dev/kvm");
            return None;
        }
        let folder = TempDir::new().unwrap();
        write_elf(&folder.path().join("payload"), &code);
        let platform = folder.path().join("platform.toml");
        std::fs::write(&platform, "[[root-port]]\nid = \"rp0\"\n").unwrap();
        Some(Self { folder, platform, arguments: Vec::new() })
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| argument.to_string()));
        self
    }

    fn spawn(&self, stdin: Stdio) -> Child {
        Command::new(env!("CARGO_BIN_EXE_pando"))
            .args(["run", "--kernel"])
            .arg(self.folder.path().join("payload"))
            .arg("--platform")
            .arg(&self.platform)
            .args(&self.arguments)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn run(&self) -> Output {
        finish(self.spawn(Stdio::null()))
    }
}

/// Waits for the end, and kills what doesn't end.
fn finish(mut child: Child) -> Output {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("pando hangs: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Reads until the machine has said `text`.
fn wait_for(child: &mut Child, text: &str) {
    let (mut seen, mut byte) = (String::new(), [0]);
    let stdout = child.stdout.as_mut().unwrap();
    while !seen.contains(text) {
        assert_eq!(stdout.read(&mut byte).unwrap(), 1, "ended after {seen:?}");
        seen.push(byte[0].into());
    }
}

#[test]
fn power_off_ends_with_status_0() {
    let Some(machine) = Machine::new(Code::new().print("hello").power_off()) else { return };
    let output = machine.run();
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), "hello".into()), "{output:?}");
    assert_eq!(stderr(&output), "");
}

#[test]
fn every_way_to_reset_ends_the_machine_when_told_so() {
    let ways = [
        (Code::new().out(0xcf9, 6), "wrote the reset register"),
        (Code::new().out(0x64, 0xfe), "pulsed the keyboard controller's reset line"),
        (Code::new().triple_fault(), "triple-faulted"),
    ];
    for (code, text) in ways {
        let Some(machine) = Machine::new(code) else { return };
        let output = machine.with(&["--on-reset", "exit"]).run();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(stderr(&output).contains(text), "{output:?}");
    }
}

#[test]
fn a_reset_starts_over_from_cleared_memory_until_a_signal_ends_it() {
    // Prints "old" if memory still holds the mark of an earlier life.
    let code = Code::new().print_if_marked("old").mark().print("life").triple_fault();
    let Some(machine) = Machine::new(code) else { return };
    let machine = machine.with(&["--cpus", "3"]);
    let mut child = machine.spawn(Stdio::null());
    wait_for(&mut child, "lifelifelife");
    signal(&child, "TERM");
    let output = finish(child);
    assert_eq!(output.status.code(), Some(143), "{output:?}");
    assert_eq!(stderr(&output), "pando: stopped by signal 15\n");
}

#[test]
fn ctrl_c_ends_a_machine_that_hangs() {
    let Some(machine) = Machine::new(Code::new().print("hangs").halt()) else { return };
    let mut child = machine.spawn(Stdio::null());
    wait_for(&mut child, "hangs");
    signal(&child, "INT");
    assert_eq!(finish(child).status.code(), Some(130));
}

#[test]
fn input_from_a_pipe_reaches_the_guest_and_its_end_hurts_nobody() {
    let Some(machine) = Machine::new(Code::new().echo(b'.').power_off()) else { return };
    let mut child = machine.spawn(Stdio::piped());
    let text =
        "longer than the sixty-four bytes that the receiver's first-in-first-out buffer holds";
    write!(child.stdin.take().unwrap(), "{text}.").unwrap();
    let output = finish(child);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), text.into()), "{output:?}");
}

#[test]
fn input_from_a_file_reaches_the_guest() {
    let Some(machine) = Machine::new(Code::new().echo(b'.').power_off()) else { return };
    let file = machine.folder.path().join("input");
    let text = "a line ".repeat(100);
    std::fs::write(&file, format!("{text}.")).unwrap();
    let output = finish(machine.spawn(std::fs::File::open(file).unwrap().into()));
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), text), "{output:?}");
}

#[test]
fn an_idle_machine_costs_nothing_whatever_its_input() {
    let Some(machine) = Machine::new(Code::new().print("idle").halt()) else { return };
    let (pipe, writer) = std::io::pipe().unwrap();
    drop(writer);
    for stdin in [Stdio::null(), pipe.into()] {
        let mut child = machine.spawn(stdin);
        wait_for(&mut child, "idle");
        let before = cpu_ticks(&child);
        std::thread::sleep(Duration::from_millis(500));
        let spent = cpu_ticks(&child) - before;
        signal(&child, "TERM");
        finish(child);
        assert!(spent < 10, "{spent} ticks of 10 ms in 500 ms");
    }
}

/// User and system time (fields 14 and 15 of /proc/PID/stat).
fn cpu_ticks(child: &Child) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields = text.rsplit(") ").next().unwrap().split(' ').skip(11).take(2);
    fields.map(|field| field.parse::<u64>().unwrap()).sum()
}

#[test]
fn serial_output_goes_to_a_file_or_nowhere() {
    let Some(machine) = Machine::new(Code::new().print("text").power_off()) else { return };
    let file = machine.folder.path().join("log");
    let machine = machine.with(&["--serial", file.to_str().unwrap()]);
    let output = machine.run();
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), String::new()));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "text");
    let Some(machine) = Machine::new(Code::new().print("text").power_off()) else { return };
    let output = machine.with(&["--serial", "none"]).run();
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), String::new()));
}

#[test]
fn what_is_not_there_reads_all_ones() {
    let code = Code::new()
        .fail_unless_port_reads(0xcfc, 0xff)
        .fail_unless_port_reads(0x20, 0xff)
        .fail_unless_memory_reads(0xd000_0000, 0xffff_ffff)
        .fail_unless_memory_reads(0xfec0_0000, 0)
        .print("ok")
        .power_off();
    let Some(machine) = Machine::new(code) else { return };
    assert_eq!(stdout(&machine.run()), "ok");
}

#[test]
fn a_reader_that_is_gone_does_not_stop_the_machine() {
    let Some(machine) = Machine::new(Code::new().print("nobody reads").power_off()) else { return };
    let mut child = machine.spawn(Stdio::null());
    drop(child.stdout.take());
    assert_eq!(finish(child).status.code(), Some(0));
}

/// Runs the machine on a terminal of its own, types `keys` once it has printed "ready", and returns what the terminal showed.
/// The shell around it tells whether the terminal's settings came back, and the exit status.
fn on_a_terminal(machine: &Machine, keys: &[u8]) -> String {
    let shell = format!(
        "before=$(stty -g); {} run --kernel {} --platform {}; echo status $?; \
         [ \"$before\" = \"$(stty -g)\" ] && echo restored",
        env!("CARGO_BIN_EXE_pando"),
        machine.folder.path().join("payload").display(),
        machine.platform.display(),
    );
    let mut child = Command::new("script")
        .args(["-qec", &shell, "/dev/null"])
        .env("SHELL", "/bin/bash")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&mut child, "ready");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(keys).unwrap();
    let output = finish(child);
    drop(stdin);
    stdout(&output)
}

#[test]
fn ctrl_a_x_ends_the_machine_and_the_terminal_is_as_before() {
    let Some(machine) = Machine::new(Code::new().print("ready").halt()) else { return };
    let shown = on_a_terminal(&machine, b"\x01h\x01x");
    for text in ["Ctrl-A x  stop", "stopped at the console", "status 1", "restored"] {
        assert!(shown.contains(text), "no {text:?} in {shown:?}");
    }
}

#[test]
fn on_a_terminal_ctrl_c_is_the_guests_key() {
    let code = Code::new().print("ready").echo(b'.').print("end").power_off();
    let Some(machine) = Machine::new(code) else { return };
    let shown = on_a_terminal(&machine, b"\x03\x01a.");
    for text in ["\x03\x01end", "status 0", "restored"] {
        assert!(shown.contains(text), "no {text:?} in {shown:?}");
    }
}

#[test]
fn memory_above_four_gib_is_there() {
    let Some(machine) = Machine::new(Code::new().print("big").power_off()) else { return };
    let output = machine.with(&["--memory", "16GiB", "--cpus", "16"]).run();
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), "big".into()), "{output:?}");
}

#[test]
fn options_out_of_range_say_the_range() {
    for (arguments, text) in [
        (["--cpus", "17"], "1 to 16"),
        (["--cpus", "0"], "1 to 16"),
        (["--memory", "64MiB"], "128MiB"),
    ] {
        let Some(machine) = Machine::new(Code::new().power_off()) else { return };
        let output = machine.with(&arguments).run();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(text), "{output:?}");
    }
}

/// Enough of a bzImage to be taken for one.
fn bzimage() -> Vec<u8> {
    let mut image = vec![0; 4096];
    image[0x1f1] = 1;
    image[0x202..0x208].copy_from_slice(b"HdrS\x0f\x02");
    image[0x236] = 1;
    image[0x239] = 8; // command line of 2048 bytes
    image
}

#[test]
fn a_kernel_is_refused_where_kvm_only_interprets() {
    if pando_vmm::kvm::has_hardware_virtualization() {
        return eprintln!("skipped: this CPU has svm or vmx");
    }
    let Some(machine) = Machine::new(Code::new()) else { return };
    std::fs::write(machine.folder.path().join("payload"), bzimage()).unwrap();
    let output = machine.run();
    let message = stderr(&output);
    assert_eq!((output.status.code(), message.lines().count()), (Some(1), 1), "{message}");
    assert!(message.contains("neither svm nor vmx") && message.contains("cargo xtask nested"));
}

#[test]
fn mistakes_get_one_line_each() {
    for (arguments, text) in [
        (["--initrd", "/nonexistent"], "the initrd /nonexistent cannot be opened"),
        (["--serial", "/nonexistent/file"], "serial output file /nonexistent/file"),
    ] {
        let Some(machine) = Machine::new(Code::new().power_off()) else { return };
        let output = machine.with(&arguments).run();
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(message.contains(text), "{arguments:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

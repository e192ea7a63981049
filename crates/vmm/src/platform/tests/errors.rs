//! Platforms that are wrong: each mistake with the exact report.

use super::super::*;

mod connections;
mod values;

struct Case {
    name: &'static str,
    text: &'static str,
    /// `LINE:COLUMN: what is wrong; what would be right`.
    reports: &'static [&'static str],
}

/// The first line of each report, without the file's name.
fn reports(text: &str) -> Vec<String> {
    let errors = Platform::parse("f.toml", text).expect_err("it is refused").to_string();
    errors.lines().filter_map(|line| line.strip_prefix("f.toml:")).map(str::to_owned).collect()
}

#[test]
fn each_mistake_is_told_with_its_place_and_what_would_be_right() {
    for Case { name, text, reports: expected } in values::CASES.iter().chain(connections::CASES) {
        assert_eq!(reports(text), *expected, "{name}");
    }
}

#[test]
fn a_report_shows_the_line_and_marks_the_place() {
    let text = "# a card\n[[nic]]\nid = \"nic0\"\n\tat = \"rp0\"\n";
    let errors = Platform::parse("cards/one.toml", text).expect_err("it is refused");
    let plain = "cards/one.toml:4:7: `at` names `rp0`, and no port has this id; add a `[[root-port]]` with this id\n \
                 4 |  at = \"rp0\"\n   |       ^^^^^";
    assert_eq!(errors.to_string(), plain);
    let colour = errors.render(true);
    assert!(colour.contains("\u{1b}[1;31m^^^^^\u{1b}[0m"), "{colour}");
    assert_eq!(
        errors.problems()[0].place.as_ref().map(|place| (place.line, place.column)),
        Some((4, 7))
    );
}

#[test]
fn a_long_line_is_shown_around_the_place() {
    let text = format!("capture = [{}{{ port = \"x\", file = \"f\" }}]", " ".repeat(5000));
    let errors = Platform::parse("f.toml", &text).expect_err("it is refused").to_string();
    let lines: Vec<&str> = errors.lines().collect();
    assert!(lines[0].starts_with("f.toml:1:5021: no network card"), "{errors}");
    assert_eq!(lines[1].find("\"x\""), lines[2].find("^^^"), "{errors}");
    assert!(lines.iter().all(|line| line.len() < 120), "{errors}");
}

#[test]
fn many_problems_are_counted() {
    let errors = Platform::parse("f.toml", &"[[nic]]\n".repeat(30)).expect_err("it is refused");
    assert_eq!(errors.problems().len(), 40);
    assert!(errors.to_string().ends_with("f.toml: 20 more problems; mend these first"));
}

#[test]
fn a_switch_has_32_device_numbers() {
    let ports = |count: usize| -> String {
        (0..count).map(|n| format!("{{ id = \"d{n}\" }},\n")).collect()
    };
    let text = |count| {
        format!(
            "[[root-port]]\nid = \"rp0\"\n[[switch]]\nid = \"sw0\"\nupstream = \"rp0\"\ndownstream = [\n{}]\n",
            ports(count)
        )
    };
    Platform::parse("f.toml", &text(32)).expect("32 fit");
    let expected = "39:8: no device number is left in the switch `sw0` for `d32`: it has 32; remove some, or make several of them functions of one device with `device` and `function`";
    assert_eq!(reports(&text(34)), [expected]);
}

#[test]
fn a_segment_has_256_bus_numbers() {
    // Bus 0, then two per level: the link, and the inside of the switch.
    let deep = |levels: usize| -> String {
        let level = |n: usize| {
            format!(
                "[[switch]]\nid = \"s{n}\"\nupstream = \"d{n}\"\ndownstream = [{{ id = \"d{}\" }}]\n",
                n + 1
            )
        };
        std::iter::once("[[root-port]]\nid = \"d0\"\n".to_owned())
            .chain((0..levels).map(level))
            .collect()
    };
    let card = "[[nic]]\nid = \"nic0\"\nat = \"root-bus\"\n";
    let needs = |text: &str| Platform::parse("f.toml", text).expect("it fits").root_complex.needs();
    assert_eq!(needs(&deep(127)).buses, 256);
    let plain = format!("{}{card}vfs = 0\n", deep(127));
    assert_eq!(needs(&plain).ecam_buses, 256);
    let right = "a segment has 256: a port takes one, a switch one more, a card with virtual functions one more; remove some";
    let spilling = reports(&format!("{}{card}", deep(127)));
    assert_eq!(
        spilling,
        [format!(
            "510:22: the tree needs 257 bus numbers, and `d127` is the first that none is left for; {right}"
        )]
    );
    let deeper = reports(&deep(128));
    assert_eq!(
        deeper,
        [format!(
            "512:6: the tree needs 258 bus numbers, and `s127` is the first that none is left for; {right}"
        )]
    );
}

//! `pando check`: what a platform file says, or everything that is wrong with it.

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::Path;

use anyhow::{Context, Result};
use pando_vmm::platform::{Errors, Platform};
use serde_json::Value;

/// Every problem of a platform file, as many lines as it takes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadPlatform(String);

/// Prints the platform in `file`: its tree, and what `report` says of the IOMMU; or as JSON everything it says and what follows
/// from that.
pub(super) fn check(file: &Path, json: bool, report: Option<&Path>) -> Result<()> {
    let platform = load(file)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&platform)?);
    } else {
        println!("{}", platform.tree().trim_end());
    }
    if let Some(report) = report {
        print!("\nIOMMU, as the machine told it\n{}", iommu(report)?);
    }
    Ok(())
}

/// The IOMMU's part of a machine's report, in words.
fn iommu(file: &Path) -> Result<String> {
    let name = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("reading the report {name}"))?;
    let mut tree: Value = serde_json::from_str(&text)
        .with_context(|| format!("{name} is no report; `pando run --report FILE` makes one"))?;
    let Some(iommu) = tree.get_mut("iommu") else { return Ok("none\n".to_owned()) };
    let report: pando_vtd::Report = serde_json::from_value(iommu.take())
        .with_context(|| format!("{name} is a report of another version of Pando"))?;
    Ok(report.to_string())
}

/// Reads the platform in `file`.
pub(super) fn load(file: &Path) -> Result<Platform> {
    let render = |errors: Errors| BadPlatform(errors.render(stderr().is_terminal()));
    Ok(Platform::load(file).map_err(render)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_of_the_iommu_or_why_it_does_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let told = |text: &str| {
            fs::write(&file, text).unwrap();
            iommu(file.path()).map_err(|error| format!("{error:#}"))
        };
        let whole = r#"{ "iommu": { "translation": true, "interrupt_remapping": true, "contexts": 3,
            "pass_through": 1, "domains": 2, "cached": 7, "hits": 3, "misses": 1, "faults": 0,
            "faults_collapsed": 0, "faults_lost": 0 } }"#;
        assert!(told(whole).unwrap().contains("3 contexts: 2 in 2 domains, 1 passed through"));
        assert_eq!(told("{}").unwrap(), "none\n");
        assert!(told("").unwrap_err().contains("`pando run --report FILE` makes one"));
        assert!(told(r#"{ "iommu": 1 }"#).unwrap_err().contains("another version"));
    }
}

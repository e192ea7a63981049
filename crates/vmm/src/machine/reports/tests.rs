use serde_json::json;

use super::*;

#[test]
fn parts_are_put_where_they_belong() {
    let mut reports = Reports::default();
    reports.add(&["engine"], || Ok(json!({ "workers": 2 })));
    reports.add(&["cards", "nic0", "ports"], || Ok(json!([1, 2])));
    reports.add(&["cards", "nic0", "functions"], || Ok(json!("pf")));
    let expected = json!({
        "engine": { "workers": 2 },
        "cards": { "nic0": { "ports": [1, 2], "functions": "pf" } },
    });
    assert_eq!(reports.tree(), expected);
}

#[test]
fn a_file_gets_the_tree_and_a_missing_folder_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut reports = Reports::default();
    reports.add(&["engine"], || Ok(json!(1)));
    reports.go_to(Some(folder.path().join("report.json")));
    reports.write().unwrap();
    let text = fs::read_to_string(folder.path().join("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({ "engine": 1 }));
    reports.go_to(Some("/nowhere/report.json".into()));
    assert!(format!("{:#}", reports.write().unwrap_err()).contains("/nowhere/report.json"));
}

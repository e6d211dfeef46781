//! What `verify` and `head` say of queues that are whole and of damaged ones.

use serde_json::Value;

use crate::golden::{check, run};
use crate::scenes::{self, ALL, QUEUE, RECORDS, files};

/// The records that the findings of `verify --json` tell as lost.
fn lost(found: &Value) -> Vec<u64> {
    let findings = found["findings"].as_array().expect("findings");
    let number = |finding: &Value, name: &str| finding[name].as_u64().expect("a sequence");
    findings
        .iter()
        .filter(|finding| finding["severity"] == "loss")
        .flat_map(|finding| number(finding, "first")..number(finding, "next"))
        .collect()
}

fn verify_json(scene: &scenes::Scene, more: &[&str]) -> Value {
    let arguments = [&["verify", QUEUE, "--json"], more].concat();
    let output = run(scene.folder(), &arguments);
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

#[test]
fn every_scene_is_told_word_for_word_and_left_as_it_is() {
    for (name, make) in ALL {
        let scene = make();
        let before = files(&scene.path());
        check(
            &format!("verify-{name}"),
            scene.folder(),
            &["verify", QUEUE, "--chain"],
        );
        assert!(
            files(&scene.path()) == before,
            "{name}: verify changed a file"
        );
    }
}

#[test]
fn exactly_the_damaged_records_are_told_as_lost() {
    for (name, make) in ALL {
        let scene = make();
        let found = verify_json(&scene, &["--chain"]);
        let damaged: Vec<u64> = scene.damaged.iter().copied().collect();
        assert_eq!(lost(&found), damaged, "{name}: {found:#}");
        let left = RECORDS - u64::try_from(damaged.len()).expect("a small number");
        assert_eq!(found["records"], left, "{name}");
    }
}

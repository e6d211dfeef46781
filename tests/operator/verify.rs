//! What `verify` and `head` say of queues that are whole and of damaged ones.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use forebay::inspect::{Pace, VerifyOptions, verify};
use forebay::{Integrity, Queue, Retention, Sequence, SyncPolicy};
use serde_json::Value;

use crate::golden::{check, run};
use crate::scenes::{self, ALL, QUEUE, RECORDS, files, segments};

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

#[test]
fn a_head_is_witnessed_and_proven_and_another_one_is_not() {
    let scene = scenes::whole();
    let output = check("head", scene.folder(), &["head", QUEUE]);
    let said = String::from_utf8(output.stdout).expect("text");
    let head = said.split(' ').next().expect("a head").to_owned();
    let arguments = ["verify", QUEUE, "--anchor", &head];
    check("verify-anchor-proven", scene.folder(), &arguments);
    let other = format!("{RECORDS}:{}", "0".repeat(64));
    let arguments = ["verify", QUEUE, "--anchor", &other];
    check("verify-anchor-differs", scene.folder(), &arguments);
    let (_, hash) = head.split_once(':').expect("a hash");
    let beyond = format!("{}:{hash}", RECORDS + 1);
    let found = verify_json(&scene, &["--anchor", &beyond]);
    assert_eq!(found["anchor"]["outcome"], "beyond", "{found:#}");
    assert_eq!(found["sound"], false);
    let output = run(scene.folder(), &["verify", QUEUE, "--anchor", "17"]);
    assert_eq!(output.status.code(), Some(2));

    let output = run(scene.folder(), &["head", QUEUE, "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(
        (&found["sequence"], &found["hash"]),
        (&RECORDS.into(), &hash.into())
    );
    assert!(found["epoch"].is_string());
}

/// What `STATE` says is better than nothing, and nobody should take it for what is in the log.
#[test]
fn a_head_that_the_log_does_not_lead_to_is_told_as_a_finding() {
    let scene = scenes::whole();
    let whole = run(scene.folder(), &["head", QUEUE]).stdout;
    let last = segments(&scene).into_iter().rev();
    let last = last.filter(|number| !scenes::records(&scene, *number).is_empty());
    for number in last.take(1) {
        fs::remove_file(scene.file(&scenes::segment(number))).expect("a segment");
    }
    let output = check("head-segment-gone", scene.folder(), &["head", QUEUE]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, whole);
    let output = run(scene.folder(), &["head", QUEUE, "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(found["in_log"], false);
}

#[test]
fn the_head_of_a_queue_without_a_record_is_no_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = Queue::open(folder.path().join(QUEUE)).expect("a new queue");
    queue.close().expect("a clean close");
    let output = run(folder.path(), &["head", QUEUE]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.starts_with(b"0:"), "{output:?}");
}

#[test]
fn what_has_no_chain_or_is_no_queue_ends_with_two_and_a_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = Queue::options().integrity(Integrity::Crc32c);
    let queue = plain.open(folder.path().join(QUEUE)).expect("a new queue");
    queue.enqueue(b"no hash").expect("room");
    check("head-no-chain", folder.path(), &["head", QUEUE]);
    fs::write(folder.path().join("file"), "text").expect("room");
    for (name, at) in [
        ("verify-no-queue", "nothing"),
        ("verify-plain-file", "file"),
    ] {
        let output = check(name, folder.path(), &["verify", at]);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
    }
}

/// It can be looked at and proven like a queue, and is none: opening refuses it.
#[test]
fn a_backup_is_verified_and_said_not_to_open() {
    let scene = scenes::whole();
    forebay::backup::backup(scene.path(), scene.folder().join("copy")).expect("a whole queue");
    check("verify-a-backup", scene.folder(), &["verify", "copy"]);
    let found =
        verify(scene.folder().join("copy"), &VerifyOptions::new(), &|_| {}).expect("a backup");
    let refusal = Queue::open(scene.folder().join("copy")).expect_err("a backup is no queue");
    let opening = found.opening.expect_err("opening refuses it");
    assert_eq!(opening.to_string(), refusal.to_string());
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let told = run(scene.folder(), &["stats", "copy"]);
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let told = String::from_utf8(told.stdout).expect("text");
    assert!(told.contains("a backup, which is restored"), "{told}");
    for (path, is_backup) in [(QUEUE, false), ("copy", true)] {
        let output = run(scene.folder(), &["stats", path, "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        assert_eq!(found["backup"], is_backup, "{path}");
    }
}

/// The largest resident size of a child, in KiB, until it ends.
fn peak_of(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("a child").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(number.unwrap_or(0));
    }
    peak
}

/// The queue has twice as many bytes as the command may take.
#[test]
#[cfg(target_os = "linux")]
fn a_large_queue_is_verified_in_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Queue::options()
        .sync_policy(SyncPolicy::Manual)
        .retention(Retention::KeepForever);
    let queue = options
        .open(folder.path().join(QUEUE))
        .expect("a new queue");
    let record = vec![7; 16 << 10];
    for _ in 0..128 {
        let batch = std::iter::repeat_n(&record, 64);
        queue.enqueue_batch(batch).expect("room");
    }
    queue.close().expect("a clean close");
    let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
        .args(["verify", QUEUE, "--chain", "--jobs", "4"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("the command runs");
    let peak = peak_of(&mut child);
    assert!(child.wait().expect("an end").success());
    assert!(peak > 0 && peak < 64 << 10, "{peak} KiB");
}

/// A program enqueues, acknowledges and reclaims as fast as it can; benches/verify does it longer.
#[test]
fn beside_a_program_at_full_speed_there_is_no_false_alarm() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(QUEUE);
    let options = Queue::options()
        .segment_bytes(256 << 10)
        .sync_policy(SyncPolicy::Interval(Duration::from_millis(5)));
    let queue = options.open(&path).expect("a new queue");
    let over = AtomicBool::new(false);
    let verified = thread::scope(|scope| {
        scope.spawn(|| {
            let mut consumer = queue.consumer("ship").expect("a free name");
            while !over.load(Ordering::Relaxed) {
                for number in 0..500 {
                    queue.enqueue(scenes::payload(number)).expect("room");
                }
                let done = queue.durable().get().saturating_sub(2000);
                if done > 0 {
                    let last = Sequence::new(done - 1);
                    consumer.ack_through(last).expect("durable records");
                }
            }
        });
        let (mut records, mut rounds) = (0, 0);
        // Until many segments have come and gone.
        while queue.first().get() < 30_000 || rounds < 20 {
            let options = VerifyOptions::new()
                .chain(rounds % 2 == 0)
                .pace([Pace::Gentle, Pace::Full, Pace::Fitting][rounds % 3])
                .jobs(1 + rounds % 2);
            rounds += 1;
            let found = verify(&path, &options, &|_| {}).expect("a queue");
            if !found.findings.is_empty() {
                over.store(true, Ordering::Relaxed);
                panic!("a false alarm: {found:#?}");
            }
            records += found.records;
        }
        over.store(true, Ordering::Relaxed);
        records
    });
    assert!(verified > 0);
}

#[cfg(unix)]
#[test]
fn a_queue_may_have_more_segments_than_a_process_may_have_files_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(QUEUE);
    let queue = Queue::options()
        .segment_bytes(8192)
        .retention(Retention::KeepForever)
        .sync_policy(SyncPolicy::Manual)
        .open(&path)
        .expect("a new queue");
    for _ in 0..400 {
        queue.enqueue(&[7_u8; 1000][..]).expect("room");
    }
    queue.close().expect("a clean end");
    assert!(
        fs::read_dir(path.join("segments"))
            .expect("a folder")
            .count()
            > 60
    );
    let command = format!(
        "ulimit -n 16 && exec '{}' verify '{}' --chain --jobs 2",
        env!("CARGO_BIN_EXE_forebay"),
        path.display()
    );
    let shell = Command::new("sh").args(["-c", &command]).output();
    let output = shell.expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

//! Shows that the campaigns can fail: a copy of the crate whose syncs do nothing must lose what it
//! acknowledged.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::failure::{Failure, Must, Outcome};

/// What is replaced in `src/storage/disk.rs`.
const PLANTED: [(&str, &str); 2] = [
    (
        "        self.file
            .sync_data()
            .map_err(sync_failed(\"sync\", &self.path))",
        "        Ok(())",
    ),
    (
        "    folder
        .sync_all()
        .map_err(sync_failed(\"sync directory\", path))",
        "    drop(folder);
    Ok(())",
    ),
];

/// Runs a shutdown campaign of `cycles` on the copy, on each of `filesystems`.
pub(crate) fn prove(filesystems: &[&str], cycles: u32, folder: &Path) -> Outcome<String> {
    let program = build(folder)?;
    let mut told = Vec::new();
    for filesystem in filesystems {
        let output = Command::new(&program)
            .args(["shutdown", "--filesystem", filesystem])
            .args(["--cycles", &cycles.to_string()])
            .output()
            .must("run the copy")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let line = said.lines().find(|line| line.contains("BROKEN PROMISE: "));
        let Some(line) = line.filter(|_| output.status.code() == Some(1)) else {
            return Failure::broken(format!(
                "without any sync the campaign on {filesystem} loses nothing: {}: {said}",
                output.status
            ));
        };
        told.push(format!("on {filesystem}: {line}"));
    }
    Ok(format!(
        "with syncs that do nothing the shutdown campaign fails, as it must\n  {}",
        told.join("\n  ")
    ))
}

/// Builds this test in a copy of the crate with the bugs planted.
fn build(folder: &Path) -> Outcome<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = folder.join("planted");
    copy_tree(
        root,
        &copy,
        &[
            "src",
            "tests",
            "benches",
            "Cargo.toml",
            "Cargo.lock",
            "README.md",
        ],
    )?;
    let disk = copy.join("src/storage/disk.rs");
    let mut source = std::fs::read_to_string(&disk).must("read disk.rs")?;
    for (sound, planted) in PLANTED {
        if source.matches(sound).count() != 1 {
            return Failure::setup(format!("not once in disk.rs:\n{sound}"));
        }
        source = source.replace(sound, planted);
    }
    std::fs::write(&disk, source).must("write disk.rs")?;
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(&copy)
        .args(["test", "--release", "--test", "realfs", "--no-run"])
        .args(["--message-format", "json", "--target-dir"])
        .arg(target()?)
        .output()
        .must("run cargo")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let program = said
        .split("\"executable\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .find(|program| program.contains("/realfs-"));
    match program {
        Some(program) if output.status.success() => Ok(program.into()),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            Failure::setup(format!("the copy does not build: {said}"))
        }
    }
}

/// A folder of its own: in the build's own one the copy's files would be taken for the crate's.
fn target() -> Outcome<PathBuf> {
    let own = std::env::current_exe().must("find the own program")?;
    // <target>/<profile>/deps/<program>
    match own.ancestors().nth(3) {
        Some(target) => Ok(target.join("realfs-without-sync")),
        None => Failure::setup("where is the target folder?"),
    }
}

fn copy_tree(from: &Path, to: &Path, names: &[&str]) -> Outcome {
    std::fs::create_dir_all(to).must("make a folder")?;
    for name in names {
        let (from, to) = (from.join(name), to.join(name));
        if from.is_dir() {
            let entries = std::fs::read_dir(&from).must("list a folder")?;
            let names: Vec<String> = entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            copy_tree(&from, &to, &names)?;
        } else if from.is_file() {
            std::fs::copy(&from, &to).must("copy a file")?;
        }
    }
    Ok(())
}

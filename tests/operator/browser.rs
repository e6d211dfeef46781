//! A page as a browser shows it: headless Chromium, told to fetch nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAM: &str = "chromium";

/// How a browser is asked to show a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

/// Runs the browser on the file `page` and returns what it printed.
fn browse(page: &Path, scheme: Scheme, arguments: &[String]) -> Vec<u8> {
    let profile = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(PROGRAM);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null());
    if scheme == Scheme::Dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot run {PROGRAM} ({error}): install it, for example with `apt-get install chromium`")
    });
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// The document as the browser understood it.
pub(crate) fn document(page: &Path) -> String {
    let printed = browse(page, Scheme::Light, &["--dump-dom".to_owned()]);
    String::from_utf8(printed).expect("text")
}

/// How many pixels of the page, shown in a window of this size, have each colour. The picture is
/// left beside the page, to be looked at.
pub(crate) fn colours(
    page: &Path,
    scheme: Scheme,
    (width, height): (u32, u32),
) -> BTreeMap<[u8; 3], u64> {
    let name = format!("{scheme:?}.png").to_lowercase();
    let picture = page.with_extension(name);
    fs::remove_file(&picture).ok();
    let arguments = [
        format!("--window-size={width},{height}"),
        format!("--screenshot={}", picture.display()),
    ];
    browse(page, scheme, &arguments);
    pixels(&picture, (width, height))
}

fn pixels(picture: &PathBuf, size: (u32, u32)) -> BTreeMap<[u8; 3], u64> {
    let file = File::open(picture).expect("a picture");
    let decoder = png::Decoder::new(BufReader::new(file));
    let mut reader = decoder.read_info().expect("a PNG");
    let info = reader.info();
    assert_eq!((info.width, info.height), size);
    assert_eq!(info.bit_depth, png::BitDepth::Eight);
    let step = info.color_type.samples();
    assert!(step >= 3, "{:?}", info.color_type);
    let mut bytes = vec![0; reader.output_buffer_size().expect("a small picture")];
    let frame = reader.next_frame(&mut bytes).expect("a whole PNG");
    let mut counts = BTreeMap::new();
    for pixel in bytes[..frame.buffer_size()].chunks_exact(step) {
        *counts.entry([pixel[0], pixel[1], pixel[2]]).or_default() += 1;
    }
    counts
}

//! Names of consumers: which are legal, and that none leaves its folder.

use forebay::ErrorKind;

use crate::scene::{enqueue, folder, quick, refused, snapshot};

#[test]
fn names_that_could_do_harm_are_refused_and_nothing_is_written() -> forebay::Result<()> {
    let folder = folder();
    // Large segments: nothing is made ready in the background so soon.
    let queue = quick()
        .segment_bytes(1 << 20)
        .open(folder.path().join("q"))?;
    enqueue(&queue, 0..3)?;
    let before = snapshot(folder.path());
    let (long, longer) = ("x".repeat(245), "x".repeat(256));
    let wide = "\u{e4}".repeat(123);
    for name in [
        "",
        ".",
        "..",
        "/",
        "a/b",
        "/etc/passwd",
        "../x",
        "../../x",
        "a/../../x",
        "a\0b",
        "a\nb",
        "\t",
        "\u{7f}",
        "\u{85}",
        ".hidden",
        "a\\b",
        "C:",
        "a*",
        "a?",
        "a\"",
        "<",
        ">",
        "|",
        &long,
        &longer,
        &wide,
    ] {
        let error = refused(queue.consumer(name), ErrorKind::InvalidInput);
        let text = error.to_string();
        assert!(text.contains("name"), "{text}");
        assert!(!text.contains('\0') && !text.contains('\n'), "{text:?}");
    }
    assert_eq!(snapshot(folder.path()), before);
    assert_eq!(queue.consumers(), Vec::<String>::new());
    Ok(())
}

#[test]
fn names_that_only_look_odd_work_and_come_back() -> forebay::Result<()> {
    let folder = folder();
    let path = folder.path().join("q");
    let (longest, wide) = ("x".repeat(244), "\u{e4}".repeat(122));
    let mut names = [
        "a",
        "A b",
        "a.b",
        "a..b",
        "-",
        "--help",
        "~",
        "$HOME",
        "a.cursor",
        "a.cursor.tmp",
        "tmp",
        "QUEUE",
        "\u{4e2d}\u{6587}",
        "a'b",
        "%2e%2e",
        " ",
        &longest,
        &wide,
    ];
    let queue = quick().open(&path)?;
    enqueue(&queue, 0..3)?;
    for name in names {
        let mut consumer = queue.consumer(name)?;
        assert_eq!(consumer.name(), name);
        assert!(consumer.peek()?.is_some());
        consumer.ack_through(forebay::Sequence::ZERO)?;
    }
    queue.close()?;
    let queue = quick().open(&path)?;
    names.sort_unstable();
    assert_eq!(queue.consumers(), names);
    for name in names {
        assert_eq!(queue.consumer(name)?.len()?, 2, "{name}");
    }
    Ok(())
}

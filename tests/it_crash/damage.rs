//! A small queue of several segments is damaged in every way that a medium may damage it: each
//! bit, each length, each file missing, empty, longer, swapped, duplicated.
//!
//! Every bit of every byte that is not zero is flipped, and one bit of every fourth byte that is:
//! zeros are blank space, where one bit is as good as another. Opening and draining then never
//! panic, never hand out what was not enqueued there, and lose nothing without a report.

use std::collections::BTreeMap;
use std::sync::Arc;

use forebay::storage::Directory;
use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, SyncPolicy};

use crate::golden::{Damage, Golden, Left, examine, make_golden, open_small};
use crate::support::{edit, options, tell};

/// How damage showed, from best to worst.
type Table = BTreeMap<(&'static str, String), u64>;

fn kind_of(name: &str) -> &'static str {
    match name {
        "QUEUE" => "QUEUE",
        "STATE" => "STATE",
        _ if name.ends_with(".log") => "segment",
        _ if name.ends_with(".idx") => "index",
        _ if name.ends_with(".cursor") => "cursor",
        _ => "other",
    }
}

fn note(table: &mut Table, name: &str, outcome: String) {
    *table.entry((kind_of(name), outcome)).or_default() += 1;
}

fn show(what: &str, left: Left, table: &Table) {
    let total: u64 = table.values().sum();
    tell(&format!("{what}, {left:?}: {total}"));
    for ((kind, outcome), count) in table {
        tell(&format!("  {kind:8} {outcome:40} {count}"));
    }
}

/// The files that are damaged: all but the lock, whose contents nobody decides by.
fn targets(golden: &Golden) -> Vec<String> {
    let names = golden.image.names().into_iter();
    names.filter(|name| name != "LOCK").collect()
}

fn flip_every_bit(left: Left) {
    let golden = make_golden(left);
    let mut table = Table::new();
    for name in targets(&golden) {
        let whole = golden.image.file_bytes(&name).expect("it is listed");
        for at in 0..whole.len() {
            for bit in 0..8 {
                let is_sampled = at / 8 % 4 == bit / 2;
                if whole[at] == 0 && (bit != at % 8 || !is_sampled) {
                    continue;
                }
                let image = golden.image.copy();
                edit(&image, &name, |bytes| bytes[at] ^= 1 << bit);
                let what = Damage {
                    names: &[&name],
                    is_gone: false,
                    text: format!("{left:?} {name} byte {at} bit {bit}"),
                };
                note(&mut table, &name, examine(&golden, &image, &what));
            }
        }
    }
    show("flipped bits", left, &table);
}

#[test]
fn a_flipped_bit_in_a_closed_queue_is_never_a_silent_loss() {
    flip_every_bit(Left::Closed);
}

#[test]
fn a_flipped_bit_after_a_kill_is_never_a_silent_loss() {
    flip_every_bit(Left::Killed);
}

#[test]
fn a_flipped_bit_after_a_power_cut_is_never_a_silent_loss() {
    flip_every_bit(Left::PowerCut);
}

#[test]
fn a_file_cut_short_anywhere_is_never_a_silent_loss() {
    for left in [Left::Closed, Left::Killed, Left::PowerCut] {
        let golden = make_golden(left);
        let mut table = Table::new();
        for name in targets(&golden) {
            let whole = golden.image.file_bytes(&name).expect("it is listed");
            for length in 0..whole.len() {
                let near = &whole[length.saturating_sub(1)..=length];
                if length > 64 && near == [0, 0] && length % 53 != 0 {
                    continue;
                }
                let image = golden.image.copy();
                edit(&image, &name, |bytes| bytes.truncate(length));
                let what = Damage {
                    names: &[&name],
                    is_gone: true,
                    text: format!("{left:?} {name} cut to {length}"),
                };
                note(&mut table, &name, examine(&golden, &image, &what));
            }
        }
        show("cut files", left, &table);
    }
}

#[test]
fn a_file_missing_or_longer_is_never_a_silent_loss() {
    for left in [Left::Closed, Left::Killed, Left::PowerCut] {
        let golden = make_golden(left);
        let mut table = Table::new();
        for name in targets(&golden) {
            let image = golden.image.copy();
            image.remove(&name).expect("it is there");
            let what = Damage {
                names: &[&name],
                is_gone: true,
                text: format!("{left:?} {name} missing"),
            };
            note(&mut table, &name, examine(&golden, &image, &what));
            for (more, byte) in [
                (1, 0),
                (1, 7),
                (100, 0),
                (100, 0x5a),
                (9000, 0),
                (9000, 0xff),
            ] {
                let image = golden.image.copy();
                edit(&image, &name, |bytes| {
                    bytes.resize(bytes.len() + more, byte);
                });
                let what = Damage {
                    names: &[&name],
                    is_gone: false,
                    text: format!("{left:?} {name} longer by {more} of {byte}"),
                };
                note(&mut table, &name, examine(&golden, &image, &what));
            }
        }
        show("missing and longer files", left, &table);
    }
}

#[test]
fn a_file_in_the_place_of_another_is_never_a_silent_loss() {
    for left in [Left::Closed, Left::Killed, Left::PowerCut] {
        let golden = make_golden(left);
        let mut table = Table::new();
        for name in targets(&golden) {
            let bytes = golden.image.file_bytes(&name).expect("it is listed");
            for other in targets(&golden).into_iter().filter(|other| *other != name) {
                // Put in its place, and swapped with it.
                for is_swapped in [false, true] {
                    if is_swapped && [name.as_str(), other.as_str()].contains(&"QUEUE") {
                        continue;
                    }
                    let image = golden.image.copy();
                    let theirs = image.file_bytes(&other).expect("it is listed");
                    image.put_file(&name, &theirs);
                    if is_swapped {
                        image.put_file(&other, &bytes);
                    }
                    let what = Damage {
                        names: &[&name, &other],
                        is_gone: true,
                        text: format!("{left:?} {name} is {other}, swapped {is_swapped}"),
                    };
                    note(&mut table, &name, examine(&golden, &image, &what));
                }
            }
        }
        show("files in the place of others", left, &table);
    }
}

#[test]
fn a_segment_or_index_under_another_number_is_never_a_silent_loss() {
    for left in [Left::Closed, Left::Killed, Left::PowerCut] {
        let golden = make_golden(left);
        let mut table = Table::new();
        for name in targets(&golden) {
            let Some(suffix) = name.strip_prefix("segments/").map(|name| &name[16..]) else {
                continue;
            };
            let bytes = golden.image.file_bytes(&name).expect("it is listed");
            for number in [4_u64, 5, 99, u64::from(u32::MAX), 9_999_999_999_999_998] {
                let image = golden.image.copy();
                image.put_file(&format!("segments/{number:016}{suffix}"), &bytes);
                let what = Damage {
                    names: &[&name],
                    is_gone: false,
                    text: format!("{left:?} {name} also under {number}"),
                };
                note(&mut table, &name, examine(&golden, &image, &what));
            }
        }
        show("duplicated segments and indexes", left, &table);
    }
}

#[test]
fn the_cursor_of_another_consumer_or_queue_is_refused() {
    let golden = make_golden(Left::Closed);
    let image = golden.image.copy();
    let own = image.file_bytes("cursors/c.cursor").expect("it is there");
    image.put_file("cursors/copy.cursor", &own);
    let other = MemoryDirectory::new();
    let queue = options(SyncPolicy::Always)
        .open_on(Arc::new(other.clone()))
        .expect("a new queue");
    drop(queue.consumer("foreign").expect("a new consumer"));
    drop(queue);
    let foreign = other
        .file_bytes("cursors/foreign.cursor")
        .expect("it is there");
    image.put_file("cursors/foreign.cursor", &foreign);
    let queue = open_small(&image).expect("cursors do not keep it from opening");
    for name in ["copy", "foreign"] {
        let error = queue.consumer(name).expect_err("it is not its own");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    queue.consumer("c").expect("the others go on");
}

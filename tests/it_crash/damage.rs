//! A small queue of all structures is damaged in every way that a medium may damage it: here each
//! bit and each length; in `misplaced` each block of 4 KiB and each file.
//!
//! Every bit of every byte that is not zero is flipped, and one bit of every fourth byte that is:
//! zeros are blank space, where one bit is as good as another. Opening and draining then never
//! panic, never hand out what was not enqueued there, and lose nothing without a report. How each
//! showed is held against the table in docs/TRUST.md.

use std::sync::Arc;

use forebay::storage::memory::MemoryDirectory;
use forebay::{ErrorKind, SyncPolicy};

use crate::detection::Measured;
use crate::golden::{ALL_LEFT, Left, make_golden, open_small};
use crate::structure::Layout;
use crate::support::{edit, options};
use crate::verdict::{Damage, examine};

fn flip_every_bit(left: Left) {
    let golden = make_golden(left);
    let mut measured = Measured::new("a bit flipped", left);
    for name in golden.image.names() {
        let layout = Layout::of(&golden.image, &name);
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
                measured.note(layout.at(at), examine(&golden, &image, &what));
            }
        }
    }
    measured.assert_documented();
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
    for left in ALL_LEFT {
        let golden = make_golden(left);
        let mut measured = Measured::new("cut short there", left);
        for name in golden.image.names() {
            let layout = Layout::of(&golden.image, &name);
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
                measured.note(layout.at(length), examine(&golden, &image, &what));
            }
        }
        measured.assert_documented();
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

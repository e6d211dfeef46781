//! Blocks and files of a queue that are lost, stale, doubled, or in the wrong place.

use forebay::storage::Directory;
use forebay::storage::memory::MemoryDirectory;

use crate::detection::Measured;
use crate::golden::{ALL_LEFT, Golden, make_golden, make_other};
use crate::structure;
use crate::support::edit;
use crate::verdict::{Damage, examine};

const BLOCK: usize = 4096;

/// All blocks of all files, by name and offset, with their bytes.
fn blocks(image: &MemoryDirectory) -> Vec<(String, usize, Vec<u8>)> {
    let mut found = Vec::new();
    for name in image.names() {
        let whole = image.file_bytes(&name).expect("it is listed");
        let cut = whole.chunks(BLOCK).enumerate();
        found.extend(cut.map(|(number, bytes)| (name.clone(), number * BLOCK, bytes.to_vec())));
    }
    found
}

/// Puts `block` at `offset` of the file `name`, as far as the file goes, and notes what comes of it.
fn overwrite(
    golden: &Golden,
    (name, offset): (&str, usize),
    block: &[u8],
    measured: &mut Measured,
    how: &str,
) {
    let image = golden.image.copy();
    edit(&image, name, |bytes| {
        let length = block.len().min(bytes.len() - offset);
        bytes[offset..offset + length].copy_from_slice(&block[..length]);
    });
    if image.file_bytes(name) == golden.image.file_bytes(name) {
        return;
    }
    let what = Damage {
        names: &[name],
        is_gone: true,
        text: format!("{:?} {name} block at {offset} {how}", golden.left),
    };
    let structure = structure::block_at(golden, name, offset);
    measured.note(structure, examine(golden, &image, &what));
}

#[test]
fn a_zeroed_or_stale_block_is_never_a_silent_loss() {
    for left in ALL_LEFT {
        let golden = make_golden(left);
        let mut zeroed = Measured::new("a block of zeros", left);
        let mut stale = Measured::new("a block of an earlier moment", left);
        for (name, offset, _) in blocks(&golden.image) {
            let place = (name.as_str(), offset);
            overwrite(&golden, place, &[0; BLOCK], &mut zeroed, "zeroed");
            for (moment, earlier) in golden.earlier.iter().enumerate() {
                let mut block = earlier.file_bytes(&name).unwrap_or_default();
                block.resize(block.len().max(offset) + BLOCK, 0);
                let how = format!("as of moment {moment}");
                let block = &block[offset..offset + BLOCK];
                overwrite(&golden, place, block, &mut stale, &how);
            }
        }
        zeroed.assert_documented();
        stale.assert_documented();
    }
}

#[test]
fn a_doubled_or_misplaced_block_is_never_a_silent_loss() {
    for left in ALL_LEFT {
        let golden = make_golden(left);
        let other = make_other(left);
        let mut doubled = Measured::new("another block of the file", left);
        let mut misplaced = Measured::new("a block of another file", left);
        let mut foreign = Measured::new("a block of another queue", left);
        for (name, offset, _) in blocks(&golden.image) {
            let place = (name.as_str(), offset);
            for (from, at, block) in blocks(&golden.image) {
                let how = format!("is {from} at {at}");
                let measured = if from == name {
                    &mut doubled
                } else {
                    &mut misplaced
                };
                overwrite(&golden, place, &block, measured, &how);
            }
            for (from, at, block) in blocks(&other.image) {
                let how = format!("is another queue's {from} at {at}");
                overwrite(&golden, place, &block, &mut foreign, &how);
            }
        }
        doubled.assert_documented();
        misplaced.assert_documented();
        foreign.assert_documented();
    }
}

#[test]
fn a_file_missing_or_longer_is_never_a_silent_loss() {
    for left in ALL_LEFT {
        let golden = make_golden(left);
        let mut missing = Measured::new("the file missing", left);
        let mut longer = Measured::new("the file longer", left);
        for name in golden.image.names() {
            let image = golden.image.copy();
            image.remove(&name).expect("it is there");
            let what = Damage {
                names: &[&name],
                is_gone: true,
                text: format!("{left:?} {name} missing"),
            };
            missing.note(structure::file(&name), examine(&golden, &image, &what));
            for more in [1, 100, 9000] {
                for byte in [0, 7, 0x5a, 0xff] {
                    let image = golden.image.copy();
                    edit(&image, &name, |bytes| {
                        bytes.resize(bytes.len() + more, byte);
                    });
                    let what = Damage {
                        names: &[&name],
                        is_gone: false,
                        text: format!("{left:?} {name} longer by {more} of {byte}"),
                    };
                    longer.note(structure::file(&name), examine(&golden, &image, &what));
                }
            }
        }
        missing.assert_documented();
        longer.assert_documented();
    }
}

#[test]
fn a_file_in_the_place_of_another_is_never_a_silent_loss() {
    for left in ALL_LEFT {
        let golden = make_golden(left);
        let foreign = make_other(left);
        let mut replaced = Measured::new("another file in its place", left);
        let mut swapped = Measured::new("swapped with another of its kind", left);
        let mut mixed = Measured::new("the same file of another queue", left);
        for name in golden.image.names() {
            let bytes = golden.image.file_bytes(&name).expect("it is listed");
            let structure = structure::file(&name);
            let put = |name: &str, theirs: &[u8], other: Option<&str>| {
                let image = golden.image.copy();
                image.put_file(name, theirs);
                if let Some(other) = other {
                    image.put_file(other, &bytes);
                }
                let what = Damage {
                    names: &[name, other.unwrap_or(name)],
                    is_gone: true,
                    text: format!("{left:?} {name} replaced, swapped with {other:?}"),
                };
                examine(&golden, &image, &what)
            };
            for other in golden.image.names() {
                if other == name {
                    continue;
                }
                let theirs = golden.image.file_bytes(&other).expect("it is listed");
                replaced.note(structure, put(&name, &theirs, None));
                let outcome = put(&name, &theirs, Some(&other));
                // Of different kinds, it is what becomes of both replaced.
                if structure::file(&other) == structure {
                    swapped.note(structure, outcome);
                }
            }
            // An index is a cache, and closing may have left one of the two without it.
            if let Some(theirs) = foreign.image.file_bytes(&name) {
                mixed.note(structure, put(&name, &theirs, None));
            }
        }
        replaced.assert_documented();
        swapped.assert_documented();
        mixed.assert_documented();
    }
}

#[test]
fn a_segment_or_index_under_another_number_is_never_a_silent_loss() {
    for left in ALL_LEFT {
        let golden = make_golden(left);
        let mut doubled = Measured::new("also under another number", left);
        let mut renamed = Measured::new("under another number", left);
        for name in golden.image.names() {
            let Some(suffix) = name.strip_prefix("segments/").map(|name| &name[16..]) else {
                continue;
            };
            let bytes = golden.image.file_bytes(&name).expect("it is listed");
            for number in [4_u64, 5, 99, u64::from(u32::MAX), 9_999_999_999_999_998] {
                for is_renamed in [false, true] {
                    let image = golden.image.copy();
                    image.put_file(&format!("segments/{number:016}{suffix}"), &bytes);
                    if is_renamed {
                        image.remove(&name).expect("it is there");
                    }
                    let what = Damage {
                        names: &[&name],
                        is_gone: is_renamed,
                        text: format!("{left:?} {name} under {number}, renamed {is_renamed}"),
                    };
                    let outcome = examine(&golden, &image, &what);
                    let measured = if is_renamed {
                        &mut renamed
                    } else {
                        &mut doubled
                    };
                    measured.note(structure::file(&name), outcome);
                }
            }
        }
        doubled.assert_documented();
        renamed.assert_documented();
    }
}

//! Random histories of one file against the plainest model of it: its bytes after every change
//! since the last sync. Every image must be made of those.

use super::*;

/// A small generator (xorshift), so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn fate(&mut self) -> Fate {
        match self.below(3) {
            0 => Fate::Lost,
            1 => Fate::Kept,
            _ => Fate::Torn {
                sectors: self.below(256).to_le_bytes()[0],
            },
        }
    }
}

/// Does one random thing to `file`, and the same to `history`, whose last state is the live one.
fn step(random: &mut Random, file: &dyn File, history: &mut Vec<Vec<u8>>) {
    let mut bytes = history.last().expect("a file has a state").clone();
    let at = random.below(3 * PAGE as u64);
    let start = usize::try_from(at).unwrap();
    match random.below(8) {
        0 => {
            file.sync().unwrap();
            history.clear();
        }
        1 => {
            file.set_length(at).unwrap();
            bytes.resize(start, 0);
        }
        2 => {
            file.allocate(at).unwrap();
            bytes.resize(start.max(bytes.len()), 0);
        }
        _ => {
            let count = usize::try_from(random.below(2000)).unwrap();
            let value = random.below(256).to_le_bytes()[0];
            file.write_at(&vec![value; count], at).unwrap();
            if count > 0 {
                bytes.resize(bytes.len().max(start + count), 0);
                bytes[start..start + count].fill(value);
            }
        }
    }
    history.push(bytes);
}

/// The bytes of one sector of a state, zeros beyond its end.
fn sector(state: &[u8], start: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = state.iter().skip(start).take(512).copied().collect();
    bytes.resize(512, 0);
    bytes
}

/// Every sector of `image` is one of its states in `history`, but for what a cut took away.
fn check(image: &[u8], history: &[Vec<u8>], seed: u64) {
    assert!(
        history.iter().any(|state| state.len() == image.len()),
        "seed {seed}"
    );
    for start in (0..image.len()).step_by(512) {
        let found = sector(image, start);
        let is_state = history.iter().any(|state| {
            let state = sector(state, start);
            let cuts = history
                .iter()
                .map(|cut| cut.len().saturating_sub(start).min(512));
            cuts.chain([512]).any(|cut| {
                found[..cut] == state[..cut] && found[cut..].iter().all(|byte| *byte == 0)
            })
        });
        assert!(is_state, "seed {seed}, sector at {start}");
    }
}

#[test]
fn every_image_of_a_random_history_is_made_of_states_the_file_went_through() {
    for seed in 1..400_u64 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (seed << 32 | seed));
        let directory = MemoryDirectory::new();
        directory.put_file("f", b"old");
        let file = directory.open("f", Access::Write).unwrap();
        let mut history = vec![b"old".to_vec()];
        for _ in 0..12 {
            step(&mut random, &*file, &mut history);
            let live = history.last().unwrap();
            assert_eq!(bytes(&directory, "f"), *live, "seed {seed}");
            assert_eq!(
                bytes(&directory.crash_losing_all(), "f"),
                history[0],
                "seed {seed}"
            );
            assert_eq!(
                bytes(&directory.crash_keeping_all(), "f"),
                *live,
                "seed {seed}"
            );
            let image = directory.crash(&mut |_| random.fate());
            check(&bytes(&image, "f"), &history, seed);
            // An image is a directory like any other: it takes part in the next crash.
            assert_eq!(
                bytes(&image.crash_losing_all(), "f"),
                bytes(&image, "f"),
                "seed {seed}"
            );
        }
    }
}

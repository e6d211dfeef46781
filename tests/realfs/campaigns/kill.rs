//! SIGKILL at any moment: producers, consumers, rotation and reclaim in a child process.
//!
//! The child says on its standard output what it was told, before and after; the parent keeps the
//! ledger. In one round up to three children are killed, each on what the one before has left, so
//! that recoveries are killed too.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::failure::{Failure, Must, Outcome};
use super::heart::beat;
use super::ledger::{Ending, Event, Ledger};
use super::load::{Load, PRODUCERS, Peril, Switch};
use super::random::Random;
use super::shape::Shape;
use super::verify::verify;

/// The first argument of a child.
pub(crate) const CHILD: &str = "--child";

/// Kills `kills` children on one queue in `folder`.
pub(crate) fn campaign(kills: u32, folder: &Path, random: &mut Random) -> Outcome<String> {
    let path = folder.join("killed");
    let mut ledger = Ledger::default();
    let mut done = 0;
    let mut ending = Ending::Closed;
    let mut rounds = 0;
    loop {
        beat(&format!("kill {done}"));
        let queue = Shape::choose(random).options().open(&path).must("open")?;
        verify(&queue, &mut ledger, ending, random)?;
        if done >= kills {
            let epochs = queue.epoch().counter();
            queue.close().must("close")?;
            return Ok(format!(
                "{done} kills in {rounds} rounds: {} acknowledged, 0 lost; {} delivered; \
                 {epochs} epochs",
                ledger.promises, ledger.deliveries,
            ));
        }
        queue.close().must("close")?;
        let children = (1 + random.below(3)).min(u64::from(kills - done));
        for child in 0..children {
            // A short life ends while it opens the queue.
            let most = if random.once_in(3) { 15 } else { 150 };
            let life = Duration::from_micros(random.below(most * 1000));
            let orders = [
                ledger.cycle.to_string(),
                child.to_string(),
                random.next().to_string(),
            ];
            let said = run_and_kill(&path, &orders, life)?;
            for line in said.lines() {
                ledger.apply(read(line));
            }
            ledger.check_broken()?;
            done += 1;
        }
        rounds += 1;
        ending = Ending::Killed;
    }
}

/// Returns the whole lines that the child said.
fn run_and_kill(path: &Path, orders: &[String], life: Duration) -> Outcome<String> {
    let own = std::env::current_exe().must("find the own program")?;
    let mut child = Command::new(own)
        .arg(CHILD)
        .arg(path)
        .args(orders)
        .stdout(Stdio::piped())
        .spawn()
        .must("start a child")?;
    let mut out = child.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    std::thread::sleep(life);
    let ended = child.try_wait().must("look at the child")?;
    child.kill().must("kill the child")?;
    child.wait().must("wait for the child")?;
    let mut text = reader.join().expect("no panic").must("hear the child")?;
    if let Some(status) = ended {
        let last = text.lines().last().unwrap_or_default();
        return Failure::broken(format!("the child ended by itself, {status}: {last}"));
    }
    // What follows the end of the last line is torn.
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    Ok(text)
}

/// The child: `path cycle child seed`. It ends when it is killed, or something is wrong.
pub(crate) fn live(arguments: &[String]) -> Outcome {
    let [path, cycle, child, seed] = arguments else {
        return Failure::setup("a child needs a path and three numbers");
    };
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let mut random = Random::new(number(seed));
    let shape = Shape::choose(&mut random);
    let queue = match shape.options().open(path) {
        Ok(queue) => queue,
        Err(error) => {
            say(&Event::Broken(format!("opening: {error}")));
            return Failure::broken("opening");
        }
    };
    let children = u32::try_from(number(child)).expect("a few");
    let load = Load {
        queue: &queue,
        switch: &Switch::default(),
        policy: shape.policy,
        peril: Peril::Kill,
        cycle: u32::try_from(number(cycle)).expect("a few"),
        first_producer: children * u32::try_from(PRODUCERS.len()).expect("a few"),
        tell: &|event| {
            say(&event);
        },
    };
    load.run(&mut random, || std::thread::sleep(Duration::from_secs(30)));
    Failure::broken("nobody killed the child")
}

/// One line, written whole.
fn say(event: &Event) {
    let line = match event {
        Event::Promised {
            sequence,
            epoch,
            name,
        } => format!("promised {sequence} {epoch} {}", name.words()),
        Event::Refused(name) => format!("refused {}", name.words()),
        Event::Delivered {
            consumer,
            sequence,
            epoch,
            name,
            ..
        } => {
            format!("delivered {consumer} {sequence} {epoch} {}", name.words())
        }
        Event::Acknowledged { consumer, next } => format!("acknowledged {consumer} {next}"),
        Event::Broken(what) => format!("broken {what}"),
    };
    let mut out = std::io::stdout().lock();
    let said = out.write_all(format!("{line}\n").as_bytes());
    said.and_then(|()| out.flush()).expect("the parent listens");
}

fn read(line: &str) -> Event {
    let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
    let numbers: Vec<u64> = rest
        .split(' ')
        .map_while(|word| word.parse().ok())
        .collect();
    let name = |at: usize| super::record::Name::from_words(&numbers[at..]);
    match (what, numbers.len()) {
        ("promised", 6) => Event::Promised {
            sequence: numbers[0],
            epoch: numbers[1],
            name: name(2),
        },
        ("refused", 4) => Event::Refused(name(0)),
        ("delivered", 7) => Event::Delivered {
            consumer: usize::try_from(numbers[0]).expect("a few"),
            sequence: numbers[1],
            epoch: numbers[2],
            name: name(3),
            is_certain: true,
        },
        ("acknowledged", 2) => Event::Acknowledged {
            consumer: usize::try_from(numbers[0]).expect("a few"),
            next: numbers[1],
        },
        _ => Event::Broken(format!("a child said: {line}")),
    }
}

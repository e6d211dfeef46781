//! Turns places of a source file into choices between what is right and what is planted.

use std::ops::Range;

use crate::table::Bug;

/// What every choice asks. Appended to `lib.rs` of the copy.
pub(crate) const SWITCH: &str = r#"
/// Which bug is planted: one at most, named in the environment.
pub(crate) mod planted {
    pub(crate) fn is(name: &str) -> bool {
        static NAME: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        NAME.get_or_init(|| std::env::var("FOREBAY_PLANTED").unwrap_or_default()) == name
    }
}
"#;

/// The text of a file with `bugs` to choose from.
pub(crate) fn rewrite(text: &str, bugs: &[Bug]) -> Result<String, String> {
    let mut places = Vec::new();
    for bug in bugs {
        let place = place_of(text, bug).map_err(|why| format!("{}: {why}", bug.name))?;
        places.push((place, bug));
    }
    // Of two places that begin together, the longer one holds the other.
    places.sort_by_key(|(place, _)| (place.start, std::cmp::Reverse(place.end)));
    render(text, 0..text.len(), &places)
}

/// `text[range]` with the choices of `places`, all of which lie inside it, in order.
fn render(
    text: &str,
    range: Range<usize>,
    places: &[(Range<usize>, &Bug)],
) -> Result<String, String> {
    let mut out = String::new();
    let mut at = range.start;
    let mut rest = places;
    while let Some(((place, bug), others)) = rest.split_first() {
        let inside = others.partition_point(|(other, _)| other.start < place.end);
        let (inside, after) = others.split_at(inside);
        if inside.iter().any(|(other, _)| other.end > place.end) {
            return Err(format!("{} overlaps with another bug", bug.name));
        }
        let right = render(text, place.clone(), inside)?;
        out.push_str(&text[at..place.start]);
        out.push_str(&choice(bug, &right));
        at = place.end;
        rest = after;
    }
    out.push_str(&text[at..range.end]);
    Ok(out)
}

/// Statements choose as they are, an expression in parentheses.
fn choice(bug: &Bug, right: &str) -> String {
    let Bug { name, replace, .. } = bug;
    let chosen = format!("if crate::planted::is({name:?}) {{ {replace} }} else {{ {right} }}");
    if bug.find.ends_with(';') || bug.find.ends_with('}') {
        chosen
    } else {
        format!("({chosen})")
    }
}

fn place_of(text: &str, bug: &Bug) -> Result<Range<usize>, String> {
    let outer = only(text, 0..text.len(), bug.within, "what it is within")?;
    let body = body_of(text, outer.start);
    only(text, body, bug.find, "what it replaces")
}

/// From the line of `start` to the first brace as far to the left as that line.
fn body_of(text: &str, start: usize) -> Range<usize> {
    let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let indent = text[line..].chars().take_while(|letter| *letter == ' ');
    let close = format!("\n{}}}", " ".repeat(indent.count()));
    let end = text[start..].find(&close).map(|found| start + found);
    start..end.unwrap_or(text.len())
}

/// Where `needle` stands in `text[range]`, once, whatever the white space.
fn only(text: &str, range: Range<usize>, needle: &str, what: &str) -> Result<Range<usize>, String> {
    let is_solid = |(_, letter): &(usize, char)| !letter.is_whitespace();
    let solid: Vec<(usize, char)> = text[range.clone()]
        .char_indices()
        .filter(is_solid)
        .collect();
    let wanted: Vec<char> = needle.chars().filter(|c| !c.is_whitespace()).collect();
    let matches = |at: &usize| {
        let window = solid[*at..].iter().map(|(_, letter)| letter);
        window.take(wanted.len()).eq(&wanted)
    };
    let found: Vec<usize> = (0..solid.len()).filter(matches).collect();
    let &[first] = found.as_slice() else {
        return Err(format!("{what} is there {} times: {needle}", found.len()));
    };
    let (last, letter) = solid[first + wanted.len() - 1];
    Ok(range.start + solid[first].0..range.start + last + letter.len_utf8())
}

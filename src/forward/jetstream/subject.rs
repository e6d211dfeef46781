//! What a message is published under.

use std::fmt;

use crate::buffer::Delivery;
use crate::error::{Error, ErrorKind, Result};

/// What stands in for a token of which nothing is left.
const EMPTY: &str = "default";
/// What a template replaces by the number of the event's kind.
const KIND: &str = "{kind}";

/// A subject that is safe to publish under, built token by token.
///
/// Whatever is not an ASCII letter, a digit, `_` or `-` becomes `_`, a dot inside a token too, and
/// an empty token becomes `default`: what an event carries can neither add a level nor a wildcard.
///
/// # Examples
///
/// ```
/// use forebay::Subject;
///
/// let subject = Subject::new("assembly.audit").token("acme corp.eu").token("");
/// assert_eq!(subject.to_string(), "assembly.audit.acme_corp_eu.default");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject(String);

impl Subject {
    /// The subject of the tokens in `prefix`, which are separated by dots.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        let mut tokens = prefix.split('.');
        let first = Self(safe(tokens.next().unwrap_or_default()));
        tokens.fold(first, Self::token)
    }

    /// The same with one more token.
    #[must_use]
    pub fn token(mut self, token: impl AsRef<str>) -> Self {
        self.0.push('.');
        self.0.push_str(&safe(token.as_ref()));
        self
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A token of nothing but safe characters.
fn safe(token: &str) -> String {
    if token.is_empty() {
        return EMPTY.to_owned();
    }
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    token
        .chars()
        .map(|letter| if allowed(letter) { letter } else { '_' })
        .collect()
}

/// A subject with `{kind}` in it.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<String>);

impl Template {
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] when a token is neither `{kind}` nor made of safe characters.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let tokens: Vec<String> = text.split('.').map(str::to_owned).collect();
        match tokens
            .iter()
            .find(|token| *token != KIND && safe(token) != **token)
        {
            None => Ok(Self(tokens)),
            Some(token) => {
                let what = format!(
                    "`{token}` cannot be in the subject `{text}`: tokens are `{KIND}` or letters, \
                     digits, `_` and `-`"
                );
                Err(Error::new(ErrorKind::InvalidInput, what))
            }
        }
    }

    pub(super) fn fill<T>(&self, delivery: &Delivery<T>) -> Subject {
        let kind = delivery.kind.to_string();
        let token = |token: &String| match token.as_str() {
            KIND => kind.clone(),
            literal => literal.to_owned(),
        };
        Subject(self.0.iter().map(token).collect::<Vec<_>>().join("."))
    }
}

/// Whether a stream that takes `filter` takes `subject`.
pub(super) fn matches(filter: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for wanted in filter.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(token)) if wanted == token => {}
            (_, _) => return false,
        }
    }
    tokens.next().is_none()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn delivery(kind: u16) -> Delivery<()> {
        Delivery {
            event: (),
            payload: Vec::new(),
            kind,
            enqueued_at: SystemTime::UNIX_EPOCH,
            record: None,
            key: None,
        }
    }

    #[test]
    fn unsafe_characters_become_underscores_token_by_token() {
        let subject = Subject::new("a b.>")
            .token("acme corp.eu")
            .token("*")
            .token("é");
        assert_eq!(subject.to_string(), "a_b._.acme_corp_eu._._");
    }

    #[test]
    fn empty_tokens_become_default() {
        assert_eq!(Subject::new("").token("").to_string(), "default.default");
        assert_eq!(Subject::new("a..b").to_string(), "a.default.b");
    }

    #[test]
    fn a_template_takes_the_kind_and_no_other_brace() {
        let template = Template::parse("audit.{kind}.v1").expect("legal");
        assert_eq!(template.fill(&delivery(7)).to_string(), "audit.7.v1");
        for illegal in ["audit.{king}", "audit.*", "audit.>", "", "a..b", "a b"] {
            let refused = Template::parse(illegal).expect_err("illegal");
            assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{illegal}");
        }
    }

    #[test]
    fn filters_match_as_the_server_matches() {
        for (filter, subject) in [
            ("audit.>", "audit.a.b"),
            ("audit.*.b", "audit.a.b"),
            ("audit", "audit"),
            (">", "audit.a"),
        ] {
            assert!(matches(filter, subject), "{filter} takes {subject}");
        }
        for (filter, subject) in [
            ("audit.>", "audit"),
            ("audit.*", "audit.a.b"),
            ("audit.a", "audit"),
            ("audit", "audit.a"),
        ] {
            assert!(
                !matches(filter, subject),
                "{filter} does not take {subject}"
            );
        }
    }
}

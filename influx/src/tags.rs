//! Tags: cleaned, in the order of their keys, each key once, and none that a field has.
//!
//! InfluxDB 1 and 2 rename a tag that has the key of a field (`value_1`), and no query finds it any more; version 3 refuses
//! the point. So such a tag gets an ending of ours.

use std::borrow::Cow;

use crate::line::{clean, clean_key};

/// What a tag gets behind its key where a field has that key.
const ENDING: &str = "_tag";

/// The tags of one line.
#[derive(Debug)]
pub(crate) struct Tags<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Keys that got an ending, as they were and as they are.
    renamed: Vec<(String, String)>,
}

impl<'a> Tags<'a> {
    /// Left out are tags without a key or a value, and of two tags of one key the second. Tags whose keys become one by
    /// cleaning are one, whose value is theirs with `;` between, in the order of the keys that they had.
    pub(crate) fn of(
        tags: impl IntoIterator<Item = (&'a str, Cow<'a, str>)>,
        is_field: impl Fn(&str) -> bool,
    ) -> Self {
        let is_tag = |(key, value): &(&str, Cow<'_, str>)| !key.is_empty() && !value.is_empty();
        let mut given: Vec<_> = tags.into_iter().filter(is_tag).collect();
        given.sort_by_key(|(key, _)| *key);
        given.dedup_by(|(later, _), (first, _)| later == first);
        let mut pairs: Vec<_> = given.into_iter().map(|(key, value)| (clean_key(key), value)).collect();
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        pairs.dedup_by(|(key, value), (first, joined)| {
            let is_same = key == first;
            if is_same {
                *joined = Cow::Owned(format!("{joined};{value}"));
            }
            is_same
        });
        let mut tags = Tags { pairs, renamed: Vec::new() };
        tags.rename(is_field);
        tags
    }

    /// Key and value of each, by key, cleaned and not yet escaped.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.pairs.iter().map(|(key, value)| (&**key, clean(value)))
    }

    pub(crate) fn renamed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.renamed.iter().map(|(from, to)| (from.as_str(), to.as_str()))
    }

    fn rename(&mut self, is_field: impl Fn(&str) -> bool) {
        for at in 0..self.pairs.len() {
            if !is_field(&self.pairs[at].0) {
                continue;
            }
            let mut key = format!("{}{ENDING}", self.pairs[at].0);
            while is_field(&key) || self.pairs.iter().any(|(known, _)| **known == key) {
                key.push_str(ENDING);
            }
            let before = std::mem::replace(&mut self.pairs[at].0, Cow::Owned(key.clone()));
            self.renamed.push((before.into_owned(), key));
        }
        if !self.renamed.is_empty() {
            self.pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
    }
}

//! The parameters of a query, taken one by one. What is left over in the end is not known, and said so.

use axum::extract::Query;
use axum::http::Uri;

use crate::http::error::{Problem, shortened};

/// The parameters of a request that were not taken yet.
#[derive(Debug)]
pub(crate) struct Params {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl Params {
    /// The parameters of an address.
    pub(crate) fn of(uri: &Uri) -> Result<Params, Problem> {
        let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|error| {
            Problem::parameter("query", format!("the query cannot be read: {error}"))
        })?;
        Ok(Params {
            given,
            known: Vec::new(),
        })
    }

    /// Takes a parameter as text; an empty one counts as not given.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        self.known.push(name);
        let mut found = None;
        let mut times = 0;
        self.given.retain_mut(|(key, value)| {
            if key != name {
                return true;
            }
            times += 1;
            found = Some(std::mem::take(value)).filter(|value| !value.trim().is_empty());
            false
        });
        if times > 1 {
            return Err(Problem::parameter(
                name,
                format!("`{name}` is given {times} times; give it once"),
            ));
        }
        Ok(found)
    }

    /// Takes a parameter that `read` understands; `read` says what else would be right.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        read(&text).map(Some).map_err(|advice| {
            Problem::parameter(
                name,
                format!("`{name}` is `{}`; {advice}", shortened(&text)),
            )
        })
    }

    /// Takes a parameter that is one of some words.
    pub(crate) fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&'static str, T)],
    ) -> Result<Option<T>, Problem> {
        self.parsed(name, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| {
                let words: Vec<String> =
                    words.iter().map(|(word, _)| format!("`{word}`")).collect();
                format!("use one of {}", words.join(", "))
            })
        })
    }

    /// Takes a whole number from `least` to `most`.
    pub(crate) fn number(
        &mut self,
        name: &'static str,
        least: u16,
        most: u16,
        default: u16,
    ) -> Result<u16, Problem> {
        let number = self.parsed(name, |text| {
            text.parse::<u16>()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| format!("use a number from {least} to {most}"))
        })?;
        Ok(number.unwrap_or(default))
    }

    /// Refuses what was not taken.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let Some((name, _)) = self.given.first() else {
            return Ok(());
        };
        let known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
        let advice = if known.is_empty() {
            "there are none here".to_owned()
        } else {
            format!("use {}", known.join(", "))
        };
        Err(Problem::parameter(
            &shortened(name),
            format!("`{}` is not a parameter; {advice}", shortened(name)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::of(&format!("/x?{query}").parse().unwrap()).unwrap()
    }

    fn detail(problem: &Problem) -> String {
        problem.json(None)["detail"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_bad_number_names_the_range() {
        for query in ["limit=abc", "limit=0", "limit=501", "limit=-1", "limit=1e2"] {
            let problem = params(query).number("limit", 1, 500, 50).unwrap_err();
            assert!(detail(&problem).ends_with("use a number from 1 to 500"));
            assert_eq!(problem.json(None)["parameter"], "limit");
        }
        assert_eq!(params("").number("limit", 1, 500, 50).unwrap(), 50);
        assert_eq!(
            params("limit=500").number("limit", 1, 500, 50).unwrap(),
            500
        );
    }

    #[test]
    fn a_bad_word_names_the_right_ones() {
        let words = [("success", 1), ("failure", 2)];
        let problem = params("result=foo").one_of("result", &words).unwrap_err();
        assert_eq!(
            detail(&problem),
            "`result` is `foo`; use one of `success`, `failure`"
        );
        assert_eq!(params("result=").one_of("result", &words).unwrap(), None);
    }

    #[test]
    fn what_is_not_known_or_comes_twice_is_refused() {
        let mut twice = params("q=a&q=b");
        assert!(detail(&twice.text("q").unwrap_err()).contains("2 times"));
        let mut unknown = params("q=a&sorce=b");
        unknown.text("q").unwrap();
        let problem = unknown.finish().unwrap_err();
        assert_eq!(detail(&problem), "`sorce` is not a parameter; use `q`");
    }
}

//! Choices: one or several of a field's options, named by code or label.
//!
//! What is not an option is an issue, never a new option.

use serde::{Deserialize, Serialize};

use super::fold::same;
use super::text::trim;
use crate::issue::Problem;

/// One option of a choice field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceOption {
    /// What is stored and sent.
    pub code: String,
    /// What people read and may write.
    pub label: String,
}

/// Reads one choice, a code or a label, and gives its code.
///
/// A code wins over a label, and the exact spelling over another case.
pub fn parse<'o>(text: &str, options: &'o [ChoiceOption]) -> Result<&'o str, Problem> {
    find(text, options).ok_or_else(|| unknown(options))
}

/// Reads several choices between `,`, `;` or `|`, without repetitions and in the order written.
///
/// A label may contain a separator: `Yes, please` is looked up whole before it is split.
pub fn parse_many<'o>(text: &str, options: &'o [ChoiceOption]) -> Result<Vec<&'o str>, Problem> {
    if let Some(code) = find(text, options) {
        return Ok(vec![code]);
    }
    let mut codes = Vec::new();
    for part in text
        .split([',', ';', '|'])
        .map(trim)
        .filter(|part| !part.is_empty())
    {
        let code = parse(part, options)?;
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    Ok(codes)
}

fn find<'o>(text: &str, options: &'o [ChoiceOption]) -> Option<&'o str> {
    let text = trim(text);
    let by = |fits: &dyn Fn(&ChoiceOption) -> bool| options.iter().find(|option| fits(option));
    by(&|option| option.code == text)
        .or_else(|| by(&|option| option.label == text))
        .or_else(|| by(&|option| same(&option.code, text)))
        .or_else(|| by(&|option| same(&option.label, text)))
        .map(|option| option.code.as_str())
}

fn unknown(options: &[ChoiceOption]) -> Problem {
    Problem::ChoiceUnknown {
        options: options.iter().map(|option| option.label.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Vec<ChoiceOption> {
        [
            ("vip", "Very important"),
            ("std", "Standard"),
            ("A", "a"),
            ("both", "Sea, and garden"),
            ("groß", "Große Suite"),
        ]
        .map(|(code, label)| ChoiceOption {
            code: code.to_owned(),
            label: label.to_owned(),
        })
        .to_vec()
    }

    #[test]
    fn one_choice_is_read() {
        let options = options();
        for (text, expected) in [
            ("vip", Some("vip")),
            ("VIP", Some("vip")),
            ("very IMPORTANT", Some("vip")),
            (" Standard ", Some("std")),
            ("GROßE SUITE", Some("groß")),
            ("a", Some("A")),
            ("Sea, and garden", Some("both")),
            ("gold", None),
            ("", None),
        ] {
            assert_eq!(parse(text, &options).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn several_choices_are_read() {
        let options = options();
        for (text, expected) in [
            ("vip", Some(vec!["vip"])),
            ("vip; Standard|VIP", Some(vec!["vip", "std"])),
            ("Sea, and garden", Some(vec!["both"])),
            ("std,,", Some(vec!["std"])),
            ("vip, gold", None),
        ] {
            assert_eq!(parse_many(text, &options).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_unknown_choice_lists_the_options() {
        let problem = parse("gold", &options()[..2]).unwrap_err();
        assert_eq!(
            problem.message("gold"),
            "“gold” is not one of this field's choices. Use one of: Very important, Standard, or add it to the field."
        );
    }
}

//! A custom field that is made while a column is mapped to it.

use rollbook_engine::schema::Schema;

use super::{Acted, Wizard};
use crate::app::App;
use crate::http::api::fields::{NewFieldJson, make_field};
use crate::http::pages::error::PageError;
use crate::http::pages::show::sentence;
use crate::http::session::Person;

/// The longest key that is made of a label.
const MAX_KEY: usize = 60;

impl Wizard {
    /// Adds the field that the form describes for a column, and maps the column to it.
    pub(super) async fn add_field(
        &mut self,
        app: &App,
        person: &Person,
        column: usize,
    ) -> Result<Acted, PageError> {
        person.must_administer()?;
        let part = |part: &str| self.form.of_column(part, column).unwrap_or_default();
        let label = part("new_label").trim().to_owned();
        let schema = app.schema(person.workspace.id).await?;
        let taken = schema
            .fields()
            .iter()
            .any(|field| field.label.to_lowercase() == label.to_lowercase());
        let made = if taken {
            Err(format!(
                "there is a field `{label}` already; choose it, or use another name"
            ))
        } else {
            let options = part("new_options").split(['\n', ',', ';']);
            let new = serde_json::from_value::<NewFieldJson>(serde_json::json!({
                "key": key_for(&label, &schema),
                "label": label,
                "type": part("new_type"),
                "options": options
                    .map(str::trim)
                    .filter(|option| !option.is_empty() && part("new_type").starts_with("choice"))
                    .map(|option| serde_json::json!({"code": option, "label": option}))
                    .collect::<Vec<_>>(),
            }));
            match new {
                Ok(new) => make_field(app, person.workspace.id, &person.actor(), &new)
                    .await
                    .map_err(|problem| {
                        let json = problem.json(None);
                        json["detail"].as_str().unwrap_or_default().to_owned()
                    }),
                Err(_) => Err("choose what the values of the field are".to_owned()),
            }
        };
        match (made, &mut self.inspection) {
            (Ok(field), Some(inspection)) => {
                if let Some(chosen) = inspection.options.mapping.columns.get_mut(column) {
                    chosen.field = Some(field.key);
                }
                self.store(app).await?;
                Ok(Acted::Done("?done=field"))
            }
            (Ok(_), None) => Ok(Acted::Problem),
            (Err(problem), _) => {
                self.problems
                    .push("The field could not be added.".to_owned());
                self.column_problems.insert(column, sentence(&problem));
                Ok(Acted::Problem)
            }
        }
    }
}

/// A key that no field has yet: `Zimmer-Wunsch` becomes `zimmer_wunsch`.
fn key_for(label: &str, schema: &Schema) -> String {
    let key = key_of(label, "field");
    let free = |key: &String| schema.by_key(key).is_none();
    let numbered = (2..).map(|number| format!("{key}_{number}"));
    std::iter::once(key.clone())
        .chain(numbered)
        .find(free)
        .unwrap_or(key)
}

/// Lower-case letters, digits and `_`, a letter first.
fn key_of(label: &str, fallback: &str) -> String {
    let mut key = String::new();
    for character in label.to_lowercase().chars() {
        if character.is_ascii_alphanumeric() {
            key.push(character);
        } else if !key.is_empty() && !key.ends_with('_') {
            key.push('_');
        }
    }
    key.truncate(MAX_KEY);
    let key = key.trim_matches('_');
    match key.chars().next() {
        Some(first) if first.is_ascii_lowercase() => key.to_owned(),
        Some(_) => format!("{fallback}_{key}"),
        None => fallback.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_keys() {
        let schema = Schema::built_in();
        for (label, key) in [
            ("Zimmer-Wunsch", "zimmer_wunsch"),
            ("  VIP? ", "vip"),
            ("2nd phone", "field_2nd_phone"),
            ("Größe", "gr_e"),
            ("名前", "field"),
            ("Phone", "phone_2"),
        ] {
            assert_eq!(key_for(label, &schema), key, "{label}");
        }
    }
}

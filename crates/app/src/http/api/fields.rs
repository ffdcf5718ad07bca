//! Fields: `/fields`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use rollbook_engine::field::choice::ChoiceOption;
use rollbook_engine::schema::{FieldDef, FieldId, FieldKind};
use rollbook_store::WorkspaceId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::{Act, Actor};
use crate::http::api::Api;
use crate::http::api::body::Settings;
use crate::http::auth::{Administrator, Caller};
use crate::http::error::{Checked, Guarded, GuardedBody, Kind, Problem};

/// The longest key of a field.
const MAX_KEY: usize = 64;

/// The longest label, or label of an option, in characters.
const MAX_LABEL: usize = 100;

/// What a field's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FieldType)]
pub(crate) enum FieldTypeJson {
    /// An External ID; built in.
    ExternalId,
    /// A name; built in.
    Name,
    /// Phone numbers; built in.
    Phone,
    /// Email addresses; built in.
    Email,
    /// A language; built in.
    Language,
    /// A country; built in.
    Country,
    /// Tags; built in.
    Tags,
    /// One line of text.
    Text,
    /// Text of several lines.
    LongText,
    /// A decimal number.
    Number,
    /// Yes or no.
    Boolean,
    /// A date.
    Date,
    /// A date that may lack its year, or its day and month.
    PartialDate,
    /// A time of day.
    Time,
    /// A date with a time.
    DateTime,
    /// One of the options.
    Choice,
    /// Some of the options.
    Choices,
    /// A web address.
    Url,
}

/// An option of a choice.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FieldOption)]
pub(crate) struct FieldOptionJson {
    /// What is stored and sent.
    #[schema(example = "vip")]
    code: String,
    /// What people read and may write; the code if left out.
    #[serde(default)]
    #[schema(example = "Very important")]
    label: Option<String>,
}

/// The definition of a field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Field)]
pub(crate) struct FieldJson {
    /// The stable key of mappings, API and files.
    #[schema(example = "room_preference")]
    key: String,
    /// What people read.
    #[schema(example = "Room preference")]
    label: String,
    /// What its values are.
    r#type: FieldTypeJson,
    /// The options of a choice; else none.
    options: Vec<FieldOptionJson>,
    /// Whether it was made here, and is not built in.
    custom: bool,
}

/// All fields.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldList)]
pub(crate) struct FieldListJson {
    /// Built-in ones first.
    fields: Vec<FieldJson>,
}

/// A custom field to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewField)]
pub(crate) struct NewFieldJson {
    /// The key: a lower-case letter, then lower-case letters, digits and `_`.
    #[schema(example = "room_preference")]
    key: String,
    /// What people read.
    #[schema(example = "Room preference")]
    label: String,
    /// What its values are: one of the types that are not built in.
    r#type: FieldTypeJson,
    /// The options of a choice.
    #[serde(default)]
    options: Vec<FieldOptionJson>,
}

impl FieldJson {
    fn of(field: &FieldDef) -> FieldJson {
        use FieldTypeJson as Type;
        let (r#type, options) = match &field.kind {
            FieldKind::ExternalId => (Type::ExternalId, &[][..]),
            FieldKind::Name => (Type::Name, &[][..]),
            FieldKind::Text => (Type::Text, &[][..]),
            FieldKind::LongText => (Type::LongText, &[][..]),
            FieldKind::Phone => (Type::Phone, &[][..]),
            FieldKind::Email => (Type::Email, &[][..]),
            FieldKind::Date { partial: false } => (Type::Date, &[][..]),
            FieldKind::Date { partial: true } => (Type::PartialDate, &[][..]),
            FieldKind::Time => (Type::Time, &[][..]),
            FieldKind::DateTime => (Type::DateTime, &[][..]),
            FieldKind::Language => (Type::Language, &[][..]),
            FieldKind::Country => (Type::Country, &[][..]),
            FieldKind::Tags => (Type::Tags, &[][..]),
            FieldKind::Number => (Type::Number, &[][..]),
            FieldKind::Boolean => (Type::Boolean, &[][..]),
            FieldKind::Choice(options) => (Type::Choice, &options[..]),
            FieldKind::Choices(options) => (Type::Choices, &options[..]),
            FieldKind::Url => (Type::Url, &[][..]),
        };
        FieldJson {
            key: field.key.clone(),
            label: field.label.clone(),
            r#type,
            options: options
                .iter()
                .map(|option| FieldOptionJson {
                    code: option.code.clone(),
                    label: Some(option.label.clone()),
                })
                .collect(),
            custom: field.id >= FieldId::FIRST_CUSTOM,
        }
    }
}

impl NewFieldJson {
    /// What is wrong with the key or the label, or what the values are.
    fn kind(&self) -> Result<FieldKind, Problem> {
        use FieldTypeJson as Type;
        let wrong = |member: &str, detail: String| {
            Err(Problem::new(Kind::Value, detail).with("member", member))
        };
        let key = &self.key;
        let begins = key.starts_with(|first: char| first.is_ascii_lowercase());
        let fits = key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !begins || !fits || key.len() > MAX_KEY {
            return wrong(
                "key",
                format!(
                    "a key begins with a lower-case letter and has lower-case letters, digits and _, {MAX_KEY} at \
                     most; for example `room_preference`"
                ),
            );
        }
        if self.label.trim().is_empty() || self.label.chars().count() > MAX_LABEL {
            return wrong("label", format!("a label has 1 to {MAX_LABEL} characters"));
        }
        let choice = matches!(self.r#type, Type::Choice | Type::Choices);
        if choice == self.options.is_empty() {
            let detail = if choice {
                "a choice needs options; give each a `code` and a `label`"
            } else {
                "only the types `choice` and `choices` have options; leave them out"
            };
            return wrong("options", detail.to_owned());
        }
        let kind = match self.r#type {
            Type::ExternalId
            | Type::Name
            | Type::Phone
            | Type::Email
            | Type::Language
            | Type::Country
            | Type::Tags => {
                return wrong(
                    "type",
                    "this type is built in; use one of `text`, `long_text`, `number`, `boolean`, `date`, \
                     `partial_date`, `time`, `date_time`, `choice`, `choices`, `url`"
                        .to_owned(),
                );
            }
            Type::Text => FieldKind::Text,
            Type::LongText => FieldKind::LongText,
            Type::Number => FieldKind::Number,
            Type::Boolean => FieldKind::Boolean,
            Type::Date => FieldKind::Date { partial: false },
            Type::PartialDate => FieldKind::Date { partial: true },
            Type::Time => FieldKind::Time,
            Type::DateTime => FieldKind::DateTime,
            Type::Choice => FieldKind::Choice(self.options()?),
            Type::Choices => FieldKind::Choices(self.options()?),
            Type::Url => FieldKind::Url,
        };
        Ok(kind)
    }

    fn options(&self) -> Result<Vec<ChoiceOption>, Problem> {
        let mut options: Vec<ChoiceOption> = Vec::new();
        for option in &self.options {
            let code = option.code.trim().to_owned();
            let label = option.label.as_deref().map_or("", str::trim);
            let label = if label.is_empty() { &code } else { label }.to_owned();
            let taken = options.iter().any(|known| known.code == code);
            if code.is_empty() || taken || label.chars().count() > MAX_LABEL {
                return Err(Problem::new(
                    Kind::Value,
                    format!(
                        "the option `{}` cannot be used; each needs a code of its own and a label of up to {MAX_LABEL} \
                         characters",
                        crate::http::error::shortened(&code)
                    ),
                )
                .with("member", "options"));
            }
            options.push(ChoiceOption { code, label });
        }
        Ok(options)
    }
}

/// List fields
///
/// Any key may: integrations need to know what they can send.
#[utoipa::path(
    get,
    path = "/fields",
    operation_id = "listFields",
    tag = "Fields",
    responses((status = 200, description = "All fields", body = FieldListJson), Guarded),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<FieldListJson>, Problem> {
    let schema = api.app.schema(caller.workspace()).await?;
    Ok(Json(FieldListJson {
        fields: schema.fields().iter().map(FieldJson::of).collect(),
    }))
}

/// Add a custom field
///
/// Needs a key without a source. Deliveries know the field within a second.
#[utoipa::path(
    post,
    path = "/fields",
    operation_id = "addField",
    tag = "Fields",
    request_body(content = NewFieldJson, description = "The field"),
    responses((status = 201, description = "The field", body = FieldJson), GuardedBody, Checked),
)]
pub(crate) async fn add(
    State(api): State<Api>,
    administrator: Administrator,
    Settings(new): Settings<NewFieldJson>,
) -> Result<impl IntoResponse, Problem> {
    let field = make_field(
        &api.app,
        administrator.workspace(),
        &administrator.actor(),
        &new,
    )
    .await?;
    Ok((StatusCode::CREATED, Json(FieldJson::of(&field))))
}

/// Makes a custom field, unless something is wrong with it.
pub(crate) async fn make_field(
    app: &App,
    workspace: WorkspaceId,
    actor: &Actor,
    new: &NewFieldJson,
) -> Result<FieldDef, Problem> {
    let kind = new.kind()?;
    let schema = app.schema(workspace).await?;
    if schema.by_key(&new.key).is_some() {
        return Err(Problem::new(
            Kind::Exists,
            format!("the field `{}` exists already; choose another key", new.key),
        ));
    }
    let label = new.label.trim();
    let field = app
        .store
        .add_field(workspace, &new.key, label, kind)
        .await?;
    app.audit(workspace, actor, Act::AddedField, &field.key)
        .await?;
    Ok(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(json: &str) -> Result<FieldKind, String> {
        let new: NewFieldJson = serde_json::from_str(json).map_err(|error| error.to_string())?;
        new.kind().map_err(|problem| {
            problem.json(None)["member"]
                .as_str()
                .unwrap_or("")
                .to_owned()
        })
    }

    #[test]
    fn a_new_field_is_checked() {
        let cases = [
            (
                r#"{"key":"vip","label":"VIP","type":"boolean"}"#,
                Ok(FieldKind::Boolean),
            ),
            (
                r#"{"key":"Vip","label":"VIP","type":"boolean"}"#,
                Err("key"),
            ),
            (r#"{"key":"1a","label":"VIP","type":"boolean"}"#, Err("key")),
            (
                r#"{"key":"vip","label":" ","type":"boolean"}"#,
                Err("label"),
            ),
            (r#"{"key":"vip","label":"VIP","type":"phone"}"#, Err("type")),
            (
                r#"{"key":"vip","label":"VIP","type":"choice"}"#,
                Err("options"),
            ),
            (
                r#"{"key":"vip","label":"VIP","type":"text","options":[{"code":"a"}]}"#,
                Err("options"),
            ),
            (
                r#"{"key":"vip","label":"VIP","type":"choice","options":[{"code":"a"},{"code":"a"}]}"#,
                Err("options"),
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(kind(json), expected.map_err(str::to_owned), "{json}");
        }
        assert!(kind(r#"{"key":"vip","label":"VIP","type":"colour"}"#).is_err());
    }

    #[test]
    fn an_option_without_a_label_is_called_by_its_code() {
        let choice = kind(r#"{"key":"a","label":"A","type":"choice","options":[{"code":"x"}]}"#);
        let options = vec![ChoiceOption {
            code: "x".to_owned(),
            label: "x".to_owned(),
        }];
        assert_eq!(choice, Ok(FieldKind::Choice(options)));
    }
}

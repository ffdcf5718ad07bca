//! `rollbook field`: what contacts can have.

use std::io::{self, Write};

use clap::{Subcommand, ValueEnum};
use rollbook_engine::field::choice::ChoiceOption;
use rollbook_engine::schema::{FieldId, FieldKind};
use rollbook_store::StoreError;
use serde::Serialize;

use super::terminal::{plain, print_json, print_table, say, table};
use super::{Done, usage};
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::config::Config;

/// The longest key of a field.
const MAX_KEY: usize = 64;

/// List fields and add custom ones
#[derive(Debug, Subcommand)]
pub(super) enum Fields {
    /// List the fields, built-in ones first
    #[command(after_help = "\
Examples:
  rollbook field list
  rollbook field list --json")]
    List {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },

    /// Add a custom field
    #[command(after_help = "\
Examples:
  rollbook field add vip --label \"VIP\" --type boolean
  rollbook field add loyalty --label \"Loyalty level\" --type choice --option gold=Gold --option silver=Silver
  rollbook field add last_stay --type date")]
    Add {
        /// Its key in mappings, API and files: lower-case letters, digits and _
        key: String,
        /// What people read [default: the key]
        #[arg(long)]
        label: Option<String>,
        /// What its values are
        #[arg(long = "type", value_enum, default_value = "text")]
        kind: KindFlag,
        /// An option of a choice, as CODE=Label or one word for both; repeat it for each
        #[arg(long = "option", value_name = "CODE=LABEL")]
        options: Vec<String>,
    },
}

/// The types of custom fields (SPEC 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum KindFlag {
    /// One line of text
    Text,
    /// Text of several lines
    #[value(alias = "long-text")]
    LongText,
    /// A decimal number
    Number,
    /// Yes or no
    Boolean,
    /// A day
    Date,
    /// A time of day
    Time,
    /// A day with a time
    #[value(alias = "date-time", alias = "datetime")]
    DateTime,
    /// One of the options
    Choice,
    /// Some of the options
    Choices,
    /// A web address
    Url,
}

#[derive(Serialize)]
struct FieldJson<'a> {
    key: &'a str,
    label: &'a str,
    r#type: &'static str,
    custom: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<&'a [ChoiceOption]>,
}

impl Fields {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        let schema = app.schema(workspace.id).await?;
        match self {
            Fields::List { json: true } => {
                let mut out = io::stdout().lock();
                for field in schema.fields() {
                    let options = match &field.kind {
                        FieldKind::Choice(options) | FieldKind::Choices(options) => {
                            Some(options.as_slice())
                        }
                        _ => None,
                    };
                    print_json(
                        &mut out,
                        &FieldJson {
                            key: &field.key,
                            label: &field.label,
                            r#type: kind_word(&field.kind),
                            custom: field.id >= FieldId::FIRST_CUSTOM,
                            options,
                        },
                    )?;
                }
                out.flush()?;
            }
            Fields::List { json: false } => {
                let mut table = table(&["Key", "Label", "Type", ""]);
                for field in schema.fields() {
                    let custom = field.id >= FieldId::FIRST_CUSTOM;
                    table.add_row([
                        field.key.as_str(),
                        plain(&field.label).as_str(),
                        kind_word(&field.kind),
                        if custom { "custom" } else { "" },
                    ]);
                }
                print_table(&table)?;
            }
            Fields::Add {
                key,
                label,
                kind,
                options,
            } => {
                check_key(&key)?;
                if schema.by_key(&key).is_some() {
                    return Err(usage(format!(
                        "there is a field `{key}` already; choose another key"
                    )));
                }
                let kind = field_kind(kind, &options)?;
                let label = label.unwrap_or_else(|| key.clone());
                match app.store.add_field(workspace.id, &key, &label, kind).await {
                    Ok(field) => {
                        app.audit(workspace.id, &Actor::command_line(), Act::AddedField, &key)
                            .await?;
                        writeln!(io::stdout(), "{}", field.key)?;
                        say(&format!(
                            "field `{key}` added; map columns to it with --map \"Header={key}\""
                        ));
                    }
                    Err(error @ StoreError::Exists(_)) => return Err(usage(error.to_string())),
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(Done::Fully)
    }
}

fn check_key(key: &str) -> anyhow::Result<()> {
    let fits = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_'
    };
    let good = key.starts_with(|first: char| first.is_ascii_lowercase())
        && key.chars().all(fits)
        && key.len() <= MAX_KEY;
    if good {
        Ok(())
    } else {
        Err(usage(format!(
            "`{key}` cannot be a key; begin with a lower-case letter and go on with letters, digits and _, {MAX_KEY} \
             at most"
        )))
    }
}

fn field_kind(kind: KindFlag, options: &[String]) -> anyhow::Result<FieldKind> {
    let choices = matches!(kind, KindFlag::Choice | KindFlag::Choices);
    if choices == options.is_empty() {
        return Err(usage(if choices {
            "a choice needs its options; give each with --option CODE=Label"
        } else {
            "only a choice has options; leave --option out, or say --type choice"
        }));
    }
    let options = options
        .iter()
        .map(|option| {
            let (code, label) = option.split_once('=').unwrap_or((option, option));
            ChoiceOption {
                code: code.trim().to_owned(),
                label: label.trim().to_owned(),
            }
        })
        .collect();
    Ok(match kind {
        KindFlag::Text => FieldKind::Text,
        KindFlag::LongText => FieldKind::LongText,
        KindFlag::Number => FieldKind::Number,
        KindFlag::Boolean => FieldKind::Boolean,
        KindFlag::Date => FieldKind::Date { partial: false },
        KindFlag::Time => FieldKind::Time,
        KindFlag::DateTime => FieldKind::DateTime,
        KindFlag::Choice => FieldKind::Choice(options),
        KindFlag::Choices => FieldKind::Choices(options),
        KindFlag::Url => FieldKind::Url,
    })
}

fn kind_word(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::ExternalId => "external_id",
        FieldKind::Name => "name",
        FieldKind::Text => "text",
        FieldKind::LongText => "long_text",
        FieldKind::Phone => "phone",
        FieldKind::Email => "email",
        FieldKind::Date { .. } => "date",
        FieldKind::Time => "time",
        FieldKind::DateTime => "date_time",
        FieldKind::Language => "language",
        FieldKind::Country => "country",
        FieldKind::Tags => "tags",
        FieldKind::Number => "number",
        FieldKind::Boolean => "boolean",
        FieldKind::Choice(_) => "choice",
        FieldKind::Choices(_) => "choices",
        FieldKind::Url => "url",
    }
}

//! `rollbook contacts`: the contacts themselves.

use std::io::{self, BufWriter, Write};

use clap::{Subcommand, ValueEnum};
use futures_util::StreamExt;
use rollbook_engine::contact::{ContactId, Value};
use rollbook_engine::schema::{FieldId, Schema};
use rollbook_store::WorkspaceId;
use rollbook_store::contacts::{ContactFilter, StoredContact};

use super::terminal::{self, plain, print_json, print_table, say, show_time, zone};
use super::{Done, privacy, usage};
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::config::Config;
use crate::contact_export;
use crate::export;
use crate::search::contact_filter;
use crate::wire::ContactJson;

/// Contacts that are read at a time.
const PAGE: u16 = 1_000;

/// List, show, export and erase contacts
#[derive(Debug, Subcommand)]
pub(super) enum Contacts {
    /// List contacts, newest first
    #[command(after_help = "\
Examples:
  rollbook contacts list
  rollbook contacts list --search weber
  rollbook contacts list --search \"0171 392\" --format json")]
    List {
        /// Only what contains this: a part of a name, an email, an External ID or another value, or a phone
        #[arg(long, value_name = "Q")]
        search: Option<String>,
        /// At most so many; 0 for all
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// In which form
        #[arg(long, value_enum, default_value = "table")]
        format: ListFormat,
    },

    /// Show one contact with all its fields
    #[command(after_help = "\
Examples:
  rollbook contacts show 17
  rollbook contacts show 17 --json
  rollbook log --contact 17                      what was imported into it")]
    Show {
        /// Its number
        id: u64,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },

    /// Export all contacts, oldest last
    ///
    /// The CSV has a column a field, named by the field's key, and can be imported again as it is; cells that a
    /// spreadsheet would take for formulas are marked with ', which an import drops again. Several phones, emails or
    /// tags stand in one cell, separated by semicolons.
    #[command(after_help = "\
Examples:
  rollbook contacts export > contacts.csv
  rollbook contacts export --format json > contacts.ndjson
  rollbook contacts export --search example.com > some.csv")]
    Export {
        /// Only what contains this
        #[arg(long, value_name = "Q")]
        search: Option<String>,
        /// In which form
        #[arg(long, value_enum, default_value = "csv")]
        format: ExportFormat,
    },

    /// Print everything that is kept about one person, as JSON
    ///
    /// The contact, every attempt about it with its payload, its rows in kept files, and mails that name it.
    #[command(after_help = "\
Examples:
  rollbook contacts person 17 > person.json")]
    Person {
        /// The contact's number
        id: u64,
    },

    /// Erase a person from contacts, log, files and mails; this cannot be taken back
    ///
    /// A counted tombstone stays, and keyed hashes of the identifiers, so that no record brings the person back;
    /// `rollbook privacy lift` lifts that. One that was stopped goes on when the same command runs again.
    #[command(after_help = "\
Examples:
  rollbook contacts erase 17 --dry-run
  rollbook contacts erase 17 --yes")]
    Erase {
        /// The contact's number
        id: u64,
        /// Erase without asking again
        #[arg(long)]
        yes: bool,
        /// Write nothing; tell what would be erased
        #[arg(long)]
        dry_run: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// The forms of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    /// Columns for people
    Table,
    /// One JSON object a line
    Json,
}

/// The forms of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// A row a contact, a column a field
    Csv,
    /// One JSON object a line
    Json,
}

impl Contacts {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        let schema = app.schema(workspace.id).await?;
        match self {
            Contacts::List {
                search,
                limit,
                format,
            } => {
                let filter = contact_filter(search.as_deref().unwrap_or_default());
                let limit = if limit == 0 { usize::MAX } else { limit };
                match format {
                    ListFormat::Table => {
                        let mut table = terminal::table(&[
                            "ID",
                            "Name",
                            "Phone Number",
                            "Email",
                            "External ID",
                        ]);
                        let mut count = 0;
                        each(&app, workspace.id, filter, limit, &mut |stored| {
                            count += 1;
                            table.add_row(row(stored));
                            Ok(())
                        })
                        .await?;
                        if count == 0 {
                            say("no contacts match");
                        } else {
                            print_table(&table)?;
                        }
                        let all = app.store.count_contacts(workspace.id).await?;
                        if search.is_none() && all > count {
                            say(&format!("these are {count} of {all}; --limit 0 shows all"));
                        }
                    }
                    ListFormat::Json => {
                        let mut out = BufWriter::new(io::stdout());
                        each(&app, workspace.id, filter, limit, &mut |stored| {
                            print_json(&mut out, &ContactJson::of(stored, &schema))
                        })
                        .await?;
                        out.flush()?;
                    }
                }
            }
            Contacts::Show { id, json } => {
                let Some(stored) = app.store.contact(workspace.id, ContactId(id)).await? else {
                    return Err(usage(format!(
                        "there is no contact {id}; find it with: rollbook contacts list --search NAME"
                    )));
                };
                let mut out = io::stdout().lock();
                if json {
                    print_json(&mut out, &ContactJson::of(&stored, &schema))?;
                } else {
                    show(&mut out, &stored, &schema, &zone(&workspace.settings))?;
                }
                out.flush()?;
            }
            Contacts::Export { search, format } => {
                let filter = contact_filter(search.as_deref().unwrap_or_default());
                let format = match format {
                    ExportFormat::Csv => export::Format::Csv,
                    ExportFormat::Json => export::Format::Ndjson,
                };
                app.audit(
                    workspace.id,
                    &Actor::command_line(),
                    Act::ExportedContacts,
                    format.key(),
                )
                .await?;
                let pieces = contact_export::contacts(app, workspace.id, schema, filter, format);
                tokio::pin!(pieces);
                let mut out = io::stdout();
                while let Some(piece) = pieces.next().await {
                    out.write_all(&piece?)?;
                }
                out.flush()?;
            }
            Contacts::Person { id } => privacy::export_person(&app, workspace.id, id).await?,
            Contacts::Erase {
                id,
                yes,
                dry_run,
                json,
            } => privacy::erase_person(&app, workspace.id, id, (yes, dry_run, json)).await?,
        }
        Ok(Done::Fully)
    }
}

/// Hands on contacts, newest first, a page at a time.
async fn each(
    app: &App,
    workspace: WorkspaceId,
    filter: ContactFilter,
    limit: usize,
    take: &mut (dyn FnMut(&StoredContact) -> io::Result<()> + Send),
) -> anyhow::Result<()> {
    let mut before = None;
    let mut left = limit;
    while left > 0 {
        let wanted = u16::try_from(left).unwrap_or(PAGE).min(PAGE);
        let page = app
            .store
            .contacts(workspace, filter.clone(), before, wanted)
            .await?;
        for stored in &page.contacts {
            take(stored)?;
        }
        left -= page.contacts.len().min(left);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok(())
}

/// The External ID of the namespace `default`, else of the first.
fn external_id(stored: &StoredContact) -> String {
    let contact = &stored.contact;
    let first = || contact.external_ids.first().map(|(_, id)| id.as_str());
    contact
        .external_id("default")
        .or_else(first)
        .unwrap_or_default()
        .to_owned()
}

fn row(stored: &StoredContact) -> [String; 5] {
    let contact = &stored.contact;
    let primary = |field| {
        contact
            .value(field)
            .map_or_else(String::new, |value: &Value| plain(value.primary()))
    };
    [
        contact.id.to_string(),
        plain(&contact.name().unwrap_or_default()),
        primary(FieldId::PHONE),
        primary(FieldId::EMAIL),
        plain(&external_id(stored)),
    ]
}

fn show(
    out: &mut impl Write,
    stored: &StoredContact,
    schema: &Schema,
    zone: &jiff::tz::TimeZone,
) -> io::Result<()> {
    let contact = &stored.contact;
    writeln!(out, "Contact {}", contact.id)?;
    let label = |field| {
        schema.by_id(field).map_or_else(
            || schema.key_of(field).into_string(),
            |field| field.label.clone(),
        )
    };
    for (namespace, id) in &contact.external_ids {
        let name = format!("External ID ({})", plain(namespace));
        writeln!(out, "  {name:<24} {}", plain(id))?;
    }
    for (field, value) in &contact.values {
        writeln!(
            out,
            "  {:<24} {}",
            plain(&label(*field)),
            plain(&value.texts().join("; "))
        )?;
    }
    writeln!(
        out,
        "  {:<24} {}",
        "Created at",
        show_time(stored.created_at, zone)
    )?;
    writeln!(
        out,
        "  {:<24} {}",
        "Updated at",
        show_time(stored.updated_at, zone)
    )
}

//! `rollbook user`: who may sign in.

use std::io::{self, Write};

use clap::{Subcommand, ValueEnum};
use rollbook_store::StoreError;
use rollbook_store::accounts::Role;
use serde::Serialize;

use super::terminal::{plain, print_json, print_table, read_secret_line, say, table};
use super::{Done, usage};
use crate::access::{self, MIN_PASSWORD_CHARS};
use crate::app::App;
use crate::clock;
use crate::config::Config;
use crate::wire::rfc3339;

/// Add, list, change and remove the people who may sign in
///
/// A viewer sees the log with phones, emails and payloads masked; an importer also imports files and sees everything;
/// an admin also changes settings.
#[derive(Debug, Subcommand)]
pub(super) enum Users {
    /// Add a person
    ///
    /// Without --password-stdin a password is made and printed once, alone on standard output.
    #[command(after_help = "\
Examples:
  rollbook user add anna@example.com --name \"Anna Weber\" --role importer
  echo \"$PASSWORD\" | rollbook user add anna@example.com --password-stdin")]
    Add {
        /// Their email address, which they sign in with
        email: String,
        /// The name shown [default: the email address]
        #[arg(long)]
        name: Option<String>,
        /// What they may do
        #[arg(long, value_enum, default_value = "viewer")]
        role: RoleFlag,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },

    /// List the people
    #[command(after_help = "\
Examples:
  rollbook user list
  rollbook user list --json")]
    List {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },

    /// Change what a person may do
    #[command(after_help = "\
Examples:
  rollbook user set-role anna@example.com admin")]
    SetRole {
        /// Their email address
        email: String,
        /// What they may do from now on
        #[arg(value_enum)]
        role: RoleFlag,
    },

    /// Give a person a new password and sign them out everywhere
    #[command(after_help = "\
Examples:
  rollbook user set-password anna@example.com
  echo \"$PASSWORD\" | rollbook user set-password anna@example.com --password-stdin")]
    SetPassword {
        /// Their email address
        email: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },

    /// Remove a person; they are signed out at once
    #[command(after_help = "\
Examples:
  rollbook user remove anna@example.com")]
    Remove {
        /// Their email address
        email: String,
    },
}

/// The roles as flags.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleFlag {
    /// Sees the log, masked
    Viewer,
    /// Also imports files and sees everything
    Importer,
    /// Also changes settings
    Admin,
}

impl From<RoleFlag> for Role {
    fn from(role: RoleFlag) -> Role {
        match role {
            RoleFlag::Viewer => Role::Viewer,
            RoleFlag::Importer => Role::Importer,
            RoleFlag::Admin => Role::Admin,
        }
    }
}

#[derive(Serialize)]
struct UserJson<'a> {
    email: &'a str,
    name: &'a str,
    role: &'static str,
    created_at: String,
}

impl Users {
    /// Runs the command.
    pub(super) async fn run(self, config: Config) -> anyhow::Result<Done> {
        let app = App::open(config).await?;
        let workspace = app.workspace().await?;
        match self {
            Users::Add {
                email,
                name,
                role,
                password_stdin,
            } => {
                let email = checked_email(&email)?;
                let name = name.unwrap_or_else(|| email.clone());
                let (password, made) = password(password_stdin)?;
                let hash = hash(password.clone()).await?;
                app.store
                    .add_user(
                        workspace.id,
                        &email,
                        &name,
                        role.into(),
                        &hash,
                        clock::now(),
                    )
                    .await
                    .map_err(refused)?;
                show_password(&email, &password, made)?;
                say(&format!(
                    "`{email}` may sign in as {}",
                    Role::from(role).key()
                ));
            }
            Users::List { json } => {
                let users = app.store.users(workspace.id).await?;
                if json {
                    let mut out = io::stdout().lock();
                    for user in &users {
                        print_json(
                            &mut out,
                            &UserJson {
                                email: &user.email,
                                name: &user.name,
                                role: user.role.key(),
                                created_at: rfc3339(user.created_at),
                            },
                        )?;
                    }
                } else {
                    let mut table = table(&["Email", "Name", "Role"]);
                    for user in &users {
                        table.add_row([user.email.as_str(), &plain(&user.name), user.role.key()]);
                    }
                    print_table(&table)?;
                }
            }
            Users::SetRole { email, role } => {
                let (email, role) = (checked_email(&email)?, Role::from(role));
                if role != Role::Admin {
                    keep_an_admin(&app, &email).await?;
                }
                app.store
                    .set_role(workspace.id, &email, role)
                    .await
                    .map_err(refused)?;
                say(&format!("`{email}` is {} now", role.key()));
            }
            Users::SetPassword {
                email,
                password_stdin,
            } => {
                let email = checked_email(&email)?;
                let (password, made) = password(password_stdin)?;
                let hash = hash(password.clone()).await?;
                app.store
                    .set_password(workspace.id, &email, &hash)
                    .await
                    .map_err(refused)?;
                show_password(&email, &password, made)?;
                say(&format!(
                    "`{email}` has a new password and is signed out everywhere"
                ));
            }
            Users::Remove { email } => {
                let email = checked_email(&email)?;
                keep_an_admin(&app, &email).await?;
                app.store
                    .remove_user(workspace.id, &email)
                    .await
                    .map_err(refused)?;
                say(&format!("`{email}` is removed"));
            }
        }
        Ok(Done::Fully)
    }
}

/// Somebody must be able to change settings: the last admin stays one.
async fn keep_an_admin(app: &App, email: &str) -> anyhow::Result<()> {
    let workspace = app.workspace().await?;
    let users = app.store.users(workspace.id).await?;
    let admin = |email: &str| {
        users
            .iter()
            .any(|user| user.email == email && user.role == Role::Admin)
    };
    let admins = users.iter().filter(|user| user.role == Role::Admin).count();
    if admin(email) && admins == 1 {
        return Err(usage(format!(
            "`{email}` is the only admin; make somebody else one first: rollbook user set-role EMAIL admin"
        )));
    }
    Ok(())
}

/// The address as it is stored, in lower case.
pub(super) fn checked_email(email: &str) -> anyhow::Result<String> {
    let parsed = rollbook_engine::field::email::EmailAddress::parse(email.trim())
        .map_err(|problem| usage(problem.message(email)))?;
    Ok(parsed.key().into_owned())
}

/// The password, and whether we made it.
fn password(from_stdin: bool) -> anyhow::Result<(String, bool)> {
    if !from_stdin {
        return Ok((new_password(), true));
    }
    let password = read_secret_line()?;
    check_password(&password)?;
    Ok((password, false))
}

/// A password that nobody guesses.
pub(super) fn new_password() -> String {
    let token = access::new_token();
    token
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(20)
        .collect()
}

/// Whether a password that somebody chose is long enough.
pub(super) fn check_password(password: &str) -> anyhow::Result<()> {
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(usage(format!(
            "the password is shorter than {MIN_PASSWORD_CHARS} characters; choose a longer one"
        )));
    }
    Ok(())
}

/// Hashes a password where it may take its time.
pub(super) async fn hash(password: String) -> anyhow::Result<String> {
    tokio::task::spawn_blocking(move || access::hash_password(&password)).await?
}

fn show_password(email: &str, password: &str, made: bool) -> anyhow::Result<()> {
    if made {
        writeln!(io::stdout(), "{password}")?;
        say(&format!(
            "this is the password of `{email}`: keep it now, it cannot be shown again"
        ));
    }
    Ok(())
}

fn refused(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Exists(_) | StoreError::Missing(_) => usage(format!(
            "{error}; see who there is with: rollbook user list"
        )),
        other => other.into(),
    }
}

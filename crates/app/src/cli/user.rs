//! `rollbook user`: who may sign in.

use std::io::{self, Write};

use clap::{Subcommand, ValueEnum};
use rollbook_store::StoreError;
use rollbook_store::accounts::{Member, Role, User};
use rollbook_store::workspaces::Workspace;
use serde::Serialize;

use super::terminal::{plain, print_json, print_table, read_secret_line, say, table};
use super::{Done, usage};
use crate::access;
use crate::app::App;
use crate::audit::{Act, Actor};
use crate::clock;
use crate::config::Config;
use crate::passwords;
use crate::wire::rfc3339;

/// Add, list, change and remove the people who may sign in
///
/// A person has one account and belongs to one workspace or several, with a role in each. A viewer sees the log with phones, emails and payloads masked; an importer also imports files and sees everything;
/// an admin also changes settings.
#[derive(Debug, Subcommand)]
pub(super) enum Users {
    /// Add a person
    ///
    /// Without --password-stdin a password is made and printed once, alone on standard output. Somebody who has an
    /// account already, because they belong to another workspace, keeps name and password and joins this one.
    #[command(after_help = "\
Examples:
  rollbook user add anna@example.com --name \"Anna Weber\" --role importer
  rollbook user add anna@example.com --role viewer --workspace \"Harbour Clinic\"
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

    /// Take somebody's second factor away, for example when they lost their phone
    #[command(after_help = "\
Examples:
  rollbook user reset-second-factor anna@example.com")]
    ResetSecondFactor {
        /// Their email address
        email: String,
    },

    /// Remove a person from the workspace; they are signed out at once
    ///
    /// With their last workspace their account goes as well.
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
            } => add(&app, &workspace, &email, name, role.into(), password_stdin).await?,
            Users::List { json } => list(&app.store.users(workspace.id).await?, json)?,
            Users::SetRole { email, role } => {
                let (email, role) = (checked_email(&email)?, Role::from(role));
                app.store
                    .set_role(workspace.id, &email, role)
                    .await
                    .map_err(refused)?;
                let about = format!("{email}, {}", role.key());
                audit(&app, &workspace, Act::ChangedRole, &about).await?;
                say(&format!("`{email}` is {} now", role.key()));
            }
            Users::SetPassword {
                email,
                password_stdin,
            } => set_password(&app, &workspace, &email, password_stdin).await?,
            Users::ResetSecondFactor { email } => {
                let user = find(&app, &workspace, &email).await?;
                app.store
                    .set_second_factor(user.id, None, Vec::new(), clock::now())
                    .await?;
                let about = format!("{}, off", user.email);
                audit(&app, &workspace, Act::ChangedSecondFactor, &about).await?;
                say(&format!(
                    "`{}` signs in with the password alone",
                    user.email
                ));
            }
            Users::Remove { email } => {
                let email = checked_email(&email)?;
                app.store
                    .remove_user(workspace.id, &email)
                    .await
                    .map_err(refused)?;
                audit(&app, &workspace, Act::Removed, &email).await?;
                say(&format!("`{email}` is removed"));
            }
        }
        Ok(Done::Fully)
    }
}

async fn add(
    app: &App,
    workspace: &Workspace,
    email: &str,
    name: Option<String>,
    role: Role,
    password_stdin: bool,
) -> anyhow::Result<()> {
    let email = checked_email(email)?;
    if app.store.user_by_email(&email).await?.is_some() {
        if name.is_some() || password_stdin {
            return Err(usage(format!(
                "`{email}` has an account already and keeps its name and password; leave out --name and \
                 --password-stdin"
            )));
        }
        app.store
            .add_member(workspace.id, &email, role, clock::now())
            .await
            .map_err(refused)?;
        audit(app, workspace, Act::Joined, &email).await?;
        say(&format!(
            "`{email}` has an account and may work in `{}` now, as {}",
            plain(&workspace.settings.name),
            role.key()
        ));
        return Ok(());
    }
    let name = name.unwrap_or_else(|| email.clone());
    let (password, made) = password(password_stdin, &email)?;
    let hash = hash(password.clone()).await?;
    app.store
        .add_user(workspace.id, &email, &name, role, &hash, clock::now())
        .await
        .map_err(refused)?;
    audit(app, workspace, Act::Joined, &email).await?;
    show_password(&email, &password, made)?;
    say(&format!("`{email}` may sign in as {}", role.key()));
    Ok(())
}

async fn set_password(
    app: &App,
    workspace: &Workspace,
    email: &str,
    password_stdin: bool,
) -> anyhow::Result<()> {
    let user = find(app, workspace, email).await?;
    let email = &user.email;
    let (password, made) = password(password_stdin, email)?;
    let hash = hash(password.clone()).await?;
    app.store.set_password(user.id, &hash, None).await?;
    audit(app, workspace, Act::ChangedPassword, email).await?;
    show_password(email, &password, made)?;
    say(&format!(
        "`{email}` has a new password and is signed out everywhere"
    ));
    Ok(())
}

/// Somebody in the workspace.
async fn find(app: &App, workspace: &Workspace, email: &str) -> anyhow::Result<User> {
    let email = checked_email(email)?;
    let people = app.store.users(workspace.id).await?;
    let found = people.into_iter().find(|member| member.user.email == email);
    found
        .map(|member| member.user)
        .ok_or_else(|| refused(StoreError::Missing(format!("user `{email}`"))))
}

fn list(members: &[Member], json: bool) -> anyhow::Result<()> {
    if json {
        let mut out = io::stdout().lock();
        for Member { user, role, .. } in members {
            print_json(
                &mut out,
                &UserJson {
                    email: &user.email,
                    name: &user.name,
                    role: role.key(),
                    created_at: rfc3339(user.created_at),
                },
            )?;
        }
        return Ok(());
    }
    let mut table = table(&["Email", "Name", "Role"]);
    for Member { user, role, .. } in members {
        table.add_row([user.email.as_str(), &plain(&user.name), role.key()]);
    }
    Ok(print_table(&table)?)
}

async fn audit(app: &App, workspace: &Workspace, act: Act, about: &str) -> anyhow::Result<()> {
    app.audit(workspace.id, &Actor::command_line(), act, about)
        .await?;
    Ok(())
}

/// The address as it is stored, in lower case.
pub(super) fn checked_email(email: &str) -> anyhow::Result<String> {
    let parsed = rollbook_engine::field::email::EmailAddress::parse(email.trim())
        .map_err(|problem| usage(problem.message(email)))?;
    Ok(parsed.key().into_owned())
}

/// The password, and whether we made it.
fn password(from_stdin: bool, email: &str) -> anyhow::Result<(String, bool)> {
    if !from_stdin {
        return Ok((new_password(), true));
    }
    let password = read_secret_line()?;
    check_password(&password, email)?;
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

/// Whether a password that somebody chose is one that we take.
pub(super) fn check_password(password: &str, email: &str) -> anyhow::Result<()> {
    passwords::check(password, email, "").map_err(|problem| usage(problem.to_string()))
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
        StoreError::Conflict(why) => usage(format!("{why}: rollbook user set-role EMAIL admin")),
        other => other.into(),
    }
}

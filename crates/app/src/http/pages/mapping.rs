//! Mapping the columns of an uploaded file: how it is read, what each column holds, and where it goes.
//!
//! The form is stored with the import whenever something is done with it, so that the page shows what was chosen, not
//! what was guessed. Scripts only ask for parts of the page again, with the form as it stands.

pub(crate) mod column;
pub(crate) mod form;
mod new_field;
pub(crate) mod reading;

use std::collections::HashMap;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use rollbook_engine::mapping::ColumnMapping;
use rollbook_engine::schema::Schema;
use rollbook_store::StoreError;
use rollbook_store::imports::{Import, ImportState};
use rollbook_store::sources::Source;

use crate::access::checked_region;
use crate::app::App;
use crate::blobs::BlobFile;
use crate::http::pages::error::PageError;
use crate::http::pages::frame::{Frame, Section, page, page_with};
use crate::http::pages::import::about::{Lineage, back};
use crate::http::pages::import::{find_import, source_of};
use crate::http::pages::imports::StateTag;
use crate::http::pages::mapping::column::{Around, ColumnView, FieldGroup, groups};
use crate::http::pages::mapping::form::MappingForm;
use crate::http::pages::mapping::reading::{MenuOption, ReadingView, read_as};
use crate::http::pages::show::{When, bytes, counted, sentence};
use crate::http::session::Person;
use crate::imports::check::{Checked, check, open_dates};
use crate::imports::intake::{self, Inspection, IntakeError};
use crate::imports::options::ImportOptions;
use crate::imports::profiles;
use crate::imports::said::Said;
use crate::imports::summary;

/// How many columns can be mapped on the page; a file with more keeps what was guessed for the rest.
const COLUMNS_SHOWN: usize = 200;

/// How many columns of the first records are shown.
const CELLS_SHOWN: usize = 30;

/// The page.
#[derive(Template)]
#[template(path = "pages/mapping.html")]
pub(crate) struct MappingPage {
    pub(crate) frame: Frame,
    pub(crate) id: String,
    pub(crate) file: String,
    pub(crate) size: String,
    /// What was just done, as a sentence; blank if nothing was.
    pub(crate) done: String,
    /// Whether the file can be read at all.
    pub(crate) readable: bool,
    pub(crate) reading: ReadingView,
    pub(crate) sources: Vec<MenuOption>,
    pub(crate) regions: Vec<MenuOption>,
    pub(crate) tags: String,
    pub(crate) profiles: Vec<String>,
    /// The import whose mapping was taken over.
    pub(crate) remembered: Option<RememberedView>,
    pub(crate) preview: Preview,
    /// The import whose failed rows these are.
    pub(crate) continues: Option<Lineage>,
    pub(crate) earlier: Vec<Earlier>,
}

/// The part of the page that depends on how the file is read.
#[derive(Template)]
#[template(path = "partials/mapping_preview.html")]
pub(crate) struct PreviewFragment {
    pub(crate) preview: Preview,
}

/// What hangs on the field of one column.
#[derive(Template)]
#[template(path = "partials/mapping_column.html")]
pub(crate) struct ColumnFragment {
    pub(crate) column: ColumnView,
}

/// How the file looks under the choices made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preview {
    pub(crate) problems: Vec<String>,
    pub(crate) read_as: String,
    pub(crate) columns: Vec<ColumnView>,
    /// Columns past the shown ones, in words; blank if there are none.
    pub(crate) hidden_columns: String,
    pub(crate) left_out: usize,
    pub(crate) groups: Vec<FieldGroup>,
    /// The first records, and the names of their columns.
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// The import whose mapping was taken over.
#[derive(Debug, Clone)]
pub(crate) struct RememberedView {
    pub(crate) import: String,
    pub(crate) file: String,
    /// `your`, or somebody's.
    pub(crate) whose: String,
    pub(crate) when: When,
}

/// An earlier import of the same file.
#[derive(Debug, Clone)]
pub(crate) struct Earlier {
    pub(crate) id: String,
    pub(crate) file: String,
    pub(crate) by: String,
    pub(crate) when: When,
    /// `31 created, 2 updated, 11 failed`, or what it waits for.
    pub(crate) outcome: String,
}

/// The page of an import that waits for its mapping, or a part of it.
pub(super) async fn show(
    app: &App,
    person: &Person,
    import: Import,
    query: Vec<(String, String)>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let form = MappingForm::of(query);
    let wizard = Wizard::of(app, person, import, form).await?;
    if wizard.form.get("fragment") == Some("preview") {
        let preview = wizard.preview(app, person).await?;
        return page(&PreviewFragment { preview });
    }
    wizard.answer(app, person).await
}

/// `GET /imports/{id}/columns/{column}/check`: what a column would mean, for the script.
pub(super) async fn check_column(
    State(app): State<App>,
    person: Person,
    Path((id, column)): Path<(String, usize)>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    let wizard = Wizard::of(&app, &person, import, MappingForm::of(query)).await?;
    let missing = || PageError::NotFound("this column");
    let found = wizard.inspection.as_ref().ok_or_else(missing)?;
    let shown = found.columns.get(column).ok_or_else(missing)?;
    let schema = app.schema(person.workspace.id).await?;
    let checked = wizard.checked(&app, Some(column)).await;
    let around = wizard.around(&schema, checked.as_ref(), &person);
    let chosen = &found.options.mapping.columns[column];
    let column = ColumnView::of(column, shown, chosen, &around);
    page(&ColumnFragment { column })
}

/// `POST /imports/{id}/mapping`: keeps what was chosen, and does what its button says.
pub(super) async fn submit(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    person.must_import()?;
    let import = find_import(&app, &person, &id).await?;
    let here = format!("/imports/{}", import.id);
    if import.state != ImportState::Uploaded {
        // Begun already: a second click, or another tab.
        return Ok(Redirect::to(&here).into_response());
    }
    let form = MappingForm::of(form);
    let mut wizard = Wizard::of(&app, &person, import, form).await?;
    let then = wizard.form.get("then").unwrap_or("run").to_owned();
    let done = match wizard.act(&app, &person, &then).await? {
        Acted::Done(done) => done,
        Acted::Problem => return wizard.answer(&app, &person).await,
    };
    Ok(Redirect::to(&format!("{here}{done}")).into_response())
}

/// What came of a button.
enum Acted {
    /// It is done; what follows the page's address.
    Done(&'static str),
    /// It could not be done; the wizard says why.
    Problem,
}

/// An import that waits for its mapping, with everything that was chosen so far.
struct Wizard {
    import: Import,
    form: MappingForm,
    sources: Vec<Source>,
    source: Source,
    /// The file; none if it is gone.
    file: Option<BlobFile>,
    /// What is in the file, mapped as chosen; none if it cannot be read.
    inspection: Option<Inspection>,
    remembered: Option<RememberedView>,
    problems: Vec<String>,
    column_problems: HashMap<usize, String>,
}

impl Wizard {
    /// Puts together what is stored, what is guessed and what the form says; the form wins.
    async fn of(
        app: &App,
        person: &Person,
        import: Import,
        form: MappingForm,
    ) -> Result<Wizard, PageError> {
        let sources = app.store.sources(person.workspace.id).await?;
        let chosen = form
            .get("source")
            .and_then(|name| sources.iter().find(|source| source.settings.name == name));
        let source = match chosen {
            Some(source) => source.clone(),
            None => source_of(app, person, &import).await?,
        };
        let stored: Option<ImportOptions> = import
            .options
            .as_deref()
            .filter(|_| form.get("fresh").is_none())
            .and_then(|json| serde_json::from_str(json).ok());
        let mut wizard = Wizard {
            import,
            form,
            sources,
            source,
            file: None,
            inspection: None,
            remembered: None,
            problems: Vec::new(),
            column_problems: HashMap::new(),
        };
        wizard.look(app, person, stored).await?;
        Ok(wizard)
    }

    /// Looks into the file and lets the choices win.
    async fn look(
        &mut self,
        app: &App,
        person: &Person,
        stored: Option<ImportOptions>,
    ) -> Result<(), PageError> {
        let said = if self.form.is_filled() {
            match self.form.said() {
                Ok(said) => said,
                Err(problem) => {
                    self.problems.push(sentence(&problem));
                    stored
                        .as_ref()
                        .map(|stored| stored.said.clone())
                        .unwrap_or_default()
                }
            }
        } else {
            stored
                .as_ref()
                .map(|stored| stored.said.clone())
                .unwrap_or_default()
        };
        let file = match intake::file_of(app, &self.import).await {
            Ok(file) => file,
            Err(error) => return self.fail(error),
        };
        let (path, name) = (file.path().to_owned(), self.import.file_name.clone());
        self.file = Some(file);
        let mut looked = intake::inspect(app, &self.source, &path, &name, &said).await;
        if let Err(error) = &looked
            && !said.is_nothing()
            && !matches!(error, IntakeError::Store(_))
        {
            // It cannot be read so; what is found out may still be chosen otherwise.
            self.problems.push(sentence(&error.to_string()));
            let nothing = Said::default();
            let found_out = intake::inspect(app, &self.source, &path, &name, &nothing);
            looked = found_out.await;
            if let Ok(inspection) = &mut looked {
                inspection.options.said = said;
            }
        }
        let mut inspection = match looked {
            Ok(inspection) => inspection,
            Err(error) => return self.fail(error),
        };
        intake::remember_parent(app, &mut self.import, &inspection)
            .await
            .or_else(|error| self.fail(error))?;
        if self.form.get("fresh").is_some() {
            inspection.forget();
        }
        if self.form.is_filled() {
            inspection.choose(&self.form.mapping());
            inspection.options.tags = self.form.tags();
            let region = self.form.get("region").unwrap_or_default();
            inspection.options.region = checked_region(region).unwrap_or_default();
        } else if let Some(stored) = stored {
            inspection.choose(&stored.mapping);
            inspection.options.tags = stored.tags;
            inspection.options.region = stored.region;
        } else if let Some(used) = &inspection.remembered {
            self.remembered = Some(RememberedView {
                import: used.import.to_string(),
                file: used.file_name.clone(),
                whose: if used.used_by == person.user.email {
                    "your".to_owned()
                } else {
                    format!("{}’s", used.used_by)
                },
                when: person.zone.when(used.used_at),
            });
        }
        self.inspection = Some(inspection);
        Ok(())
    }

    /// Does what a button of the form says. What was chosen is stored with it.
    async fn act(&mut self, app: &App, person: &Person, then: &str) -> Result<Acted, PageError> {
        let Some(options) = self.options().filter(|_| self.problems.is_empty()) else {
            return Ok(Acted::Problem);
        };
        let (verb, object) = then.split_once(':').unwrap_or((then, ""));
        let workspace = person.workspace.id;
        let name = self.form.get("profile_name").unwrap_or_default().to_owned();
        let chosen = self.form.get("profile").unwrap_or_default().to_owned();
        let done = match verb {
            "field" => {
                let column = object.parse().unwrap_or(usize::MAX);
                return self.add_field(app, person, column).await;
            }
            "save" => {
                let saved = match profiles::checked_name(&name) {
                    Ok(name) => {
                        let by = &person.user.email;
                        profiles::save(app, workspace, &name, &options, by, &person.actor()).await
                    }
                    Err(problem) => Err(StoreError::Conflict(problem)),
                };
                saved.map(|()| "?done=saved")
            }
            "use" => match profiles::find(app, workspace, &chosen).await? {
                Some(profile) => {
                    self.use_profile(app, person, &profile).await?;
                    Ok("?done=used")
                }
                None => Err(StoreError::Conflict(
                    "choose a mapping profile first".to_owned(),
                )),
            },
            "rename" => {
                let renamed = match profiles::checked_name(&name) {
                    Ok(name) => {
                        profiles::rename(app, workspace, &chosen, &name, &person.actor()).await
                    }
                    Err(problem) => Err(StoreError::Conflict(problem)),
                };
                renamed.map(|()| "?done=renamed")
            }
            "forget" => {
                let deleted = profiles::delete(app, workspace, &chosen, &person.actor()).await;
                deleted.map(|()| "?done=forgotten")
            }
            _ => return self.go_on(app, &options).await,
        };
        match done {
            Ok(done) if self.problems.is_empty() => {
                self.store(app).await?;
                Ok(Acted::Done(done))
            }
            Ok(_) => Ok(Acted::Problem),
            Err(
                error @ (StoreError::Conflict(_) | StoreError::Exists(_) | StoreError::Missing(_)),
            ) => {
                self.problems.push(sentence(&error.to_string()));
                Ok(Acted::Problem)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on to the review, if nothing is left to be said.
    async fn go_on(&mut self, app: &App, options: &ImportOptions) -> Result<Acted, PageError> {
        for column in self.form.new_fields() {
            let problem = "Add the new field first, or choose another.".to_owned();
            self.column_problems.insert(column, problem);
        }
        let Some(file) = &self.file else {
            return Ok(Acted::Problem);
        };
        match open_dates(app, &self.source, file.path(), options).await {
            Ok(open) => {
                for (column, _) in open {
                    let problem = "Say which day is meant before this file is imported.".to_owned();
                    self.column_problems.insert(column, problem);
                }
            }
            Err(error) => self.fail(error)?,
        }
        if !self.column_problems.is_empty() {
            let columns = u64::try_from(self.column_problems.len()).unwrap_or(0);
            let columns = counted(columns, "column needs", "columns need");
            self.problems
                .push(format!("{columns} an answer; look for the marks below."));
        }
        if !self.problems.is_empty() {
            return Ok(Acted::Problem);
        }
        self.move_to_source(app).await?;
        match intake::save(app, &self.source, &self.import, options).await {
            Ok(_) | Err(IntakeError::Begun(_)) => Ok(Acted::Done("/review")),
            Err(error) => {
                self.fail(error)?;
                Ok(Acted::Problem)
            }
        }
    }

    /// Takes a problem down; what the store cannot do is none of the person's.
    fn fail(&mut self, error: IntakeError) -> Result<(), PageError> {
        match error {
            IntakeError::Store(error) => return Err(error.into()),
            IntakeError::Blob(error) if error.passes() => return Err(error.into()),
            IntakeError::Mapping(problems) => {
                let problems = problems.iter().map(|problem| sentence(problem));
                self.problems.extend(problems);
            }
            error => self.problems.push(sentence(&error.to_string())),
        }
        Ok(())
    }

    /// Maps as a profile says; what the form says of the columns no longer counts.
    async fn use_profile(
        &mut self,
        app: &App,
        person: &Person,
        profile: &ImportOptions,
    ) -> Result<(), PageError> {
        self.form = MappingForm::default();
        self.look(app, person, Some(profile.clone())).await?;
        if let Some(inspection) = &mut self.inspection {
            inspection.forget();
            inspection.map_as(profile, "as the mapping profile says", false);
        }
        Ok(())
    }

    /// Stores what was chosen with the import.
    async fn store(&mut self, app: &App) -> Result<(), PageError> {
        self.move_to_source(app).await?;
        let Some(options) = self.options() else {
            return Ok(());
        };
        match intake::write_draft(app, &self.import, &options).await {
            Ok(import) => self.import = import,
            Err(error) => self.fail(error)?,
        }
        Ok(())
    }

    /// Moves the import to the source that was chosen for it.
    async fn move_to_source(&mut self, app: &App) -> Result<(), StoreError> {
        if self.source.id != self.import.source {
            let (workspace, import) = (self.import.workspace, self.import.id);
            let moved = app
                .store
                .set_import_source(workspace, import, self.source.id);
            self.import = moved.await?;
        }
        Ok(())
    }

    /// What was chosen.
    fn options(&self) -> Option<ImportOptions> {
        self.inspection.as_ref().map(|found| found.options.clone())
    }

    /// How many values could not be used; nothing where the mapping does not fit.
    async fn checked(&self, app: &App, only: Option<usize>) -> Option<Checked> {
        let options = &self.inspection.as_ref()?.options;
        let path = self.file.as_ref()?.path();
        check(app, &self.source, path, options, only).await.ok()
    }

    fn around<'a>(
        &'a self,
        schema: &'a Schema,
        checked: Option<&'a Checked>,
        person: &Person,
    ) -> Around<'a> {
        Around {
            schema,
            form: &self.form,
            checked,
            mode: self.source.settings.mode,
            may_add_fields: person.may_administer(),
        }
    }

    async fn preview(&self, app: &App, person: &Person) -> Result<Preview, PageError> {
        let Some(inspection) = &self.inspection else {
            return Ok(Preview {
                problems: self.problems.clone(),
                ..Preview::default()
            });
        };
        let schema = app.schema(person.workspace.id).await?;
        let checked = self.checked(app, None).await;
        let around = self.around(&schema, checked.as_ref(), person);
        let chosen: &[ColumnMapping] = &inspection.options.mapping.columns;
        let columns: Vec<ColumnView> = inspection
            .columns
            .iter()
            .zip(chosen)
            .take(COLUMNS_SHOWN)
            .enumerate()
            .map(|(index, (column, chosen))| ColumnView {
                problem: self.column_problems.get(&index).cloned(),
                ..ColumnView::of(index, column, chosen, &around)
            })
            .collect();
        let hidden = inspection.columns.len().saturating_sub(COLUMNS_SHOWN);
        let rows = inspection.rows.iter();
        Ok(Preview {
            problems: self.problems.clone(),
            read_as: read_as(inspection),
            left_out: columns
                .iter()
                .filter(|column| column.field.is_empty())
                .count(),
            names: columns
                .iter()
                .take(CELLS_SHOWN)
                .map(|column| column.name.clone())
                .collect(),
            columns,
            hidden_columns: match hidden {
                0 => String::new(),
                hidden => counted(u64::try_from(hidden).unwrap_or(0), "column", "columns"),
            },
            groups: groups(&schema),
            rows: rows
                .map(|cells| cells.iter().take(CELLS_SHOWN).cloned().collect())
                .collect(),
        })
    }

    /// The whole page.
    async fn answer(self, app: &App, person: &Person) -> Result<Response, PageError> {
        let preview = self.preview(app, person).await?;
        let status = if self.problems.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        };
        let options = self.inspection.as_ref().map(|found| &found.options);
        let saved = app.store.profiles(person.workspace.id).await?;
        let page = MappingPage {
            frame: Frame::new(person, Section::Imports),
            id: self.import.id.to_string(),
            file: self.import.file_name.clone(),
            size: bytes(self.import.file_size),
            done: done(self.form.get("done")).to_owned(),
            readable: self.inspection.is_some(),
            reading: self
                .inspection
                .as_ref()
                .map(ReadingView::of)
                .unwrap_or_default(),
            sources: source_options(&self.sources, &self.source),
            regions: region_options(person, &self.source, options),
            tags: options
                .map(|options| options.tags.join(", "))
                .unwrap_or_default(),
            profiles: saved.into_iter().map(|profile| profile.name).collect(),
            remembered: self.remembered.clone(),
            preview,
            continues: self
                .inspection
                .as_ref()
                .and_then(|found| found.continues.as_ref())
                .map(|parent| back(&self.import, parent)),
            earlier: earlier(app, person, &self.import).await?,
        };
        page_with(status, &page)
    }
}

/// What was just done.
fn done(key: Option<&str>) -> &'static str {
    match key {
        Some("saved") => "The mapping is saved. Choose it for the next file of this kind.",
        Some("used") => "The columns are mapped as the profile says.",
        Some("renamed") => "The mapping profile has its new name.",
        Some("forgotten") => {
            "The mapping profile is deleted. Imports that used it stay as they are."
        }
        Some("field") => "The field is added, and the column goes to it.",
        _ => "",
    }
}

fn source_options(sources: &[Source], chosen: &Source) -> Vec<MenuOption> {
    let option = |source: &Source| {
        let settings = &source.settings;
        let paused = if source.paused { ", paused" } else { "" };
        MenuOption {
            value: settings.name.clone(),
            label: format!(
                "{} (External IDs in {}{paused})",
                settings.label, settings.namespace
            ),
            selected: source.id == chosen.id,
        }
    };
    sources.iter().map(option).collect()
}

fn region_options(
    person: &Person,
    source: &Source,
    options: Option<&ImportOptions>,
) -> Vec<MenuOption> {
    let chosen = options.and_then(|options| options.region.as_deref());
    let usual = source
        .settings
        .region
        .as_deref()
        .or(person.workspace.settings.region.as_deref());
    let label = match usual {
        Some(region) => format!("As usual: {region}"),
        None => "None: numbers need a country code".to_owned(),
    };
    let none = MenuOption {
        value: String::new(),
        label,
        selected: chosen.is_none(),
    };
    let regions = rollbook_engine::field::country::all();
    let mut regions: Vec<MenuOption> = regions
        .map(|(code, name)| MenuOption {
            value: code.to_owned(),
            label: format!("{name} ({code})"),
            selected: chosen == Some(code),
        })
        .collect();
    regions.sort_by(|one, other| one.label.cmp(&other.label));
    std::iter::once(none).chain(regions).collect()
}

/// The first import of this very file and the latest, newest first.
async fn earlier(app: &App, person: &Person, import: &Import) -> Result<Vec<Earlier>, PageError> {
    let mut imports = intake::same_file(app, import).await?;
    let last = imports.len().saturating_sub(1);
    if last > 1 {
        imports.drain(1..last);
    }
    Ok(imports
        .into_iter()
        .rev()
        .map(|other| Earlier {
            id: other.id.to_string(),
            when: person.zone.when(other.created_at),
            outcome: outcome(&other),
            file: other.file_name,
            by: other.created_by,
        })
        .collect())
}

fn outcome(import: &Import) -> String {
    if import.totals.records == 0 {
        return StateTag::of(import).label.to_lowercase();
    }
    summary::counts(import)
}

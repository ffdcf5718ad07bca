//! A sample of every page, full of hostile text, and the test that renders all of them.

use rollbook_engine::attempt::ImportResult;
use rollbook_store::Timestamp;
use rollbook_store::log::{LogSummary, ResultCounts};

use crate::http::pages::account::{AccountPage, LinkedRow, SessionRow, SetUpFactorPage};
use crate::http::pages::attempt::payload::{Formatted, PayloadView};
use crate::http::pages::attempt::replay::ReplayForm;
use crate::http::pages::attempt::{
    AttemptFragment, AttemptPage, AttemptView, ChangeView, ImportLink, IssueView, NoteView,
};
use crate::http::pages::audit::{AuditPage, AuditRow};
use crate::http::pages::contact::{ContactPage, FieldView, IdentifierView};
use crate::http::pages::contacts::{ContactRow, ContactsPage};
use crate::http::pages::error::{ErrorPage, Trouble};
use crate::http::pages::frame::{Frame, OtherWorkspace, Section};
use crate::http::pages::import::about::{About, Lineage, MappedColumn};
use crate::http::pages::import::drift::{Drifted, DriftedRow};
use crate::http::pages::import::{Counts, ImportPage, ImportProgress, ImportView, Progress};
use crate::http::pages::imports::{ImportRow, ImportsPage, StateTag};
use crate::http::pages::join::{JoinPage, Joiner};
use crate::http::pages::log::query::LogQuery;
use crate::http::pages::log::range::{Preset, Range};
use crate::http::pages::log::replay::{ReplayPage, SourceRow};
use crate::http::pages::log::rows::{Info, ResultTag, Row, Rows};
use crate::http::pages::log::{Chip, Choice, Empty, LogPage, RangeMenu, histogram, tabs};
use crate::http::pages::mapping::column::{
    Answer, ColumnView, Count, FieldGroup, FieldOption, NewFieldForm, Question, TypeOption,
};
use crate::http::pages::mapping::reading::{HeaderRow, Menu, MenuOption, ReadingView};
use crate::http::pages::mapping::{
    ColumnFragment, Earlier, MappingPage, Preview, PreviewFragment, RememberedView,
};
use crate::http::pages::new_source::{NewSourceForm, NewSourcePage};
use crate::http::pages::notifications::forms::RhythmForm;
use crate::http::pages::notifications::outbox::MailRow;
use crate::http::pages::notifications::source::{
    SourceForm, SourceNotificationsPage, SourceProblems,
};
use crate::http::pages::notifications::{
    NotificationsPage, SourceRow as ToldSource, WorkspaceForm, WorkspaceProblems,
};
use crate::http::pages::people::{InvitationRow, NewLink, PeoplePage, PersonRow};
use crate::http::pages::privacy::erase::ErasePage;
use crate::http::pages::privacy::{ErasureRow, KeptView, PrivacyPage};
use crate::http::pages::remap::{Remap, RemapColumn};
use crate::http::pages::reset::NewPasswordPage;
use crate::http::pages::review::view::{
    CellView, ChangeView as ChangeOfRow, GroupView, RowView, Tab,
};
use crate::http::pages::review::{
    Head, HeadFragment, Notice, ReviewPage, RowFragment, Sum as ReviewSum,
};
use crate::http::pages::show::{When, Zone};
use crate::http::pages::sign_in::{SecondFactorPage, SignInPage};
use crate::http::pages::source::webhook::{WebhookForm, WebhookState, WebhookView};
use crate::http::pages::source::{KeyView, NewKey, SourcePage};
use crate::http::pages::sources::{SourceView, SourcesPage};
use crate::http::pages::teach::Teach;
use crate::http::pages::undo::{KeptRow, UndoCounts, UndoPage};
use crate::http::pages::upload::UploadPage;
use crate::imports::review::groups::FixKind;

/// What a page must never let through as HTML, in every place where data can stand.
const HOSTILE: &str = "\"><script>alert('x')</script><img src=x onerror=alert(1)>";

fn hostile() -> String {
    HOSTILE.to_owned()
}

fn when() -> When {
    Zone::named("Europe/Berlin").when(Timestamp(1_763_806_602_108))
}

fn frame() -> Frame {
    Frame {
        section: Section::Logs,
        workspace: hostile(),
        others: vec![OtherWorkspace {
            id: 2,
            name: hostile(),
        }],
        person: hostile(),
        role: "admin",
    }
}

fn reviewed_row(dropped: bool) -> RowView {
    let cell = |column, lines| CellView {
        column,
        name: hostile(),
        value: hostile(),
        lines,
        uploaded: Some(hostile()),
        problems: vec![hostile()],
    };
    RowView {
        number: 1_007 + u64::from(dropped),
        shown_number: "1,007".to_owned(),
        class: "bad",
        verdict: "Fails",
        dropped,
        matched_on: "found by email",
        contact: Some(7),
        same_row: Some(17),
        name: hostile(),
        phone: hostile(),
        email: hostile(),
        external_id: hostile(),
        problems: vec![hostile()],
        wrong: vec![cell(0, false), cell(1, true)],
        others: vec![cell(2, false), cell(3, true)],
        changes: vec![ChangeOfRow {
            field: hostile(),
            before: hostile(),
            after: hostile(),
        }],
        notes: vec![hostile()],
        region: hostile(),
    }
}

fn review(running: bool) -> ReviewPage {
    ReviewPage {
        frame: frame(),
        id: hostile(),
        file: hostile(),
        size: hostile(),
        notice: Some(Notice {
            bad: running,
            text: hostile(),
        }),
        head: Head {
            running: running.then(|| (40, hostile())),
            error: Some(hostile()),
            sum: (!running).then(|| ReviewSum {
                warning: hostile(),
                edited: hostile(),
                importable: hostile(),
                dropped: hostile(),
                ..ReviewSum::default()
            }),
            tabs: vec![Tab {
                key: "all",
                label: "All",
                count: hostile(),
                url: hostile(),
                current: true,
            }],
            groups: vec![GroupView {
                key: hostile(),
                title: hostile(),
                rows: hostile(),
                single: running,
                example: hostile(),
                url: hostile(),
                current: true,
                fixes: &[
                    FixKind::SetRegion,
                    FixKind::Replace,
                    FixKind::Clean,
                    FixKind::Clear,
                ],
            }],
        },
        rows: vec![reviewed_row(false), reviewed_row(true)],
        listed: hostile(),
        next: Some(hostile()),
        back: hostile(),
    }
}

fn teach() -> Teach {
    Teach {
        may_import: true,
        may_administer: true,
        curl: hostile(),
    }
}

fn row() -> Row {
    Row {
        id: "019aab5c-0000-7000-8000-000000000001".to_owned(),
        number: 1,
        result: ResultTag::of(ImportResult::Warning),
        info: vec![Info {
            label: Some(hostile()),
            message: hostile(),
        }],
        more_info: 2,
        action: "Updated",
        name: hostile(),
        contact: Some(7),
        phone: hostile(),
        email: hostile(),
        source: hostile(),
        file: Some(hostile()),
        received: when(),
        received_text: "22 Nov, 11:16:42".to_owned(),
        matched_on: "External ID",
        about: hostile(),
    }
}

fn log(empty: Option<Empty>) -> LogPage {
    let query = LogQuery {
        q: hostile(),
        ..LogQuery::default()
    };
    let counts = ResultCounts {
        success: 1_251,
        warning: 27,
        failure: 6,
    };
    let summary = LogSummary {
        counts,
        histogram: vec![counts, ResultCounts::default()],
    };
    let span = Range::Preset(Preset::QuarterHour).span(Timestamp(1_763_806_602_108));
    let choice = || Choice {
        value: hostile(),
        label: hostile(),
        current: true,
    };
    LogPage {
        frame: frame(),
        problems: vec![hostile()],
        retention: Some(when()),
        range: RangeMenu {
            label: "Past 15 minutes".to_owned(),
            span: "11:02 – 11:17 CET".to_owned(),
            presets: vec![choice()],
            from: hostile(),
            to: hostile(),
            zone: hostile(),
            hidden: query.hidden(&[]),
        },
        live: Some(query.url(&[])),
        export_csv: query.url(&[]),
        export_ndjson: query.url(&[]),
        replay: Some(hostile()),
        tabs: tabs(&query, &summary),
        histogram: histogram::draw(
            &summary.histogram,
            span,
            &Zone::named("Europe/Berlin"),
            true,
        ),
        search: hostile(),
        search_in: "Name or External ID",
        hidden: query.hidden(&[]),
        sources: vec![choice()],
        actions: vec![choice()],
        matched_on: vec![choice()],
        chips: vec![Chip {
            label: "Search",
            value: hostile(),
            url: query.url(&[]),
        }],
        clear: query.url(&[]),
        rows: if empty.is_some() {
            Vec::new()
        } else {
            vec![row()]
        },
        shown: "1 attempt".to_owned(),
        older: Some(query.url(&[])),
        newest: Some(query.url(&[])),
        empty,
    }
}

fn remap() -> Remap {
    Remap {
        columns: vec![RemapColumn {
            index: 0,
            raw_name: hostile(),
            name: hostile(),
            value: hostile(),
            before: hostile(),
            field: hostile(),
        }],
        groups: vec![FieldGroup {
            label: "Fields",
            fields: vec![FieldOption {
                key: hostile(),
                label: hostile(),
            }],
        }],
        is_open: true,
        hint: Some("The values are those of the first record."),
    }
}

fn replay_row() -> SourceRow {
    SourceRow {
        name: hostile(),
        records: "212".to_owned(),
        left_out: vec![("3".to_owned(), hostile())],
    }
}

fn attempt(formatted: Formatted) -> AttemptView {
    AttemptView {
        id: hostile(),
        result: ResultTag::of(ImportResult::Failure),
        name: hostile(),
        is_undo: false,
        outcome: "not imported",
        received: when(),
        source: hostile(),
        source_name: "desk".to_owned(),
        matched_on: "Email",
        contact: Some(7),
        import: Some(ImportLink {
            id: hostile(),
            file: hostile(),
            row: "1,284".to_owned(),
        }),
        replay_of: Some(hostile()),
        replays: vec![hostile(), hostile()],
        replay: Some(ReplayForm {
            text: Some(hostile()),
            remap: Some(remap()),
            obstacle: None,
            problem: Some(hostile()),
        }),
        idempotency_key: Some(hostile()),
        issues: vec![IssueView {
            label: Some(hostile()),
            message: hostile(),
            code: hostile(),
        }],
        notes: vec![NoteView {
            label: None,
            message: hostile(),
        }],
        changes: vec![
            ChangeView {
                label: hostile(),
                before: vec![hostile(), hostile()],
                after: Vec::new(),
            },
            ChangeView {
                label: hostile(),
                before: Vec::new(),
                after: vec![hostile()],
            },
        ],
        payload: Some(PayloadView {
            kind: hostile(),
            size: "214 bytes".to_owned(),
            raw: hostile(),
            damaged: true,
            formatted,
        }),
    }
}

fn import(over: bool) -> ImportView {
    ImportView {
        id: "019aab5c-0000-7000-8000-000000000001".to_owned(),
        file: hostile(),
        is_undo: over,
        undo: Some("/imports/1/undo".to_owned()),
        size: "1 MB".to_owned(),
        by: hostile(),
        created: when(),
        state: StateTag {
            class: "busy",
            label: "Running",
        },
        over,
        error: Some(hostile()),
        stopped: Some(hostile()),
        can_cancel: true,
        progress: Progress {
            percent: Some(33),
            text: hostile(),
            rate: "1 record a second".to_owned(),
            left: "about 2 seconds left".to_owned(),
        },
        counts: Counts {
            records: hostile(),
            ..Counts::default()
        },
        without_identifier: "3 records".to_owned(),
        took: Some("8 seconds".to_owned()),
        log: "/settings/logs".to_owned(),
        log_failures: "/settings/logs".to_owned(),
    }
}

fn undo(empty: bool) -> UndoPage {
    UndoPage {
        frame: frame(),
        id: "019aab5c-0000-7000-8000-000000000001".to_owned(),
        file: hostile(),
        counts: UndoCounts {
            records: if empty { "0" } else { "3" }.to_owned(),
            removed: hostile(),
            restored: hostile(),
            values: hostile(),
            kept: hostile(),
            partly: hostile(),
        },
        reasons: vec![(hostile(), hostile())],
        kept: if empty {
            Vec::new()
        } else {
            vec![KeptRow {
                row: "7".to_owned(),
                contact: 7,
                name: hostile(),
                attempt: hostile(),
                issues: vec![(Some(hostile()), hostile())],
            }]
        },
        more: hostile(),
    }
}

fn lineage() -> Lineage {
    Lineage {
        before: "Continues",
        id: hostile(),
        name: hostile(),
        after: hostile(),
    }
}

fn about(kind: &'static str) -> About {
    About {
        kind,
        source: hostile(),
        lineage: vec![lineage(), lineage()],
        file: (kind == "File").then(hostile),
        file_gone: true,
        reading: vec![("Sheet", hostile())],
        columns: vec![
            MappedColumn {
                name: hostile(),
                field: Some(hostile()),
                rules: vec![hostile()],
            },
            MappedColumn {
                name: hostile(),
                field: None,
                rules: Vec::new(),
            },
        ],
        hidden_columns: "3 columns".to_owned(),
    }
}

fn webhook(set_up: bool) -> WebhookView {
    let state = WebhookState {
        scheme: "HMAC-SHA256 of the body",
        text: hostile(),
        is_timed: false,
        since: when(),
        previous_until: Some(when()),
        accepted: Some("a minute ago".to_owned()),
        refused: Some(("an hour ago".to_owned(), "it was signed too long ago")),
    };
    WebhookView {
        address: hostile(),
        state: set_up.then_some(state),
        form: WebhookForm::sample(HOSTILE),
        problem: Some(hostile()),
    }
}

fn source(is_manual: bool) -> SourceView {
    SourceView {
        name: "desk".to_owned(),
        label: hostile(),
        mode: "Automatic",
        mode_text: "",
        is_manual,
        namespace: hostile(),
        region: hostile(),
        paused: is_manual,
        last: Some(when()),
        last_ago: "just now".to_owned(),
        success: "1".to_owned(),
        warning: "2".to_owned(),
        failure: "3".to_owned(),
        created: when(),
    }
}

fn column(index: usize) -> ColumnView {
    ColumnView {
        index,
        raw_name: hostile(),
        name: hostile(),
        samples: vec![hostile()],
        field: hostile(),
        is_date: true,
        is_list: true,
        reason: Some(hostile()),
        problem: Some(hostile()),
        write: "add",
        blank: "clear",
        date_order: "",
        dates_found: hostile(),
        question: None,
        count: Some(Count {
            is_bad: true,
            text: hostile(),
            examples: vec![hostile()],
        }),
        rules: hostile(),
        rules_differ: true,
        new_field: None,
    }
}

/// A column that asks for a date, one that asks for a field, and one that is left out.
fn asking_columns() -> [ColumnView; 4] {
    let new_field = |may| NewFieldForm {
        may,
        label: hostile(),
        options: hostile(),
        types: vec![TypeOption {
            key: "choice",
            label: "One of several choices",
            selected: true,
        }],
    };
    let question = Question {
        value: hostile(),
        answers: vec![Answer {
            order: "dmy",
            date: hostile(),
        }],
    };
    [
        ColumnView {
            question: Some(question),
            ..column(1)
        },
        ColumnView {
            new_field: Some(new_field(true)),
            ..column(2)
        },
        ColumnView {
            new_field: Some(new_field(false)),
            ..column(3)
        },
        ColumnView {
            field: String::new(),
            ..column(4)
        },
    ]
}

fn people() -> PeoplePage {
    PeoplePage {
        frame: frame(),
        people: [true, false]
            .map(|is_self| PersonRow {
                email: hostile(),
                name: hostile(),
                role: "importer",
                is_self,
                sign_in: "password",
                since: when(),
            })
            .to_vec(),
        invitations: vec![InvitationRow {
            email: hostile(),
            role: "viewer",
            by: hostile(),
            until: when(),
        }],
        roles: ["viewer", "importer", "admin"],
        can_mail: false,
        link: Some(NewLink {
            email: hostile(),
            url: hostile(),
        }),
        done: Some(hostile()),
        problem: Some(hostile()),
        form_email: hostile(),
    }
}

fn mapping(readable: bool) -> MappingPage {
    let option = MenuOption {
        value: hostile(),
        label: hostile(),
        selected: true,
    };
    MappingPage {
        frame: frame(),
        id: "019aab5c-0000-7000-8000-000000000001".to_owned(),
        file: hostile(),
        size: "1 MB".to_owned(),
        done: hostile(),
        readable,
        reading: ReadingView {
            menus: vec![Menu {
                name: "encoding",
                label: "Encoding",
                options: vec![option.clone()],
            }],
            header_row: Some(HeaderRow {
                said: hostile(),
                found: hostile(),
            }),
        },
        sources: vec![option.clone()],
        regions: vec![option],
        tags: hostile(),
        profiles: vec![hostile()],
        remembered: Some(RememberedView {
            import: hostile(),
            file: hostile(),
            whose: hostile(),
            when: when(),
        }),
        preview: Preview {
            problems: vec![hostile()],
            read_as: hostile(),
            columns: std::iter::once(column(0)).chain(asking_columns()).collect(),
            hidden_columns: "3 columns".to_owned(),
            left_out: 2,
            groups: vec![FieldGroup {
                label: "Fields",
                fields: vec![FieldOption {
                    key: hostile(),
                    label: hostile(),
                }],
            }],
            names: vec![hostile()],
            rows: vec![vec![hostile()]],
        },
        continues: Some(lineage()),
        earlier: vec![Earlier {
            id: hostile(),
            file: hostile(),
            by: hostile(),
            when: when(),
            outcome: hostile(),
        }],
    }
}

/// Every page in every state that has its own text.
#[expect(
    clippy::too_many_lines,
    reason = "a list of pages, one after the other"
)]
fn all() -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    let mut add = |name, page: &dyn askama::DynTemplate| {
        let html = page.dyn_render().expect("a sample renders");
        pages.push((name, html));
    };
    add("log", &log(None));
    add("log, nothing yet", &log(Some(Empty::Nothing(teach()))));
    add(
        "log, nothing in range",
        &log(Some(Empty::NotInRange {
            latest: when(),
            ago: "37 minutes ago".to_owned(),
            wider: hostile(),
            wider_label: hostile(),
        })),
    );
    add(
        "log, nothing of this result",
        &log(Some(Empty::NotOfResult { all: hostile() })),
    );
    add(
        "log, nothing found",
        &log(Some(Empty::NotFound { clear: hostile() })),
    );
    add("log rows", &Rows { rows: &[row()] });
    let cells = Formatted::Cells(vec![(hostile(), hostile())]);
    for formatted in [Formatted::Raw, Formatted::Json(hostile()), cells] {
        let page = AttemptPage {
            frame: frame(),
            attempt: attempt(formatted.clone()),
        };
        add("attempt", &page);
        let attempt = attempt(formatted);
        add("attempt in the modal", &AttemptFragment { attempt });
    }
    for (text, obstacle) in [(None, None), (None, Some(hostile()))] {
        let attempt = AttemptView {
            replay: Some(ReplayForm {
                text,
                remap: None,
                obstacle,
                problem: None,
            }),
            ..attempt(Formatted::Raw)
        };
        add("attempt, no text to replay", &AttemptFragment { attempt });
    }
    for (sources, records) in [
        (Vec::new(), None),
        (vec![replay_row()], None),
        (vec![replay_row()], Some(hostile())),
    ] {
        let page = ReplayPage {
            frame: frame(),
            problem: Some(hostile()),
            back: hostile(),
            range: RangeMenu::default(),
            chips: vec![Chip {
                label: "Search",
                value: hostile(),
                url: hostile(),
            }],
            sources,
            looked_at: records.is_some().then(hostile),
            remap: records.is_some().then(remap),
            records,
            replayed: Some((hostile(), hostile())),
            hidden: vec![("from", hostile())],
        };
        add("replay", &page);
    }
    let masked = AttemptView {
        replay: None,
        payload: None,
        ..attempt(Formatted::Raw)
    };
    add("attempt, masked", &AttemptFragment { attempt: masked });
    for teach in [None, Some(teach())] {
        let page = ContactsPage {
            frame: frame(),
            total: "1 contact".to_owned(),
            search: hostile(),
            search_in: "Name or External ID",
            rows: vec![ContactRow {
                id: 7,
                name: hostile(),
                phone: hostile(),
                more_phones: 1,
                email: hostile(),
                more_emails: 1,
                external_id: hostile(),
                updated: when(),
            }],
            more: Some("/contacts".to_owned()),
            later: true,
            teach,
            may_import: true,
        };
        add("contacts", &page);
    }
    add(
        "contact",
        &ContactPage {
            frame: frame(),
            id: 7,
            name: hostile(),
            removed: false,
            erased: false,
            fields: vec![FieldView {
                label: hostile(),
                values: vec![hostile()],
            }],
            identifiers: vec![IdentifierView {
                namespace: hostile(),
                value: hostile(),
            }],
            created: when(),
            updated: when(),
            history: vec![row()],
            older: Some("/contacts/7".to_owned()),
            zone: hostile(),
        },
    );
    for (empty, filtered) in [(false, true), (true, true), (true, false)] {
        let choice = || Choice {
            value: hostile(),
            label: hostile(),
            current: true,
        };
        let row = ImportRow {
            id: hostile(),
            file: hostile(),
            kind: "Undo".to_owned(),
            source: hostile(),
            lineage: vec![lineage()],
            download: Some(hostile()),
            by: hostile(),
            created: when(),
            took: hostile(),
            state: import(true).state,
            records: "1".to_owned(),
            created_contacts: "1".to_owned(),
            updated: "0".to_owned(),
            warnings: "0".to_owned(),
            failed: "0".to_owned(),
        };
        let page = ImportsPage {
            frame: frame(),
            search: hostile(),
            states: vec![choice()],
            sources: vec![choice()],
            people: vec![choice()],
            filtered,
            rows: if empty { Vec::new() } else { vec![row] },
            older: Some(hostile()),
            newest: filtered.then(hostile),
            may_import: true,
        };
        add("imports", &page);
    }
    add(
        "upload",
        &UploadPage {
            frame: frame(),
            problem: Some(hostile()),
            limit: "2 GB".to_owned(),
            limit_bytes: 2 << 30,
            too_large: hostile(),
        },
    );
    add("mapping", &mapping(true));
    add("mapping of an unreadable file", &mapping(false));
    let preview = mapping(true).preview;
    add("preview of a mapping", &PreviewFragment { preview });
    for column in asking_columns() {
        add("column of a mapping", &ColumnFragment { column });
    }
    for running in [false, true] {
        add("review", &review(running));
        let (id, back) = (hostile(), hostile());
        let head = review(running).head;
        add("review head", &HeadFragment { id, head, back });
    }
    for dropped in [false, true] {
        let (id, back) = (hostile(), hostile());
        let row = reviewed_row(dropped);
        add("review row", &RowFragment { id, row, back });
    }
    for over in [false, true] {
        let page = ImportPage {
            frame: frame(),
            import: import(over),
            about: about(if over { "File" } else { "Undo" }),
            drift: over.then(|| Drifted {
                summary: hostile(),
                rows: vec![DriftedRow {
                    number: hostile(),
                    name: hostile(),
                    expected: "update",
                    contact: Some(7),
                    became: "created",
                    became_contact: Some(8),
                    attempt: hostile(),
                }],
                more: hostile(),
            }),
        };
        add("import", &page);
    }
    let finished = ImportPage {
        frame: frame(),
        import: ImportView {
            is_undo: false,
            ..import(true)
        },
        about: about("File"),
        drift: None,
    };
    add("import, finished", &finished);
    for empty in [false, true] {
        add("undo", &undo(empty));
    }
    let import = import(false);
    add("import progress", &ImportProgress { import });
    add(
        "sources",
        &SourcesPage {
            frame: frame(),
            sources: vec![source(true), source(false)],
            may_administer: true,
        },
    );
    add(
        "new source",
        &NewSourcePage {
            frame: frame(),
            form: NewSourceForm {
                label: hostile(),
                name: hostile(),
                mode: hostile(),
                namespace: hostile(),
                region: hostile(),
            },
            label_problem: Some(hostile()),
            name_problem: Some(hostile()),
            region_problem: Some(hostile()),
            workspace_region: hostile(),
        },
    );
    add("notifications", &notifications(true));
    add("notifications without mail", &notifications(false));
    for is_manual in [false, true] {
        add(
            "notifications of a source",
            &source_notifications(is_manual),
        );
        let key = |revoked: Option<When>| KeyView {
            id: 1,
            name: hostile(),
            prefix: hostile(),
            created: when(),
            last_used: "never".to_owned(),
            until: revoked.is_none().then(when),
            is_valid: revoked.is_none(),
            revoked,
        };
        let page = SourcePage {
            frame: frame(),
            source: source(is_manual),
            keys: vec![key(None), key(Some(when()))],
            may_administer: true,
            new_key: Some(NewKey {
                name: hostile(),
                secret: hostile(),
            }),
            curl: hostile(),
            webhook: (!is_manual).then(|| webhook(true)),
            new_secret: Some(hostile()),
        };
        add("source", &page);
    }
    let page = SourcePage {
        frame: frame(),
        source: source(false),
        keys: Vec::new(),
        may_administer: true,
        new_key: None,
        curl: hostile(),
        webhook: Some(webhook(false)),
        new_secret: None,
    };
    add("source without webhooks", &page);
    add(
        "sign in",
        &SignInPage {
            email: hostile(),
            next: hostile(),
            problem: Some(hostile()),
            done: Some("Your new password is saved."),
            no_users: true,
            provider: Some(hostile()),
        },
    );
    add(
        "second factor",
        &SecondFactorPage {
            ticket: hostile(),
            next: hostile(),
            problem: Some("This code is not right."),
        },
    );
    for who in [
        Joiner::New,
        Joiner::SignedIn,
        Joiner::HasAccount,
        Joiner::Other,
    ] {
        let page = JoinPage {
            token: hostile(),
            workspace: hostile(),
            invited_by: hostile(),
            email: hostile(),
            role: "viewer",
            name: hostile(),
            who,
            problem: Some(hostile()),
        };
        add("join", &page);
    }
    add(
        "new password",
        &NewPasswordPage {
            token: hostile(),
            email: hostile(),
            problem: Some(hostile()),
        },
    );
    add("people", &people());
    for recovery_codes in [None, Some(hostile())] {
        let page = AccountPage {
            frame: frame(),
            email: hostile(),
            name: hostile(),
            sessions: [true, false]
                .map(|is_this| SessionRow {
                    id: hostile(),
                    device: hostile(),
                    address: hostile(),
                    seen: hostile(),
                    since: when(),
                    is_this,
                })
                .to_vec(),
            recovery_codes,
            provider: Some(hostile()),
            linked: vec![LinkedRow {
                subject: hostile(),
                email: hostile(),
                since: when(),
            }],
            done: Some("Done."),
            password_problem: Some(hostile()),
            factor_problem: Some("The password is not right."),
        };
        add("account", &page);
    }
    for recovery_codes in [Vec::new(), vec![hostile()]] {
        let page = SetUpFactorPage {
            frame: frame(),
            secret: hostile(),
            picture: crate::totp::picture("otpauth://totp/Rollbook"),
            problem: Some("This is not the code."),
            recovery_codes,
            all_codes: hostile(),
        };
        add("set up a second factor", &page);
    }
    for filtered in [false, true] {
        let page = AuditPage {
            frame: frame(),
            rows: vec![AuditRow {
                at: when(),
                who: hostile(),
                what: hostile(),
                about: hostile(),
                address: hostile(),
            }],
            who: hostile(),
            acts: vec![Choice {
                value: hostile(),
                label: hostile(),
                current: true,
            }],
            filtered,
            older: Some("/settings/audit".to_owned()),
            later: true,
        };
        add("audit", &page);
        let page = AuditPage {
            rows: Vec::new(),
            older: None,
            ..page
        };
        add("audit, empty", &page);
    }
    let page = PrivacyPage {
        frame: frame(),
        done: Some("Saved."),
        kept: vec![KeptView {
            key: "payloads",
            label: "Payloads",
            hint: "What was sent.",
            days: hostile(),
            problem: Some(hostile()),
            dropped: hostile(),
        }],
        erasures: vec![
            ErasureRow {
                number: 1,
                contact: 17,
                when: when(),
                by: hostile(),
                running: true,
                attempts: "12".to_owned(),
                files: hostile(),
                lifted: None,
            },
            ErasureRow {
                number: 2,
                contact: 18,
                when: when(),
                by: hostile(),
                running: false,
                attempts: "12".to_owned(),
                files: hostile(),
                lifted: Some((hostile(), when())),
            },
        ],
        older: Some("/settings/privacy?before=1".to_owned()),
        later: true,
    };
    add("privacy", &page);
    let page = PrivacyPage {
        erasures: Vec::new(),
        done: None,
        ..page
    };
    add("privacy, nobody erased", &page);
    for problem in [None, Some("Type the word.")] {
        let page = ErasePage {
            frame: frame(),
            id: 17,
            name: hostile(),
            identifiers: "3".to_owned(),
            attempts: "12 attempts".to_owned(),
            files: if problem.is_some() {
                hostile()
            } else {
                String::new()
            },
            word: "erase",
            typed: hostile(),
            problem,
        };
        add("erase", &page);
    }
    add(
        "error",
        &ErrorPage {
            frame: Frame::bare(),
            trouble: Trouble {
                heading: hostile(),
                text: hostile(),
            },
        },
    );
    pages
}

fn rhythm() -> RhythmForm {
    RhythmForm {
        every: "weekly".to_owned(),
        at: hostile(),
        on: "monday".to_owned(),
    }
}

fn notifications(configured: bool) -> NotificationsPage {
    let mail = |again| MailRow {
        id: hostile(),
        kind: "Import report",
        recipient: hostile(),
        subject: hostile(),
        created: when(),
        class: "bad",
        state: "Given up",
        when: "after 3 tries".to_owned(),
        error: hostile(),
        again,
    };
    let some = configured.then(hostile);
    NotificationsPage {
        frame: frame(),
        way: configured.then(|| (hostile(), hostile())),
        links: configured,
        saved: configured,
        form: WorkspaceForm {
            recipients: hostile(),
            to_uploader: some.clone(),
            rhythm: rhythm(),
            quiet_from: hostile(),
            quiet_to: hostile(),
            attachment: hostile(),
        },
        problems: WorkspaceProblems {
            recipients: some.clone(),
            rhythm: some.clone(),
            quiet: some.clone(),
            attachment: some.clone(),
        },
        zone: hostile(),
        sources: vec![ToldSource {
            name: hostile(),
            label: hostile(),
            recipients: hostile(),
            digest: hostile(),
            quiet: hostile(),
            alerts: hostile(),
        }],
        test_to: hostile(),
        tested: Some((configured, hostile())),
        mails: if configured {
            vec![mail(true), mail(false)]
        } else {
            Vec::new()
        },
        older: some,
        newest: configured,
    }
}

fn source_notifications(is_manual: bool) -> SourceNotificationsPage {
    let problem = || Some(hostile());
    SourceNotificationsPage {
        frame: frame(),
        name: hostile(),
        label: hostile(),
        is_manual,
        form: SourceForm {
            who: "own".to_owned(),
            recipients: hostile(),
            rhythm: rhythm(),
            quiet: "own".to_owned(),
            quiet_from: hostile(),
            quiet_to: hostile(),
            silence: "hours".to_owned(),
            hours: hostile(),
            jump: problem(),
        },
        problems: SourceProblems {
            recipients: problem(),
            rhythm: problem(),
            quiet: problem(),
            silence: problem(),
        },
        usual_recipients: hostile(),
        usual_digest: hostile(),
        usual_quiet: hostile(),
        zone: hostile(),
    }
}

#[test]
fn every_page_renders_and_lets_no_html_through() {
    for (name, html) in all() {
        assert!(!html.contains("<script>"), "{name} runs what it was given");
        assert!(!html.contains("<img"), "{name} shows what it was given");
        assert!(
            !html.contains("alert('x')"),
            "{name} leaves quotes as they were"
        );
        assert!(html.contains("alert("), "{name} shows no data at all");
    }
}

#[test]
fn no_page_has_scripts_or_styles_of_its_own() {
    for (name, html) in all() {
        assert!(!html.contains(" style="), "{name} has an inline style");
        assert!(!html.contains("<style"), "{name} has an inline style sheet");
        for tag in html.split("<script").skip(1) {
            assert!(
                tag.starts_with(" src=\"/assets/"),
                "{name} has an inline script"
            );
        }
    }
}

#[test]
fn ids_are_given_once() {
    for (name, html) in all() {
        let mut ids: Vec<&str> = html
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name} gives an id twice");
    }
}

//! The log against a naive model: a `Vec` of attempts and linear scans.

use proptest::prelude::*;
use rollbook_engine::attempt::{Action, ImportResult};
use rollbook_engine::contact::{IdentifierKind, Text, Value};

use super::search::fold;
use super::*;
use crate::log::{Reach, ResultCounts, Search};

const WORKSPACE: WorkspaceId = WorkspaceId(3);
const OTHER: WorkspaceId = WorkspaceId(4);

/// A log and its model.
struct Log {
    conn: Connection,
    model: Vec<(Attempt, Payload)>,
}

/// An attempt to be, before it has number and time.
#[derive(Debug, Clone)]
struct Draft {
    gap: u64,
    pause: i64,
    outcome: Outcome,
    source: SourceId,
    import: Option<u32>,
    row: Option<u64>,
    contact: Option<ContactId>,
    shown: Shown,
    detail: block::Detail,
    payload: Payload,
}

impl Draft {
    fn plain() -> Draft {
        Draft {
            gap: 0,
            pause: 10,
            outcome: Outcome {
                result: ImportResult::Success,
                action: Some(Action::Created),
                matched_on: None,
            },
            source: SourceId(1),
            import: None,
            row: None,
            contact: None,
            shown: Shown::default(),
            detail: block::Detail::default(),
            payload: payload("text/csv", b""),
        }
    }

    fn at(&self, number: u64, received_at: Timestamp) -> Stored {
        Stored {
            number,
            received_at,
            outcome: self.outcome,
            source: self.source,
            import: self.import,
            row: self.row,
            contact: self.contact,
            shown: self.shown.clone(),
            detail: self.detail.clone(),
        }
    }
}

fn payload(content_type: &str, bytes: &[u8]) -> Payload {
    Payload {
        content_type: content_type.to_owned(),
        bytes: bytes.to_vec(),
    }
}

fn import_id(no: u32) -> ImportId {
    ImportId(Uuid::from_u128(0xabc0_0000 + u128::from(no)))
}

impl Log {
    fn new() -> Log {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE TABLE import (no INTEGER PRIMARY KEY, workspace INTEGER NOT NULL, id BLOB NOT NULL)",
        )
        .unwrap();
        for schema in [
            include_str!("../../../migrations/sqlite/0002_log.sql"),
            include_str!("../../../migrations/sqlite/0005_replays.sql"),
        ] {
            conn.execute_batch(schema).unwrap();
        }
        for no in 1..=4 {
            conn.execute(
                "INSERT INTO import (no, workspace, id) VALUES (?1, ?2, ?3)",
                params![no, WORKSPACE.0, import_id(no).0.as_bytes()],
            )
            .unwrap();
        }
        Log {
            conn,
            model: Vec::new(),
        }
    }

    fn append(&mut self, drafts: &[Draft]) {
        let last = self
            .model
            .last()
            .map(|(attempt, _)| (attempt.id.number(), attempt.received_at));
        assert_eq!(super::last(&self.conn, WORKSPACE).unwrap(), last);
        let (mut number, mut time) = last.unwrap_or((0, Timestamp(1_000)));
        let mut stored = Vec::new();
        for draft in drafts {
            number += 1 + draft.gap;
            time = Timestamp(time.0 + draft.pause);
            stored.push((draft.at(number, time), draft.payload.clone()));
        }
        let new: Vec<NewAttempt<'_>> = stored
            .iter()
            .map(|(one, payload)| one.as_new(payload))
            .collect();
        self.in_transaction(|tx| super::append(tx, WORKSPACE, &new));
        for (stored, payload) in stored {
            let no = stored.import;
            let mut imports = Imports::of(&self.conn, WORKSPACE);
            let attempt = imports.name(stored).unwrap();
            assert_eq!(attempt.import, no.map(import_id));
            self.model.push((attempt, payload));
        }
    }

    /// Folds what waits: some beside a writer, the rest by one.
    fn maintain(&mut self) {
        if let Some(folded) = fold::fold(&mut self.conn, WORKSPACE).unwrap() {
            let before = tail::len(&self.conn, WORKSPACE).unwrap();
            self.in_transaction(|tx| {
                assert_eq!(fold::put(tx, folded)?, before - BLOCK as u64);
                Ok(())
            });
        }
        self.in_transaction(|tx| super::maintain(tx, WORKSPACE));
        assert!(tail::len(&self.conn, WORKSPACE).unwrap() < BLOCK as u64);
    }

    /// Erases, slice by slice, in the log and one by one in the model.
    fn erase(&mut self, filter: &LogFilter) {
        let expected = self.naive(filter).len() as u64;
        let mut erased = 0;
        let mut after = Some(0);
        while let Some(number) = after {
            self.in_transaction(|tx| {
                let corrected = correct::erase(tx, WORKSPACE, filter, number)?;
                erased += corrected.attempts;
                after = corrected.next;
                Ok(())
            });
        }
        assert_eq!(erased, expected);
        for (attempt, payload) in &mut self.model {
            if meets(filter, attempt, payload) {
                attempt.shown = Shown::default();
                attempt.changes.clear();
                attempt.notes = vec![Note::erased()];
                attempt.idempotency_key = None;
                for issue in &mut attempt.issues {
                    issue.erase();
                }
                *payload = self::payload("", b"");
            }
        }
    }

    /// Drops old blocks, slice by slice; the model follows what is left, which must be the newest attempts and all that
    /// are young enough.
    fn drop_before(&mut self, before: Timestamp) {
        let mut dropped = 0;
        let mut going = true;
        while going {
            self.in_transaction(|tx| {
                let corrected = correct::drop_old(tx, WORKSPACE, before)?;
                dropped += corrected.attempts;
                going = corrected.more;
                Ok(())
            });
        }
        let dropped = usize::try_from(dropped).unwrap();
        assert!(
            self.model[..dropped]
                .iter()
                .all(|(attempt, _)| attempt.received_at < before)
        );
        let old = self
            .model
            .iter()
            .filter(|(attempt, _)| attempt.received_at < before)
            .count();
        let tail = usize::try_from(tail::len(&self.conn, WORKSPACE).unwrap()).unwrap();
        // What is old and stays shares a block with younger ones, is the last block, or waits for its block.
        assert!(old - dropped < 2 * BLOCK + tail, "{old} {dropped} {tail}");
        self.model.drain(..dropped);
    }

    fn in_transaction(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<(), StoreError>) {
        let tx = self.conn.transaction().unwrap();
        work(&tx).unwrap();
        tx.commit().unwrap();
    }

    fn blocks(&self) -> i64 {
        let sql = "SELECT COUNT(*) FROM log_block";
        self.conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// What a filter finds, by looking at every attempt.
    fn naive(&self, filter: &LogFilter) -> Vec<&(Attempt, Payload)> {
        self.model
            .iter()
            .filter(|(attempt, payload)| meets(filter, attempt, payload))
            .collect()
    }

    /// Asks the log everything there is to ask with this filter.
    fn check(&self, filter: &LogFilter, limit: u32, buckets: u16) {
        let found = self.naive(filter);
        let length = usize::try_from(limit).unwrap();
        let mut pagings = vec![
            Paging::Newest,
            Paging::Before(0),
            Paging::After(0),
            Paging::After(u64::MAX),
        ];
        for (attempt, _) in self.model.iter().step_by(5) {
            pagings.push(Paging::Before(attempt.id.number()));
            pagings.push(Paging::After(attempt.id.number()));
        }
        for paging in pagings {
            let mut expected = found.clone();
            match paging {
                Paging::Newest => expected.reverse(),
                Paging::Before(number) => {
                    expected.retain(|(attempt, _)| attempt.id.number() < number);
                    expected.reverse();
                }
                Paging::After(number) => {
                    expected.retain(|(attempt, _)| attempt.id.number() > number);
                }
            }
            let more = expected.len() > length;
            expected.truncate(length);
            let page = super::page(&self.conn, WORKSPACE, filter, paging, limit).unwrap();
            let attempts: Vec<Attempt> = expected
                .iter()
                .map(|(attempt, _)| attempt.clone())
                .collect();
            assert_eq!(page.attempts, attempts, "{paging:?} {filter:?}");
            assert_eq!(page.more, more, "{paging:?} {filter:?}");
            let with_payloads =
                page_with_payloads(&self.conn, WORKSPACE, filter, paging, limit).unwrap();
            let expected: Vec<(Attempt, Payload)> = expected.into_iter().cloned().collect();
            assert_eq!(with_payloads, expected, "{paging:?} {filter:?}");
        }
        let expected = self.naive_summary(filter, buckets);
        let summary = super::summary(&self.conn, WORKSPACE, filter, buckets).unwrap();
        assert_eq!(summary, expected, "{buckets} {filter:?}");
    }

    fn naive_summary(&self, filter: &LogFilter, buckets: u16) -> LogSummary {
        let mut summary = LogSummary::default();
        let every_result = LogFilter {
            result: None,
            ..filter.clone()
        };
        let range = filter.from.zip(filter.to).filter(|_| buckets > 0);
        if range.is_some() {
            summary.histogram = vec![ResultCounts::default(); usize::from(buckets)];
        }
        for (attempt, _) in self.naive(&every_result) {
            let add = |counts: &mut ResultCounts| match attempt.result {
                ImportResult::Success => counts.success += 1,
                ImportResult::Warning => counts.warning += 1,
                ImportResult::Failure => counts.failure += 1,
            };
            add(&mut summary.counts);
            if let Some((from, to)) = range {
                let position =
                    (attempt.received_at.0 - from.0) * i64::from(buckets) / (to.0 - from.0);
                add(&mut summary.histogram[usize::try_from(position).unwrap()]);
            }
        }
        summary
    }

    fn check_each(&self) {
        for (attempt, payload) in &self.model {
            let found = super::attempt(&self.conn, WORKSPACE, attempt.id).unwrap();
            assert_eq!(found, Some((attempt.clone(), payload.clone())));
            let later = Timestamp(attempt.received_at.0 + 1);
            for wrong in [
                AttemptId::new(WORKSPACE, later, attempt.id.number()),
                AttemptId::new(OTHER, attempt.received_at, attempt.id.number()),
            ] {
                assert_eq!(super::attempt(&self.conn, WORKSPACE, wrong).unwrap(), None);
            }
            assert_eq!(super::attempt(&self.conn, OTHER, attempt.id).unwrap(), None);
        }
        let beyond = self.model.last().map_or(0, |(last, _)| last.id.number()) + 1;
        for number in [0, beyond, u64::MAX] {
            let id = AttemptId::new(WORKSPACE, Timestamp(1_000), number);
            if self.model.iter().all(|(attempt, _)| attempt.id != id) {
                assert_eq!(super::attempt(&self.conn, WORKSPACE, id).unwrap(), None);
            }
        }
    }
}

fn meets(filter: &LogFilter, attempt: &Attempt, payload: &Payload) -> bool {
    filter.from.is_none_or(|from| from <= attempt.received_at)
        && filter.to.is_none_or(|to| attempt.received_at < to)
        && filter.result.is_none_or(|result| result == attempt.result)
        && filter.source.is_none_or(|source| source == attempt.source)
        && filter
            .action
            .is_none_or(|action| Some(action) == attempt.action)
        && filter
            .matched_on
            .is_none_or(|kind| Some(kind) == attempt.matched_on)
        && filter
            .import
            .is_none_or(|import| Some(import) == attempt.import)
        && filter
            .contact
            .is_none_or(|contact| Some(contact) == attempt.contact)
        && filter
            .search
            .as_ref()
            .is_none_or(|search| contains(search, attempt, payload))
}

fn contains(search: &Search, attempt: &Attempt, payload: &Payload) -> bool {
    let folded = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        fold(&mut bytes);
        bytes
    };
    let within = |needle: &[u8], bytes: &[u8]| {
        !needle.is_empty() && bytes.windows(needle.len()).any(|window| window == needle)
    };
    let text = folded(search.text.as_bytes());
    let digits = search.phone_digits.clone().unwrap_or_default();
    let Shown {
        name,
        phone,
        email,
        external_id,
    } = &attempt.shown;
    if search.reach == Reach::NamesAndIds {
        return (text.is_empty() && digits.is_empty())
            || [name, external_id]
                .into_iter()
                .flatten()
                .any(|key| within(&text, &folded(key.as_bytes())));
    }
    let keys = [name, phone, email, external_id];
    let phone: String = phone
        .iter()
        .flat_map(|phone| phone.chars())
        .filter(char::is_ascii_digit)
        .collect();
    (text.is_empty() && digits.is_empty())
        || keys
            .into_iter()
            .flatten()
            .any(|key| within(&text, &folded(key.as_bytes())))
        || within(&text, &folded(&payload.bytes))
        || within(digits.as_bytes(), phone.as_bytes())
}

const NAMES: [&str; 7] = [
    "Anna Weber",
    "ÄNNE Müller",
    "",
    "O'Brien",
    "100%_sure",
    "Straße",
    "anna\u{212a}\u{0130}",
];
const PHONES: [&str; 4] = [
    "+491701234567",
    "0170 / 123-4567",
    "1701234",
    "+4915112345678",
];
const EMAILS: [&str; 3] = [
    "anna.weber@example.org",
    "A.W@Example.org",
    "büro@müller.example",
];
const EXTERNAL_IDS: [&str; 3] = ["G-1001", "g-1001", "007"];
const PAYLOADS: [&[u8]; 7] = [
    b"",
    b"G-1001,Anna,WEBER,0170/1234567",
    b"M\xdcLLER;\xff\xfe;latin",
    "{\"name\":\"ÄNNE MÜLLER\"}".as_bytes(),
    // The end of one and the beginning of the next would form a letter.
    b"ends in \xc3",
    b"\x84 begins",
    b"Anna Weber,anna weber,ANNA WEBER and once more anna weber",
];
const TEXTS: [&str; 17] = [
    "",
    "anna",
    "ANNA WEBER",
    "weber,0",
    "änne",
    "ÄNNE MÜ",
    "ä",
    "%_s",
    "'",
    "1701234567",
    "g-100",
    "zzzzzzz",
    "STRAße",
    "anna weber@",
    "\u{212a}",
    "k",
    "l\u{fffd}",
];
const DIGITS: [&str; 5] = ["", "1701234567", "01701", "4", "99999999"];

fn outcomes() -> impl Strategy<Value = Outcome> {
    (0..block::OUTCOMES).prop_map(|code| block::outcome_of_code(code).unwrap())
}

fn usual_outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        5 => Just(Draft::plain().outcome),
        2 => Just(Outcome { result: ImportResult::Failure, action: None, matched_on: None }),
        1 => outcomes(),
    ]
}

fn texts(pool: &'static [&'static str]) -> impl Strategy<Value = Option<Text>> {
    proptest::option::of(proptest::sample::select(pool).prop_map(Text::from))
}

fn details() -> impl Strategy<Value = block::Detail> {
    let some = (
        0..3_usize,
        0..2_usize,
        0..3_usize,
        any::<bool>(),
        any::<bool>(),
    );
    let some = some.prop_map(|(issues, notes, changes, key, replay)| block::Detail {
        issues: vec![
            Issue {
                field: Some("phone".into()),
                code: "phone.invalid".into(),
                message: "“x” is not a phone number.".to_owned(),
                value: key.then(|| "x".to_owned()),
            };
            issues
        ],
        notes: vec![Note::no_changes(); notes],
        changes: vec![
            Change {
                field: "tags".into(),
                before: key.then(|| Value::One(Text::default())),
                after: replay
                    .then(|| Value::Many(["a", "ß"].map(Text::from).into_iter().collect())),
            };
            changes
        ],
        idempotency_key: key.then(|| "key-1".to_owned()),
        replay_of: replay.then(|| AttemptId::new(OTHER, Timestamp(5), 77)),
    });
    prop_oneof![3 => Just(block::Detail::default()), 1 => some]
}

fn drafts() -> impl Strategy<Value = Draft> {
    let times = (
        prop_oneof![9 => Just(0_u64), 1 => 0..5_u64],
        prop_oneof![Just(0_i64), 0..50_i64],
    );
    let origin = (
        1..3_u32,
        proptest::option::of(1..4_u32),
        proptest::option::of(any::<u32>()),
    );
    let contact = proptest::option::of(1..12_u64);
    let shown = (
        texts(&NAMES),
        texts(&PHONES),
        texts(&EMAILS),
        texts(&EXTERNAL_IDS),
    );
    let payload = (any::<bool>(), proptest::sample::select(PAYLOADS.as_slice()));
    (
        times,
        usual_outcomes(),
        origin,
        contact,
        shown,
        details(),
        payload,
    )
        .prop_map(
            |(
                (gap, pause),
                outcome,
                (source, import, row),
                contact,
                shown,
                detail,
                (csv, bytes),
            )| {
                let (name, phone, email, external_id) = shown;
                Draft {
                    gap,
                    pause,
                    outcome,
                    source: SourceId(source),
                    import,
                    row: row.map(u64::from),
                    contact: contact.map(ContactId),
                    shown: Shown {
                        name,
                        phone,
                        email,
                        external_id,
                    },
                    detail,
                    payload: payload_of(csv, bytes),
                }
            },
        )
}

fn payload_of(csv: bool, bytes: &[u8]) -> Payload {
    payload(if csv { "text/csv" } else { "application/json" }, bytes)
}

/// What happens to a log: attempts arrive, or, if there are none, it is maintained.
fn histories() -> impl Strategy<Value = Vec<Vec<Draft>>> {
    let arrivals = prop_oneof![
        3 => proptest::collection::vec(drafts(), 0..3),
        1 => proptest::collection::vec(drafts(), 0..40),
    ];
    proptest::collection::vec(arrivals, 0..12)
}

fn filters() -> impl Strategy<Value = LogFilter> {
    let time = || proptest::option::of((900..2_500_i64).prop_map(Timestamp));
    let result = prop_oneof![
        Just(ImportResult::Success),
        Just(ImportResult::Warning),
        Just(ImportResult::Failure)
    ];
    let action = prop_oneof![
        Just(Action::Created),
        Just(Action::Updated),
        Just(Action::Removed)
    ];
    let kind = prop_oneof![
        Just(IdentifierKind::ExternalId),
        Just(IdentifierKind::Phone),
        Just(IdentifierKind::Email)
    ];
    let reach = prop_oneof![Just(Reach::Everything), Just(Reach::NamesAndIds)];
    let search = (
        proptest::sample::select(TEXTS.as_slice()),
        texts(&DIGITS),
        reach,
    )
        .prop_map(|(text, phone_digits, reach)| Search {
            text: text.to_owned(),
            phone_digits: phone_digits.map(String::from),
            reach,
        });
    let rarely = 0.15;
    (
        (time(), time()),
        proptest::option::weighted(rarely, result),
        proptest::option::weighted(rarely, (1..4_u32).prop_map(SourceId)),
        proptest::option::weighted(rarely, action),
        proptest::option::weighted(rarely, kind),
        proptest::option::weighted(rarely, (1..6_u32).prop_map(import_id)),
        proptest::option::weighted(rarely, (0..13_u64).prop_map(ContactId)),
        proptest::option::weighted(0.4, search),
    )
        .prop_map(
            |((from, to), result, source, action, matched_on, import, contact, search)| LogFilter {
                from,
                to,
                result,
                source,
                action,
                matched_on,
                import,
                contact,
                search,
            },
        )
}

#[test]
fn what_was_corrected_or_folded_meanwhile_is_not_put_back() {
    let mut log = Log::new();
    for _ in 0..=BLOCK {
        log.append(&[Draft::plain()]);
    }
    let waiting = BLOCK as u64 + 1;
    let folded = |log: &mut Log| fold::fold(&mut log.conn, WORKSPACE).unwrap().unwrap();
    let late = folded(&mut log);
    let later = folded(&mut log);
    log.erase(&LogFilter::default());
    log.in_transaction(|tx| {
        assert_eq!(fold::put(tx, late)?, waiting, "it was erased");
        Ok(())
    });
    log.check_each();
    let fresh = folded(&mut log);
    log.in_transaction(|tx| {
        assert_eq!(fold::put(tx, fresh)?, 1);
        assert_eq!(fold::put(tx, later)?, 1, "it was folded");
        Ok(())
    });
    log.check_each();
    assert!(fold::fold(&mut log.conn, WORKSPACE).unwrap().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn the_log_answers_like_a_linear_scan(
        history in histories(),
        filters in proptest::collection::vec(filters(), 1..6),
        limit in 0..12_u32,
        buckets in prop_oneof![Just(0_u16), Just(1), 2..9_u16, Just(1_000)],
    ) {
        let mut log = Log::new();
        for drafts in &history {
            if drafts.is_empty() {
                log.maintain();
            } else {
                log.append(drafts);
            }
        }
        log.check(&LogFilter::default(), limit, buckets);
        for filter in &filters {
            log.check(filter, limit, buckets);
        }
        log.check_each();
    }

    /// Erasing what a filter finds, and dropping what is old, leaves the log of somebody who did the same to every
    /// attempt one by one.
    #[test]
    fn a_corrected_log_answers_like_a_corrected_list(
        history in histories(),
        erased in filters(),
        before in 1_000..1_400_i64,
        filters in proptest::collection::vec(filters(), 1..4),
    ) {
        let mut log = Log::new();
        for drafts in &history {
            if drafts.is_empty() {
                log.maintain();
            } else {
                log.append(drafts);
            }
        }
        log.erase(&erased);
        for filter in [&LogFilter::default(), &erased].into_iter().chain(&filters) {
            log.check(filter, 7, 3);
        }
        log.check_each();
        log.drop_before(Timestamp(before));
        for filter in [&LogFilter::default(), &erased].into_iter().chain(&filters) {
            log.check(filter, 7, 3);
        }
        log.check_each();
        log.append(&[Draft::plain()]);
        log.check(&LogFilter::default(), 7, 3);
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic_or_another_answer(
        drafts in proptest::collection::vec(drafts(), 10..30),
        part in proptest::sample::select(vec!["meta", "grams", "keys", "detail", "payload"]),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        let mut log = Log::new();
        log.append(&drafts);
        let answers = || -> [Result<String, StoreError>; 2] {
            let everything = LogFilter::default();
            let searching = LogFilter { search: Some(search("anna weber", None)), ..LogFilter::default() };
            let page = page_with_payloads(&log.conn, WORKSPACE, &everything, Paging::Newest, 100);
            let summary = super::summary(&log.conn, WORKSPACE, &searching, 0);
            [page.map(|page| format!("{page:?}")), summary.map(|summary| format!("{summary:?}"))]
        };
        let right = answers();
        let select = format!("SELECT id, {part} FROM log_data LIMIT 1");
        let (id, mut bytes): (i64, Vec<u8>) =
            log.conn.query_row(&select, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        prop_assume!(!bytes.is_empty());
        let position = at.index(bytes.len());
        bytes[position] = to;
        log.conn
            .execute(&format!("UPDATE log_data SET {part} = ?1 WHERE id = ?2"), params![bytes, id])
            .unwrap();
        for (answer, right) in answers().into_iter().zip(right) {
            match answer {
                // A bit of a zstd frame that means nothing may be turned.
                Ok(answer) => prop_assert_eq!(answer, right.unwrap()),
                Err(StoreError::Damaged(text)) => prop_assert!(text.contains("block of the log with attempts")),
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
    }
}

fn search(text: &str, phone_digits: Option<&str>) -> Search {
    Search {
        text: text.to_owned(),
        phone_digits: phone_digits.map(str::to_owned),
        ..Search::default()
    }
}

#[test]
fn bytes_of_a_block_that_change_are_noticed() {
    for part in ["meta", "grams", "keys", "payload"] {
        let log = twelve(true);
        let select = format!("SELECT {part} FROM log_data");
        let mut bytes: Vec<u8> = log.conn.query_row(&select, [], |row| row.get(0)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let update = format!("UPDATE log_data SET {part} = ?1");
        log.conn.execute(&update, [bytes]).unwrap();
        let filter = LogFilter {
            search: Some(search("unheard of", None)),
            ..LogFilter::default()
        };
        let summary = summary(&log.conn, WORKSPACE, &filter, 0);
        let page = page_with_payloads(
            &log.conn,
            WORKSPACE,
            &LogFilter::default(),
            Paging::Newest,
            50,
        );
        let noticed =
            |error: StoreError| assert!(error.to_string().contains("attempts 1 to 8"), "{error}");
        let noticing = if part == "grams" {
            summary.map(drop)
        } else {
            page.map(drop)
        };
        noticed(noticing.expect_err(part));
    }
}

#[test]
fn two_payloads_do_not_make_one_text() {
    let of = |bytes: &[u8]| Draft {
        payload: payload("text/csv", bytes),
        ..Draft::plain()
    };
    let mut log = Log::new();
    log.append(&[
        of(b"begins with anna"),
        of(b" weber ends"),
        of(b"aaab"),
        of(b"a"),
        of(b"aab"),
        of(b""),
        of(b""),
        of(b""),
    ]);
    assert_eq!(log.blocks(), 1);
    for (text, expected) in [
        ("anna weber", 0),
        ("aab", 2),
        ("aaab", 1),
        ("ba", 0),
        ("a", 4),
    ] {
        let filter = LogFilter {
            search: Some(search(text, None)),
            ..LogFilter::default()
        };
        let page = page(&log.conn, WORKSPACE, &filter, Paging::Newest, 50).unwrap();
        assert_eq!(page.attempts.len(), expected, "{text}");
        log.check(&filter, 50, 0);
    }
}

#[test]
fn an_empty_log_has_nothing_to_say() {
    let log = Log::new();
    log.check(&LogFilter::default(), 10, 4);
    log.check_each();
    assert_eq!(last(&log.conn, WORKSPACE).unwrap(), None);
    assert_eq!(latest(&log.conn, WORKSPACE).unwrap(), None);
}

/// Attempts at 1010, 1020 … 1120: a block of eight and a tail of four, or everything in the tail.
fn twelve(batches: bool) -> Log {
    let mut log = Log::new();
    if batches {
        log.append(&vec![Draft::plain(); 8]);
        assert_eq!(log.blocks(), 1);
    } else {
        (0..8).for_each(|_| log.append(&[Draft::plain()]));
        assert_eq!(log.blocks(), 0);
    }
    log.append(&vec![Draft::plain(); 4]);
    log
}

#[test]
fn a_range_begins_at_its_first_instant_and_ends_before_its_last() {
    let cases = [
        (1_010, 1_020, 1),
        (1_011, 1_021, 1),
        (1_010, 1_010, 0),
        (1_020, 1_010, 0),
        (1_080, 1_091, 2),
        (0, 5_000, 12),
        (i64::MIN, i64::MAX, 12),
        (1_121, 5_000, 0),
        (0, 1_010, 0),
    ];
    for log in [twelve(true), twelve(false)] {
        for (from, to, expected) in cases {
            let filter = LogFilter {
                from: Some(Timestamp(from)),
                to: Some(Timestamp(to)),
                ..LogFilter::default()
            };
            assert_eq!(
                page(&log.conn, WORKSPACE, &filter, Paging::Newest, 50)
                    .unwrap()
                    .attempts
                    .len(),
                expected
            );
            let summary = summary(&log.conn, WORKSPACE, &filter, 3).unwrap();
            assert_eq!(summary.counts.all(), expected as u64, "{from} {to}");
            let all: u64 = summary.histogram.iter().map(ResultCounts::all).sum();
            assert_eq!(all, expected as u64, "{from} {to}");
            assert_eq!(summary.histogram.len(), 3);
        }
    }
}

#[test]
fn the_tabs_count_every_result_whichever_is_open() {
    let mut log = Log::new();
    let failure = Outcome {
        result: ImportResult::Failure,
        action: None,
        matched_on: None,
    };
    let failed = Draft {
        outcome: failure,
        ..Draft::plain()
    };
    log.append(&[vec![Draft::plain(); 6], vec![failed; 3]].concat());
    let filter = LogFilter {
        result: Some(ImportResult::Failure),
        ..LogFilter::default()
    };
    let counts = ResultCounts {
        success: 6,
        warning: 0,
        failure: 3,
    };
    assert_eq!(
        summary(&log.conn, WORKSPACE, &filter, 0).unwrap().counts,
        counts
    );
    assert_eq!(
        page(&log.conn, WORKSPACE, &filter, Paging::Newest, 50)
            .unwrap()
            .attempts
            .len(),
        3
    );
    // A failure performs nothing.
    let filter = LogFilter {
        action: Some(Action::Created),
        ..filter
    };
    assert_eq!(
        page(&log.conn, WORKSPACE, &filter, Paging::Newest, 50)
            .unwrap()
            .attempts
            .len(),
        0
    );
}

#[test]
fn an_import_that_does_not_exist_has_no_attempts() {
    let log = twelve(true);
    let filter = LogFilter {
        import: Some(import_id(99)),
        ..LogFilter::default()
    };
    log.check(&filter, 10, 0);
    assert_eq!(
        summary(&log.conn, WORKSPACE, &filter, 0)
            .unwrap()
            .counts
            .all(),
        0
    );
}

#[test]
fn a_search_finds_keys_and_payloads_in_any_case() {
    let one = Draft {
        shown: Shown {
            name: Some("ÄNNE Müller".into()),
            phone: Some("0170 / 123-4567".into()),
            email: Some("Anne@Example.org".into()),
            external_id: Some("100%_A".into()),
        },
        payload: payload("text/csv", "G-77,ANNE,\"Müller, Dr.\",K\u{f6}ln".as_bytes()),
        ..Draft::plain()
    };
    let cases = [
        ("änne mül", None, true),
        ("ÄNNE", None, true),
        ("anne@EXAMPLE", None, true),
        ("0%_a", None, true),
        ("g-77,anne", None, true),
        ("KÖLN", None, true),
        ("müller, dr", None, true),
        ("anne mül", None, false),
        ("orgl00", None, false),
        ("", Some("1701234567"), true),
        ("nothing", Some("701234"), true),
        ("nothing", Some("71234"), false),
        ("1701234567", None, false),
        // Two keys do not make one text.
        ("müller0170", None, false),
    ];
    let mut tail = Log::new();
    tail.append(std::slice::from_ref(&one));
    let mut block = Log::new();
    block.append(&[vec![Draft::plain(); 4], vec![one], vec![Draft::plain(); 3]].concat());
    assert_eq!((tail.blocks(), block.blocks()), (0, 1));
    for (text, digits, expected) in cases {
        let filter = LogFilter {
            search: Some(search(text, digits)),
            ..LogFilter::default()
        };
        for log in [&tail, &block] {
            let page = page(&log.conn, WORKSPACE, &filter, Paging::Newest, 50).unwrap();
            assert_eq!(
                page.attempts.len(),
                usize::from(expected),
                "{text:?} {digits:?}"
            );
        }
    }
}

#[test]
fn a_search_of_names_and_ids_finds_nobody_by_anything_else() {
    let one = Draft {
        shown: Shown {
            name: Some("Anne Weber".into()),
            phone: Some("+491701234567".into()),
            email: Some("anne@example.org".into()),
            external_id: Some("G-77".into()),
        },
        payload: payload("text/csv", b"only here"),
        ..Draft::plain()
    };
    let mut tail = Log::new();
    tail.append(std::slice::from_ref(&one));
    let mut block = Log::new();
    block.append(&[vec![Draft::plain(); 3], vec![one], vec![Draft::plain(); 3]].concat());
    for (text, digits, expected) in [
        ("anne w", None, 1),
        ("g-77", Some("77"), 1),
        ("example.org", None, 0),
        ("1701234567", Some("1701234567"), 0),
        ("", Some("1701234567"), 0),
        ("only here", None, 0),
    ] {
        let filter = LogFilter {
            search: Some(Search {
                reach: Reach::NamesAndIds,
                ..search(text, digits)
            }),
            ..LogFilter::default()
        };
        for log in [&tail, &block] {
            let page = page(&log.conn, WORKSPACE, &filter, Paging::Newest, 50).unwrap();
            assert_eq!(page.attempts.len(), expected, "{text:?} {digits:?}");
            let summary = summary(&log.conn, WORKSPACE, &filter, 0).unwrap();
            assert_eq!(summary.counts.all(), expected as u64, "{text:?} {digits:?}");
        }
    }
}

#[test]
fn folding_keeps_every_letter_in_its_place() {
    let cases = [
        ("ÄÖÜ ẞ Straße", "äöü ẞ straße"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("İK\u{212a}", "İk\u{212a}"),
        ("ЖЁ", "жё"),
        ("ÀÞ×ß÷ÿ", "àþ×ß÷ÿ"),
        (
            "ABCDEFGHIJKLMNOÄPQRSTUVWXYZ É",
            "abcdefghijklmnoäpqrstuvwxyz é",
        ),
    ];
    for (text, expected) in cases {
        let mut folded = text.as_bytes().to_vec();
        fold(&mut folded);
        assert_eq!(std::str::from_utf8(&folded), Ok(expected));
    }
}

#[test]
fn workspaces_do_not_see_each_other() {
    let log = twelve(true);
    assert_eq!(last(&log.conn, OTHER).unwrap(), None);
    let page = page(&log.conn, OTHER, &LogFilter::default(), Paging::Newest, 50).unwrap();
    assert!(page.attempts.is_empty());
    assert_eq!(
        summary(&log.conn, OTHER, &LogFilter::default(), 0)
            .unwrap()
            .counts
            .all(),
        0
    );
}

#[test]
fn a_batch_takes_the_tail_along_into_its_blocks() {
    let mut log = Log::new();
    log.append(&vec![Draft::plain(); 3]);
    log.append(&vec![Draft::plain(); 13]);
    assert_eq!(log.blocks(), 2);
    assert_eq!(tail::len(&log.conn, WORKSPACE).unwrap(), 0);
    log.check(&LogFilter::default(), 7, 0);
}

#[test]
fn batches_that_fill_no_block_wait_until_they_do() {
    let mut log = Log::new();
    log.append(&vec![Draft::plain(); 7]);
    assert_eq!(log.blocks(), 0);
    log.append(&vec![Draft::plain(); 5]);
    assert_eq!(log.blocks(), 1);
    assert_eq!(tail::len(&log.conn, WORKSPACE).unwrap(), 0);
    log.check(&LogFilter::default(), 20, 0);
}

#[test]
fn large_payloads_make_small_blocks() {
    let mut log = Log::new();
    let large = Draft {
        payload: payload("text/csv", &[b'x'; 300]),
        ..Draft::plain()
    };
    log.append(&vec![large; 6]);
    assert_eq!(log.blocks(), 6);
    log.check(&LogFilter::default(), 7, 0);
}

use rollbook_engine::contact::{Contact, ContactId, Identifier, Value};
use rollbook_engine::schema::FieldId;

use super::super::{connect, migrations};
use super::*;
use crate::Timestamp;

const HOTEL: WorkspaceId = WorkspaceId(1);
const CLINIC: WorkspaceId = WorkspaceId(2);

/// A process: a connection and what it remembers.
struct Process {
    connection: Connection,
    index: Identifiers,
}

impl Process {
    fn start(folder: &tempfile::TempDir) -> Process {
        let mut connection = connect(&folder.path().join("rollbook.db")).unwrap();
        migrations::migrate(&mut connection).unwrap();
        let index = Identifiers::open(&connection).unwrap();
        Process { connection, index }
    }

    /// A transaction in which contacts win (`true`) and lose identifiers.
    fn write(&mut self, workspace: WorkspaceId, moves: &[(u64, &Identifier, bool)]) {
        let tx = self.connection.transaction().unwrap();
        let mut pending = Pending::default();
        self.index.refresh(&tx, &mut pending).unwrap();
        let moves: Vec<Move> = moves
            .iter()
            .map(|(contact, identifier, won)| Move {
                identifier: (*identifier).clone(),
                contact: ContactId(*contact),
                won: *won,
            })
            .collect();
        self.index.note(&mut pending, workspace, &moves, false);
        let written = self.index.write_down(&tx, pending).unwrap();
        tx.commit().unwrap();
        self.index.publish(written.as_ref());
    }

    /// Who may own an identifier, as a transaction that writes sees it.
    fn find(&mut self, workspace: WorkspaceId, identifier: &Identifier) -> Vec<u64> {
        let tx = self.connection.transaction().unwrap();
        let mut pending = Pending::default();
        self.index.refresh(&tx, &mut pending).unwrap();
        let found = self
            .index
            .lookup(&pending, workspace, [identifier.in_place()].into_iter());
        tx.commit().unwrap();
        found.into_iter().map(|row| row.contact().0).collect()
    }

    /// Stores a contact with these phones, as the index would find it when it is made anew.
    fn store(&mut self, workspace: WorkspaceId, number: u64, phones: &[&str]) {
        let mut contact = Contact::new(ContactId(number));
        let phones = phones.iter().map(|phone| (*phone).into()).collect();
        contact.set(FieldId::PHONE, Some(Value::Many(phones)));
        let identifiers: Vec<Identifier> = contact.identifiers().collect();
        let tx = self.connection.transaction().unwrap();
        contacts::insert(&tx, workspace, &[contact], Timestamp(0)).unwrap();
        tx.commit().unwrap();
        let moves: Vec<_> = identifiers
            .iter()
            .map(|identifier| (number, identifier, true))
            .collect();
        self.write(workspace, &moves);
    }

    /// Who may own an identifier, as a reader sees it.
    fn read(
        &self,
        workspace: WorkspaceId,
        identifier: &Identifier,
    ) -> Result<Vec<u64>, StoreError> {
        let found = self.index.lookup_for_reading(
            &self.connection,
            workspace,
            [identifier.in_place()].into_iter(),
        )?;
        Ok(found.into_iter().map(|row| row.contact().0).collect())
    }

    fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    fn number(&self, sql: &str) -> i64 {
        self.connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }
}

fn phone(number: u64) -> Identifier {
    Identifier::phone(&format!("+49{number}"))
}

#[test]
fn kinds_namespaces_and_workspaces_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&folder);
    let same = [
        Identifier::external_id("a", "1"),
        Identifier::external_id("b", "1"),
        Identifier::phone("1"),
        Identifier::email("1"),
    ];
    for (number, identifier) in (1..).zip(&same) {
        process.write(HOTEL, &[(number, identifier, true)]);
    }
    for (number, identifier) in (1..).zip(&same) {
        assert_eq!(process.find(HOTEL, identifier), [number]);
        assert_eq!(process.find(CLINIC, identifier), [0; 0]);
    }
}

#[test]
fn two_contacts_can_share_a_hash() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&folder);
    let one = phone(1);
    process.write(HOTEL, &[(1, &one, true)]);
    // As if another contact had an identifier with the same hash.
    process.write(HOTEL, &[(5, &one, true)]);
    assert_eq!(process.find(HOTEL, &one), [1, 5]);
    process.write(HOTEL, &[(1, &one, false)]);
    assert_eq!(process.find(HOTEL, &one), [5]);
}

#[test]
fn the_last_word_about_an_entry_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&folder);
    let [lost, back] = [phone(1), phone(2)];
    process.write(HOTEL, &[(1, &lost, true), (1, &lost, false)]);
    process.write(
        HOTEL,
        &[(1, &back, true), (1, &back, false), (1, &back, true)],
    );
    let mut other = Process::start(&folder);
    for process in [&mut process, &mut other] {
        assert_eq!(process.find(HOTEL, &lost), [0; 0]);
        assert_eq!(process.find(HOTEL, &back), [1]);
    }
}

#[test]
fn another_process_is_seen_at_the_next_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = Process::start(&folder);
    let mut other = Process::start(&folder);
    for number in 1..200 {
        let (writes, reads) = if number % 3 == 0 {
            (&mut one, &mut other)
        } else {
            (&mut other, &mut one)
        };
        writes.write(HOTEL, &[(number, &phone(number), true)]);
        assert_eq!(reads.find(HOTEL, &phone(number)), [number]);
        if number % 5 == 0 {
            reads.write(HOTEL, &[(number, &phone(number), false)]);
            assert_eq!(writes.find(HOTEL, &phone(number)), [0; 0]);
        }
    }
    let mut third = Process::start(&folder);
    for process in [&mut one, &mut other, &mut third] {
        for number in 1..200 {
            let expected: &[u64] = if number % 5 == 0 { &[] } else { &[number] };
            assert_eq!(process.find(HOTEL, &phone(number)), expected, "{number}");
        }
        assert_eq!(process.index.size().0, 199 - 39);
    }
}

#[test]
fn small_segments_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&folder);
    for number in 1..=500 {
        process.write(HOTEL, &[(number, &phone(number), true)]);
    }
    let segments = process.number("SELECT count(*) FROM identifier_segment");
    assert!(segments < 20, "{segments}");
    assert_eq!(
        process.number("SELECT sum(entries) FROM identifier_segment"),
        500
    );
    let mut later = Process::start(&folder);
    for number in 1..=500 {
        assert_eq!(later.find(HOTEL, &phone(number)), [number]);
    }
}

#[test]
fn a_rolled_back_transaction_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&folder);
    process.write(HOTEL, &[(1, &phone(1), true)]);
    {
        let tx = process.connection.transaction().unwrap();
        let mut pending = Pending::default();
        process.index.refresh(&tx, &mut pending).unwrap();
        let moves = [Move {
            identifier: phone(2),
            contact: ContactId(2),
            won: true,
        }];
        process.index.note(&mut pending, HOTEL, &moves, true);
        let two = phone(2);
        let found = process
            .index
            .lookup(&pending, HOTEL, [two.in_place()].into_iter());
        assert_eq!(found.len(), 1, "the same transaction sees it");
        process.index.write_down(&tx, pending).unwrap();
    }
    assert_eq!(process.find(HOTEL, &phone(2)), [0; 0]);
    assert_eq!(process.find(HOTEL, &phone(1)), [1]);
}

/// Damage, and the contacts that must be found after it.
#[test]
fn a_damaged_index_is_made_anew_from_the_contacts() {
    for damage in [
        // Missing: the first, one in the middle, the last.
        "DELETE FROM identifier_segment WHERE last_seq = (SELECT min(last_seq) FROM identifier_segment)",
        "DELETE FROM identifier_segment WHERE last_seq = (SELECT max(last_seq) FROM identifier_segment)",
        "DELETE FROM identifier_segment WHERE last_seq = 202",
        "DELETE FROM identifier_segment",
        // Other bytes, fewer bytes, none.
        "UPDATE identifier_segment SET data = CAST(substr(data, 1, length(data) - 3) || x'000102' AS BLOB)",
        "UPDATE identifier_segment SET data = substr(data, 1, length(data) / 2)",
        "UPDATE identifier_segment SET data = x''",
        "UPDATE identifier_segment SET data = x'63' WHERE last_seq = 202",
        // As a file from before there were segments.
        "DELETE FROM identifier_segment; UPDATE installation SET identifier_seq = -1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut before = Process::start(&folder);
        for number in 1..=203 {
            before.store(HOTEL, number, &[&format!("+49{number}"), "+1"]);
        }
        before.run(damage);
        let mut after = Process::start(&folder);
        let damaged = after.read(HOTEL, &phone(1));
        assert!(
            matches!(damaged, Err(StoreError::IndexDamaged)),
            "{damage}: {damaged:?}"
        );
        let all: Vec<u64> = (1..=203).collect();
        assert_eq!(after.find(HOTEL, &Identifier::phone("+1")), all, "{damage}");
        // It is whole again, for those who were there before, too.
        after.store(HOTEL, 204, &["+49204"]);
        let mut later = Process::start(&folder);
        assert_eq!(later.read(HOTEL, &phone(204)).unwrap(), [204]);
        for process in [&mut before, &mut after, &mut later] {
            for number in 1..=204 {
                assert_eq!(process.find(HOTEL, &phone(number)), [number], "{damage}");
            }
        }
        assert_eq!(later.index.size().0, 203 * 2 + 1);
    }
}

/// An older state of the file comes back, another process goes on from there, and its segments are merged over where
/// this process stood: whoever looks first, a writer or a reader, notices.
#[test]
fn a_restored_older_file_is_read_again() {
    for reader_first in [false, true] {
        for goes_on in [0, 1, 2, 40] {
            let folder = tempfile::tempdir().unwrap();
            let mut process = Process::start(&folder);
            process.store(HOTEL, 1, &["+491"]);
            process.run(
                "CREATE TABLE kept AS SELECT * FROM identifier_segment;
                 CREATE TABLE kept_end AS SELECT identifier_seq AS s, identifier_digest AS d FROM installation",
            );
            process.store(HOTEL, 2, &["+492"]);
            process.store(HOTEL, 3, &["+493"]);
            process.run(
                "DELETE FROM identifier_segment;
                 INSERT INTO identifier_segment SELECT * FROM kept;
                 UPDATE installation
                 SET identifier_seq = (SELECT s FROM kept_end), identifier_digest = (SELECT d FROM kept_end);
                 DELETE FROM contact WHERE id > (SELECT min(id) FROM contact)",
            );
            let mut other = Process::start(&folder);
            for number in 2..2 + goes_on {
                other.store(HOTEL, number, &[&format!("+4970{number}")]);
            }
            if reader_first {
                process.read(HOTEL, &phone(1)).unwrap();
            }
            assert_eq!(process.find(HOTEL, &phone(1)), [1]);
            for number in 2..2 + goes_on {
                let phone = Identifier::phone(&format!("+4970{number}"));
                assert_eq!(process.find(HOTEL, &phone), [number], "{goes_on}");
            }
            assert_eq!(process.find(HOTEL, &phone(3)), [0; 0]);
            assert_eq!(
                process.index.size().0,
                1 + usize::try_from(goes_on).unwrap()
            );
        }
    }
}

#[test]
fn what_was_made_anew_and_not_committed_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&folder);
    process.store(HOTEL, 1, &["+491"]);
    process.run("UPDATE identifier_segment SET data = x'00'");
    let mut other = Process::start(&folder);
    {
        let tx = other.connection.transaction().unwrap();
        other.index.refresh(&tx, &mut Pending::default()).unwrap();
    }
    other.index.take_back();
    process.store(HOTEL, 2, &["+492"]);
    process.store(HOTEL, 3, &["+493"]);
    for number in 1..=3 {
        assert_eq!(other.find(HOTEL, &phone(number)), [number]);
    }
}

#[test]
fn a_chain_of_much_that_is_gone_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&folder);
    process.store(HOTEL, 1, &["+491"]);
    for number in 100..500 {
        process.write(
            HOTEL,
            &[(1, &phone(number), true), (1, &phone(number), false)],
        );
    }
    let entries = "SELECT sum(entries) FROM identifier_segment";
    assert_eq!(process.number(entries), 801);
    let mut later = Process::start(&folder);
    assert_eq!(later.find(HOTEL, &phone(1)), [1]);
    assert_eq!(process.number(entries), 1);
    assert_eq!(process.find(HOTEL, &phone(1)), [1]);
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(&folder);
    process.store(HOTEL, 1, &["+491", "+492"]);
    let data: Vec<u8> = process
        .connection
        .query_row("SELECT data FROM identifier_segment", [], |row| row.get(0))
        .unwrap();
    for cut in 0..data.len() {
        process
            .connection
            .execute("UPDATE identifier_segment SET data = ?1", [&data[..cut]])
            .unwrap();
        let later = Process::start(&folder);
        let read = later.read(HOTEL, &phone(1));
        assert!(matches!(read, Err(StoreError::IndexDamaged)), "{cut}");
    }
}

/// Fills a table; a function is called with it after every thousandth entry.
fn grow(mut table: Table, entries: u64, mut each: impl FnMut(&Table)) -> Table {
    for number in 0..entries {
        let hash = xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes()) & !FREE_BIT;
        let row = RowId::from_bits(number);
        table.apply(Step {
            entry: Entry { hash, row },
            won: true,
        });
        if (number + 1) % 1000 == 0 {
            each(&table);
        }
    }
    table
}

#[test]
fn memory_for_an_identifier_is_always_about_the_same() {
    let mut checked = 0;
    grow(Table::default(), 400_000, |table| {
        let (len, bytes) = (table.len(), table.bytes());
        // A small table has small parts.
        if len >= 100_000 {
            checked += 1;
            assert!(
                (len * 24..len * 32).contains(&bytes),
                "{len} identifiers take {bytes} bytes"
            );
        }
    });
    assert_eq!(checked, 301);
}

#[test]
fn a_table_with_room_for_its_entries_hardly_grows() {
    let mut table = Table::default();
    table.reserve(300_000);
    let before = table.bytes();
    let after = grow(table, 300_000, |_| {}).bytes();
    assert!(
        after < before + before / 20,
        "{before} bytes became {after}"
    );
    assert!(after < 300_000 * 32, "{after} bytes");
}

#[test]
fn a_contact_that_cannot_be_read_is_left_out_when_the_index_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Process::start(&folder);
    desk.store(HOTEL, 1, &["+491711"]);
    desk.store(HOTEL, 2, &["+491712"]);
    desk.store(HOTEL, 3, &["+491713"]);
    desk.connection
        .execute_batch(
            "UPDATE contact SET data = x'ff' WHERE id & 0xff = 2;
             UPDATE installation SET identifier_seq = -1;",
        )
        .unwrap();
    let mut next = Process::start(&folder);
    let phone = |number: &str| {
        let mut contact = Contact::new(ContactId(1));
        contact.set(FieldId::PHONE, Some(Value::Many([number.into()].into())));
        contact.identifiers().next().unwrap()
    };
    assert_eq!(next.find(HOTEL, &phone("+491711")), [1]);
    assert_eq!(next.find(HOTEL, &phone("+491712")), [0; 0]);
    assert_eq!(next.find(HOTEL, &phone("+491713")), [3]);
}

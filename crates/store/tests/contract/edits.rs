use rollbook_store::imports::{ImportState, MAX_EDITED_ROWS, ReviewedRows};
use rollbook_store::{StoreError, Timestamp};

use crate::harness::on_every_store;

#[tokio::test]
async fn rows_are_edited_while_nobody_else_edits() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let new = desk.new_import(1, ImportState::Uploaded);
        let (workspace, id) = (desk.workspace, new.id);
        let import = desk.store.create_import(new).await.unwrap();
        assert_eq!(import.edits, 0);
        let edit = |text: &str| Some(text.to_owned());
        let rows = vec![(7, edit("a")), (3, edit("b")), (9, edit("c"))];
        let edited = desk.store.edit_rows(workspace, id, 0, rows).await.unwrap();
        assert_eq!(edited.unwrap().edits, 1);
        let stale = desk.store.edit_rows(workspace, id, 0, vec![(3, None)]);
        assert_eq!(stale.await.unwrap(), None);
        let rows = vec![(9, None), (7, edit("d"))];
        let edited = desk.store.edit_rows(workspace, id, 1, rows).await.unwrap();
        assert_eq!(edited.unwrap(), desk.import(id).await);
        let seen = |first, last| desk.store.edited_rows(workspace, id, first, last);
        let all = seen(0, u64::MAX).await.unwrap();
        assert_eq!(all, [(3, "b".to_owned()), (7, "d".to_owned())]);
        assert_eq!(seen(4, 7).await.unwrap(), [(7, "d".to_owned())]);

        assert_eq!(desk.store.undo_edits(workspace, id).await.unwrap(), 2);
        assert_eq!(seen(0, u64::MAX).await.unwrap(), []);
        assert_eq!(desk.import(id).await.edits, 3);
    })
    .await;
}

#[tokio::test]
async fn rows_of_an_import_that_began_stay() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let new = desk.new_import(1, ImportState::Uploaded);
        let (workspace, id) = (desk.workspace, new.id);
        desk.store.create_import(new).await.unwrap();
        let rows = vec![(1, Some("a".to_owned()))];
        let edited = desk.store.edit_rows(workspace, id, 0, rows.clone());
        assert!(edited.await.unwrap().is_some());
        let queued = desk
            .store
            .set_import_options(workspace, id, "{}".to_owned(), true);
        assert_eq!(queued.await.unwrap().state, ImportState::Queued);
        let late = desk.store.edit_rows(workspace, id, 1, rows.clone()).await;
        assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
        let late = desk.store.undo_edits(workspace, id).await;
        assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
        let kept = desk.store.edited_rows(workspace, id, 0, 9).await.unwrap();
        assert_eq!(kept, [(1, "a".to_owned())]);
        // Nobody else's either.
        let other = desk.new_import(2, ImportState::Uploaded);
        let other = desk.store.create_import(other).await.unwrap();
        let none = desk.store.edited_rows(workspace, other.id, 0, 9).await;
        assert_eq!(none.unwrap(), []);
        let cancelled = desk.store.cancel_import(workspace, other.id, Timestamp(3));
        cancelled.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn too_many_edits_are_refused_as_a_whole() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let new = desk.new_import(1, ImportState::Uploaded);
        let (workspace, id) = (desk.workspace, new.id);
        desk.store.create_import(new).await.unwrap();
        let rows = (1..=MAX_EDITED_ROWS + 1).map(|row| (row, Some("a".to_owned())));
        let edited = desk.store.edit_rows(workspace, id, 0, rows.collect()).await;
        assert!(matches!(edited, Err(StoreError::Conflict(_))), "{edited:?}");
        let none = desk.store.edited_rows(workspace, id, 0, u64::MAX).await;
        assert_eq!(none.unwrap(), []);
        assert_eq!(desk.import(id).await.edits, 0);
    })
    .await;
}

#[tokio::test]
async fn what_a_review_said_is_kept_until_the_import_is_over() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let new = desk.new_import(1, ImportState::Uploaded);
        let (workspace, id) = (desk.workspace, new.id);
        desk.store.create_import(new).await.unwrap();
        let said = |first: u64| ReviewedRows {
            first,
            verdicts: vec![1, 2, 3],
        };
        let queue = |edits| {
            let reviewed = vec![said(1), said(101)];
            desk.store
                .queue_reviewed(workspace, id, "{}".to_owned(), edits, reviewed)
        };
        assert_eq!(queue(1).await.unwrap(), None);
        assert_eq!(desk.import(id).await.state, ImportState::Uploaded);
        let queued = queue(0).await.unwrap().unwrap();
        assert_eq!(queued.state, ImportState::Queued);
        assert_eq!(queued.options.as_deref(), Some("{}"));
        let kept = async |row| desk.store.reviewed_rows(workspace, id, row).await.unwrap();
        assert_eq!(kept(1).await, Some(said(1)));
        assert_eq!(kept(100).await, Some(said(1)));
        assert_eq!(kept(101).await, Some(said(101)));
        assert_eq!(kept(0).await, None);
        assert_eq!(desk.store.drifted_rows(workspace, id).await.unwrap(), []);
        let cancelled = desk.store.cancel_import(workspace, id, Timestamp(3)).await;
        assert_eq!(cancelled.unwrap().state, ImportState::Cancelled);
        assert_eq!(kept(1).await, None);
    })
    .await;
}

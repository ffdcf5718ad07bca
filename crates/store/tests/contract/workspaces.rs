use rollbook_engine::field::choice::ChoiceOption;
use rollbook_engine::policy::Mode;
use rollbook_engine::schema::{FieldId, FieldKind};
use rollbook_store::workspaces::WorkspaceSettings;
use rollbook_store::{Timestamp, WorkspaceId};

use crate::harness::{exists_already, is_missing, on_every_store, settings};

#[tokio::test]
async fn a_workspace_begins_with_the_source_of_uploads() {
    on_every_store(async |database| {
        let store = database.open().await;
        assert_eq!(store.workspaces().await.unwrap(), []);
        let made = store
            .add_workspace(settings("Hotel"), Timestamp(3))
            .await
            .unwrap();
        assert_eq!(made.created_at, Timestamp(3));
        assert_eq!(
            store.workspaces().await.unwrap(),
            std::slice::from_ref(&made)
        );
        let sources = store.sources(made.id).await.unwrap();
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].settings.name, "manual");
        assert_eq!(sources[0].settings.mode, Mode::Manual);
        assert_eq!(sources[0].settings.namespace, "default");
    })
    .await;
}

#[tokio::test]
async fn settings_are_replaced_and_outlive_the_process() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let changed = WorkspaceSettings {
            name: "Hotel Zürich".to_owned(),
            time_zone: "Europe/Zurich".to_owned(),
            region: None,
            date_order: Some("dmy".to_owned()),
            blank_words: Some(vec!["n/a".to_owned(), "keine".to_owned()]),
        };
        desk.store
            .set_workspace_settings(desk.workspace, changed.clone())
            .await
            .unwrap();
        assert!(is_missing(
            desk.store
                .set_workspace_settings(WorkspaceId(99), changed.clone())
                .await
        ));
        drop(desk);
        let workspaces = database.open().await.workspaces().await.unwrap();
        assert_eq!(workspaces[0].settings, changed);
    })
    .await;
}

#[tokio::test]
async fn custom_fields_of_every_kind_come_back_as_they_were_made() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let options = vec![
            ChoiceOption {
                code: "s".to_owned(),
                label: "Silver".to_owned(),
            },
            ChoiceOption {
                code: "g".to_owned(),
                label: "Gold \"1\"".to_owned(),
            },
        ];
        let kinds = [
            FieldKind::ExternalId,
            FieldKind::Name,
            FieldKind::Text,
            FieldKind::LongText,
            FieldKind::Phone,
            FieldKind::Email,
            FieldKind::Date { partial: true },
            FieldKind::Date { partial: false },
            FieldKind::Time,
            FieldKind::DateTime,
            FieldKind::Language,
            FieldKind::Country,
            FieldKind::Tags,
            FieldKind::Number,
            FieldKind::Boolean,
            FieldKind::Choice(options.clone()),
            FieldKind::Choices(options),
            FieldKind::Url,
        ];
        let mut made = Vec::new();
        for (number, kind) in kinds.into_iter().enumerate() {
            let field = desk
                .store
                .add_field(
                    desk.workspace,
                    &format!("custom_{number}"),
                    &format!("Custom {number}"),
                    kind,
                )
                .await
                .unwrap();
            made.push(field);
        }
        assert_eq!(made[0].id, FieldId::FIRST_CUSTOM);
        assert_eq!(made[1].id, FieldId(FieldId::FIRST_CUSTOM.0 + 1));
        let stored = desk.store.custom_fields(desk.workspace).await.unwrap();
        assert_eq!(stored, made);
    })
    .await;
}

#[tokio::test]
async fn the_key_of_a_field_is_used_once_in_a_workspace() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let store = &desk.store;
        let add = async |workspace, key| {
            store
                .add_field(workspace, key, "Label", FieldKind::Text)
                .await
        };
        add(desk.workspace, "vip").await.unwrap();
        assert!(exists_already(add(desk.workspace, "vip").await));
        assert!(exists_already(add(desk.workspace, "email").await));
        assert!(is_missing(add(WorkspaceId(99), "vip").await));
        let other = store
            .add_workspace(settings("Clinic"), Timestamp(1))
            .await
            .unwrap();
        let field = add(other.id, "vip").await.unwrap();
        assert_eq!(field.id, FieldId::FIRST_CUSTOM);
    })
    .await;
}

#[tokio::test]
async fn workspaces_are_told_apart_by_their_names() {
    on_every_store(async |database| {
        let desk = database.desk().await;
        let add = async |name| desk.store.add_workspace(settings(name), Timestamp(1)).await;
        let clinic = add("Clinic").await.unwrap();
        assert!(exists_already(add("CLINIC").await));
        let rename = async |name| {
            desk.store
                .set_workspace_settings(clinic.id, settings(name))
                .await
        };
        assert!(exists_already(rename("hotel astoria").await));
        rename("clinic").await.unwrap();
    })
    .await;
}

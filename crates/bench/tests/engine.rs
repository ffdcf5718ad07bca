//! The engine reads generated rows as they were meant.

use std::sync::Arc;

use rollbook_bench::generate::{Column, DateStyle, Recipe, Row, Variant};
use rollbook_engine::candidate::Candidate;
use rollbook_engine::contact::Text;
use rollbook_engine::mapping::{Locale, Mapping};
use rollbook_engine::normalise::Normaliser;
use rollbook_engine::record::{Header, Record};
use rollbook_engine::schema::Schema;

const ROWS: u64 = 20_000;

#[test]
fn the_engine_reads_every_row_as_it_was_meant() {
    for (variant, dates) in [
        (Variant::New, DateStyle::DayFirst),
        (Variant::Updates, DateStyle::Iso),
        (Variant::Same, DateStyle::MonthFirst),
    ] {
        check(&Recipe {
            rows: ROWS,
            seed: 7,
            variant,
            dates,
        });
    }
}

fn check(recipe: &Recipe) {
    let schema = Arc::new(Schema::built_in());
    let header = Header {
        names: Column::ALL
            .map(|column| column.header().to_owned())
            .to_vec(),
    };
    let rows: Vec<Row> = (0..recipe.rows)
        .map(|number| {
            let mut row = Row::default();
            recipe.fill(number, &mut row);
            row
        })
        .collect();
    let records: Vec<Record> = rows
        .iter()
        .map(|row| {
            Column::ALL
                .map(|column| row.cell(column))
                .into_iter()
                .collect()
        })
        .collect();
    let (mapping, _) = Mapping::guess(&header, &records[..200], &schema);
    let guessed: Vec<Option<String>> = mapping.columns.iter().map(|it| it.field.clone()).collect();
    assert_eq!(
        guessed,
        Column::ALL.map(|column| Some(column.key().to_owned()))
    );
    let mut binding = mapping
        .bind(&header, &schema, &Locale::default())
        .expect("the header suits the mapping that was guessed from it");
    let mut evidence = binding.evidence();
    for record in &records {
        evidence.observe(record);
    }
    binding.decide_dates(&evidence);
    let normaliser = Normaliser::new();
    let mut wrong = 0;
    for (row, record) in rows.iter().zip(&records) {
        let candidate = normaliser.normalise(record, &binding);
        if let Err(message) = compare(row, &candidate, &schema) {
            wrong += 1;
            if wrong < 20 {
                println!("{message}: {row:?}");
            }
        }
    }
    assert_eq!(wrong, 0);
}

fn compare(row: &Row, candidate: &Candidate, schema: &Schema) -> Result<(), String> {
    for column in Column::ALL {
        let field = schema.by_key(column.key()).expect("a built-in field").id;
        let read = candidate
            .field(field)
            .and_then(|given| given.texts().first())
            .map_or("", Text::as_str);
        if read != row.truth(column) {
            return Err(format!("{} is read as `{read}`", column.key()));
        }
    }
    let codes: Vec<&str> = candidate.issues.iter().map(|issue| &*issue.code).collect();
    let expected = match row.bad {
        None => &[][..],
        Some(Column::Phone) => &["phone.invalid"],
        Some(Column::Email) => &["email.invalid"],
        Some(_) => &["date.invalid"],
    };
    let as_meant =
        codes == expected || row.bad == Some(Column::Phone) && codes == ["phone.no_region"];
    if !as_meant {
        return Err(format!("its issues are {codes:?}"));
    }
    Ok(())
}

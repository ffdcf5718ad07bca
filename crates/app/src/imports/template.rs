//! A file to fill in: one column a field, which map by themselves when it comes back.

use rollbook_engine::schema::Schema;

use crate::spreadsheet;

/// The name of the file.
pub(crate) const FILE_NAME: &str = "rollbook-template.csv";

/// The header alone: a row of examples would be imported as a person.
pub(crate) fn template(schema: &Schema) -> String {
    // The mark tells spreadsheets that it is UTF-8.
    let mut text = "\u{feff}".to_owned();
    let fields = schema.fields().iter();
    text.push_str(&spreadsheet::line(fields.map(|field| field.label.as_str())));
    text
}

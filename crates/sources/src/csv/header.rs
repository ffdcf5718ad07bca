//! Which record is the header: titles and remarks may stand before it, and some files have none.

use super::look::{Look, look};

/// How many records before the header are looked through.
const PREAMBLE: usize = 50;

/// Words that name a column in lists of people and hardly ever are a value.
const NAMES: &[&str] = &[
    "id",
    "name",
    "first name",
    "firstname",
    "last name",
    "lastname",
    "surname",
    "full name",
    "email",
    "e-mail",
    "email address",
    "e-mail address",
    "mail",
    "phone",
    "phone number",
    "telephone",
    "mobile",
    "address",
    "street",
    "city",
    "country",
    "zip",
    "postal code",
    "birthday",
    "date of birth",
    "vorname",
    "nachname",
    "telefon",
    "nom",
    "prénom",
    "téléphone",
    "nombre",
    "apellido",
    "apellidos",
    "teléfono",
    "correo",
    "cognome",
    "telefono",
    "key",
];

/// The most frequent number and how often it comes; of equals, the larger.
pub(crate) fn mode(numbers: impl Iterator<Item = usize>) -> Option<(usize, usize)> {
    let mut sorted: Vec<usize> = numbers.collect();
    sorted.sort_unstable();
    let mut best = None;
    for run in sorted.chunk_by(|a, b| a == b) {
        if best.is_none_or(|(_, count)| run.len() >= count) {
            best = Some((run[0], run.len()));
        }
    }
    best
}

/// How many cells most records have.
pub(crate) fn usual_width(rows: &[Vec<String>]) -> usize {
    mode(rows.iter().map(Vec::len)).map_or(0, |(width, _)| width)
}

/// The number of the header among the first records, counted from 1; 0 if there is none.
pub(crate) fn find(rows: &[Vec<String>], columns: usize) -> u64 {
    let first = first_of_table(rows, columns);
    match rows.get(first) {
        Some(row) if is_header(row, &rows[first + 1..]) => first as u64 + 1,
        _ => 0,
    }
}

/// The first record that is not a title or a remark.
fn first_of_table(rows: &[Vec<String>], columns: usize) -> usize {
    for (position, row) in rows.iter().enumerate().take(PREAMBLE) {
        let is_last = position + 1 == rows.len();
        if is_last || !is_preamble(row, columns) {
            return if is_last && position > 0 { 0 } else { position };
        }
    }
    0
}

fn is_preamble(row: &[String], columns: usize) -> bool {
    let filled = row.iter().filter(|cell| !cell.trim().is_empty()).count();
    let remark = row
        .first()
        .is_some_and(|cell| cell.trim_start().starts_with('#'));
    if columns < 2 {
        return false;
    }
    if row.len() != columns && remark {
        return true;
    }
    match columns {
        2 => row.len() == 1,
        3 => filled <= 1,
        _ => filled * 2 <= columns && !has_column_name(row),
    }
}

fn has_column_name(row: &[String]) -> bool {
    row.iter().any(|cell| {
        let cell = cell.trim().to_lowercase().replace('_', " ");
        NAMES.contains(&cell.as_str())
    })
}

/// Whether a record names the columns of those below it.
fn is_header(row: &[String], below: &[Vec<String>]) -> bool {
    if has_column_name(row) {
        return true;
    }
    let looks: Vec<Look> = row.iter().map(|cell| look(cell)).collect();
    if below.is_empty() {
        return !looks
            .iter()
            .any(|look| matches!(look, Look::Email | Look::Moment));
    }
    let (mut data, mut names) = (0, 0);
    for (column, own) in looks.iter().enumerate() {
        let others: Vec<Look> = below
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| look(cell))
            .filter(|look| *look != Look::Empty)
            .collect();
        let alike = others.iter().filter(|look| look.is_data()).count();
        if others.is_empty() || alike * 10 < others.len() * 7 {
            continue;
        }
        match own {
            Look::Empty => {}
            own if own.is_data() => data += 1,
            _ => names += 1,
        }
    }
    data == 0 || names >= data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(text: &str) -> u64 {
        let rows: Vec<Vec<String>> = text
            .lines()
            .map(|line| line.split(',').map(str::to_owned).collect())
            .collect();
        find(&rows, usual_width(&rows))
    }

    #[test]
    fn headers_are_found() {
        for (text, expected) in [
            ("name,email\nAnna,a@b.example", 1),
            ("name,email", 1),
            ("Anna,a@b.example", 0),
            ("Anna,a@b.example\nBert,b@b.example", 0),
            (
                "Report of contacts\nname,email,city\nA,a@b.example,X\nB,b@b.example,Y",
                2,
            ),
            (
                "Report,,\nof today,,\nname,email,city\nA,a@b.example,X\nB,b@b.example,Y",
                3,
            ),
            (
                "Date,2024-01-31\nName,Street,City,Country,Phone\na,b,c,d,1\na,b,c,d,2",
                2,
            ),
            ("a,b,c\n1,2,3\n4,5,6", 1),
            ("1,2,3\n4,5,6", 0),
            ("x,y\nz,w", 1),
            ("2023,2024\n1,2\n3,4", 0),
            ("one", 1),
            ("", 0),
            ("# made by hand\nid,name,x,y\n1,2,3,4", 2),
            ("#id,x,y,z\n1,2,3,4", 1),
            (
                "id,name,country,city\n1,english\n1,english\n2,german,1,2,3",
                1,
            ),
        ] {
            assert_eq!(header_of(text), expected, "{text:?}");
        }
    }
}

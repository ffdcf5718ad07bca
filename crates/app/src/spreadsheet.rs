//! CSV that people open in a spreadsheet: lines whose cells are never taken for formulas.

use std::borrow::Cow;

use rollbook_engine::field::text::FORMULA_STARTS;

/// A cell as it may stand in a spreadsheet: what would be taken for a formula gets the text mark `'`, which an import
/// drops again.
pub(crate) fn neutralise(cell: &str) -> Cow<'_, str> {
    // Blanks in front would hide a formula from this check and are trimmed by every import.
    let shown = cell.trim_start();
    if shown.starts_with(FORMULA_STARTS) {
        Cow::Owned(format!("'{shown}"))
    } else if cell.starts_with(['\t', '\r', '\n']) {
        Cow::Borrowed(shown)
    } else {
        Cow::Borrowed(cell)
    }
}

/// One CSV line of neutralised cells, with its line end.
pub(crate) fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for (position, cell) in cells.into_iter().enumerate() {
        if position > 0 {
            line.push(',');
        }
        let cell = neutralise(cell);
        if cell.contains([',', '"', '\n', '\r', ';', '\t']) {
            line.push('"');
            line.push_str(&cell.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&cell);
        }
    }
    line.push_str("\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text() {
        for (cell, expected) in [
            ("Anna", "Anna"),
            ("", ""),
            ("=1+1", "'=1+1"),
            ("+49 171", "'+49 171"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1+1", "'＝1+1"),
            ("＠handle", "'＠handle"),
            ("\t=1", "'=1"),
            ("\tAnna", "Anna"),
            (" Anna", " Anna"),
            ("'t Hooft", "'t Hooft"),
        ] {
            assert_eq!(neutralise(cell), expected, "{cell:?}");
        }
    }

    #[test]
    fn what_is_neutralised_is_read_as_before() {
        for cell in ["=1+1", "+49 171", "-5", "@x", "Anna", "'t Hooft", "\t=1"] {
            let tidy = rollbook_engine::field::text::tidy;
            assert_eq!(tidy(&neutralise(cell)), tidy(cell), "{cell:?}");
        }
    }

    #[test]
    fn cells_are_quoted_where_they_must() {
        assert_eq!(
            line(["a", "b,c", "say \"x\"", "1\n2", ""]),
            "a,\"b,c\",\"say \"\"x\"\"\",\"1\n2\",\r\n"
        );
    }
}

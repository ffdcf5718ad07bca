//! What a person typed to find attempts or contacts, and since when: understood in one place for pages, API and
//! command line.

use rollbook_engine::field::phone::search_digits;
use rollbook_store::Timestamp;
use rollbook_store::contacts::ContactFilter;
use rollbook_store::log::{Reach, Search};

/// What to look for in the log; none if nothing was typed.
pub(crate) fn search(typed: &str) -> Option<Search> {
    let text = typed.trim();
    (!text.is_empty()).then(|| Search {
        text: text.to_owned(),
        phone_digits: search_digits(text),
        reach: Reach::Everything,
    })
}

/// Which contacts to list.
pub(crate) fn contact_filter(typed: &str) -> ContactFilter {
    match search(typed) {
        Some(search) => ContactFilter {
            text: Some(search.text),
            phone_digits: search.phone_digits,
            reach: search.reach,
        },
        None => ContactFilter::default(),
    }
}

/// A point in time as typed: RFC 3339 with an offset, or a span before now such as `15m`, `24h` or `7d`.
pub(crate) fn point_in_time(typed: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = typed.trim();
    if let Some(millis) = span_millis(text) {
        return Ok(Timestamp(now.0.saturating_sub(millis)));
    }
    // In a query `+` means a blank, and nobody writes a blank before an offset.
    let plus = text.replacen(' ', "+", usize::from(text.contains(['T', 't'])));
    plus.parse::<jiff::Timestamp>()
        .map(|time| Timestamp(time.as_millisecond()))
        .map_err(|_| {
            "use a time with an offset such as 2026-03-01T08:00:00Z, or a span before now such as 15m, 24h or 7d"
                .to_owned()
        })
}

/// The milliseconds of `90s`, `15m`, `24h`, `7d` or `2w`.
fn span_millis(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let number = &text[..text.len() - unit.len_utf8()];
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let millis = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        'w' => 604_800_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_looked_for_by_its_digits_too() {
        let found = search(" 0171 / 234-567 ").unwrap();
        assert_eq!(found.text, "0171 / 234-567");
        assert_eq!(found.phone_digits.as_deref(), Some("171234567"));
        assert_eq!(search("weber").unwrap().phone_digits, None);
        assert_eq!(search("  "), None);
    }

    #[test]
    fn points_in_time_are_absolute_or_before_now() {
        let now = Timestamp(1_000_000_000_000);
        for (typed, expected) in [
            ("15m", Some(now.0 - 900_000)),
            ("90s", Some(now.0 - 90_000)),
            ("24h", Some(now.0 - 86_400_000)),
            ("7d", Some(now.0 - 604_800_000)),
            ("2001-09-09T01:46:40Z", Some(1_000_000_000_000)),
            ("2001-09-09T03:46:40+02:00", Some(1_000_000_000_000)),
            ("2001-09-09T03:46:40 02:00", Some(1_000_000_000_000)),
            ("2001-09-09", None),
            ("m", None),
            ("1.5h", None),
            ("99999999999999999999d", None),
            ("yesterday", None),
            ("", None),
        ] {
            let time = point_in_time(typed, now).ok().map(|time| time.0);
            assert_eq!(time, expected, "{typed:?}");
        }
    }
}

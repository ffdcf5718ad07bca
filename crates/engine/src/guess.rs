//! Which built-in field a column means, guessed from its header and from sample values.
//!
//! A wrong mapping is worse than none: it writes one thing into the place of another for every row, while an unmapped
//! column is seen in the mapping step. So a header is mapped only if **every** word of it is understood, and if the
//! words together mean one field. `Email` is an email; `Email opt-in` has a word that nobody here knows, and is left
//! alone. The words are in `guess/words.rs`, one table for all languages; which of them go together is in
//! `COMBINATIONS`.
//!
//! Then the columns are looked at together:
//! - Phones, emails and tags may have several columns. Every other field gets its best one: the main one before the
//!   private, the private before the one at work, the first before the second.
//! - An address is taken from one place: the street of the home never meets the city of the office.
//! - A bare `Name`, `Nom`, `Nombre`, `Nome` or `Naam` beside only one half of a name is the other half (`Nom`,
//!   `Prénom`). Beside both halves, or neither, it is the whole name.
//! - Words with another common meaning (`State`, `Land`) count only beside other parts of an address.
//!
//! There is no built-in field for job titles, middle names, suffixes and nicknames; their columns stay unmapped, and
//! `title` is the form of address only (`Mr`, `Dr`).

mod values;
mod words;

use self::values::Looks;
use self::words::{Head, Heads, Meaning, Place};

/// The field that a column was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// The key of the built-in field.
    pub field: &'static str,
    /// Why, for the person who checks the mapping.
    pub reason: String,
}

/// Guesses the fields of a header's columns, in order.
///
/// ```
/// let guesses = rollbook_engine::guess::guess_header(&["Nom", "Prénom", "Téléphone (bureau)", "Fax"]);
/// let fields: Vec<_> = guesses.iter().map(|guess| guess.as_ref().map(|guess| guess.field)).collect();
/// assert_eq!(fields, [Some("last_name"), Some("first_name"), Some("phone"), None]);
/// ```
pub fn guess_header(names: &[&str]) -> Vec<Option<Guess>> {
    let candidates = names.iter().map(|name| Candidate::of(name, &[])).collect();
    choose(candidates)
}

/// Guesses the field of one column by itself, from its header and some of its values.
///
/// Values can confirm a header that leaves something open (`Email ID`, `Country code`), speak for a column without a
/// real name (`Column 3`), and contradict a header (`Email` over yes and no). They do not overrule words that are not
/// understood: the numbers under `Emergency contact` are someone else's.
pub fn guess_column(name: &str, samples: &[&str]) -> Option<Guess> {
    choose(vec![Candidate::of(name, samples)]).pop().flatten()
}

/// Guesses the fields of all columns from header and sample values; `samples` has the values of each column.
pub fn guess_table(names: &[&str], samples: &[Vec<&str>]) -> Vec<Option<Guess>> {
    let values = samples
        .iter()
        .map(Vec::as_slice)
        .chain(std::iter::repeat(&[][..]));
    let candidates = names
        .iter()
        .zip(values)
        .map(|(name, values)| Candidate::of(name, values))
        .collect();
    choose(candidates)
}

/// What words mean together, without the words for persons and places.
const COMBINATIONS: &[(&[Head], Target)] = &[
    (&[Head::ExternalId], Target::ExternalId),
    (&[Head::Id], Target::ExternalId),
    (&[Head::WholeName], Target::Name),
    (&[Head::BareName], Target::Name),
    (&[Head::FirstName], Target::FirstName),
    (&[Head::LastName], Target::LastName),
    (&[Head::FirstName, Head::LastName], Target::Name),
    (&[Head::BareName, Head::FirstName], Target::Name),
    (&[Head::BareName, Head::LastName], Target::Name),
    (&[Head::Title], Target::Title),
    (&[Head::Phone], Target::Phone),
    (&[Head::Phone, Head::Number], Target::Phone),
    (&[Head::Phone, Head::Company], Target::Phone),
    (&[Head::Phone, Head::Company, Head::Number], Target::Phone),
    (&[Head::Email], Target::Email),
    (&[Head::Email, Head::Address], Target::Email),
    (&[Head::Email, Head::Company], Target::Email),
    (&[Head::Email, Head::Company, Head::Address], Target::Email),
    (&[Head::Birthday], Target::Birthday),
    (&[Head::Language], Target::Language),
    (&[Head::Language, Head::Code], Target::Language),
    (&[Head::Company], Target::Company),
    (&[Head::Company, Head::BareName], Target::Company),
    (&[Head::Address], Target::Street),
    (&[Head::Street], Target::Street),
    (&[Head::Street, Head::HouseNumber], Target::Street),
    (&[Head::Street, Head::Address], Target::Street),
    (&[Head::City], Target::City),
    (&[Head::City, Head::Address], Target::City),
    (&[Head::Region], Target::Region),
    (&[Head::Region, Head::Address], Target::Region),
    (&[Head::PostalCode], Target::PostalCode),
    (&[Head::PostalCode, Head::Address], Target::PostalCode),
    (&[Head::Country], Target::Country),
    (&[Head::Country, Head::BareName], Target::Country),
    (&[Head::Country, Head::Address], Target::Country),
    (&[Head::Country, Head::Region], Target::Country),
    (&[Head::Notes], Target::Notes),
    (&[Head::Tags], Target::Tags),
];

/// What words mean together with a word for a person (`Guest ID`, `Kunden-Nr.`), where that is not the same as without.
const COMBINATIONS_WITH_PERSON: &[(&[Head], Target)] = &[
    (&[Head::Id], Target::ExternalId),
    (&[Head::Number], Target::ExternalId),
    (&[Head::Code], Target::ExternalId),
];

/// What a header leaves open, and which values decide it.
const DECIDED_BY_VALUES: &[(&[Head], Looks, Target)] = &[
    (&[], Looks::Email, Target::Email),
    (&[], Looks::InternationalPhone, Target::Phone),
    (&[Head::Email, Head::Id], Looks::Email, Target::Email),
    (&[Head::Number], Looks::InternationalPhone, Target::Phone),
    (&[Head::Birth], Looks::Date, Target::Birthday),
    (
        &[Head::Country, Head::Code],
        Looks::LetterCode,
        Target::Country,
    ),
    (
        &[Head::Region, Head::Code],
        Looks::LetterCode,
        Target::Region,
    ),
];

/// A built-in field that can be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    ExternalId,
    Name,
    FirstName,
    LastName,
    Title,
    Phone,
    Email,
    Birthday,
    Language,
    Company,
    Street,
    City,
    Region,
    PostalCode,
    Country,
    Notes,
    Tags,
}

impl Target {
    fn key(self) -> &'static str {
        match self {
            Target::ExternalId => "external_id",
            Target::Name => "name",
            Target::FirstName => "first_name",
            Target::LastName => "last_name",
            Target::Title => "title",
            Target::Phone => "phone",
            Target::Email => "email",
            Target::Birthday => "birthday",
            Target::Language => "language",
            Target::Company => "company",
            Target::Street => "street",
            Target::City => "city",
            Target::Region => "region",
            Target::PostalCode => "postal_code",
            Target::Country => "country",
            Target::Notes => "notes",
            Target::Tags => "tags",
        }
    }

    /// Whether several columns may go to it.
    fn takes_several(self) -> bool {
        matches!(self, Target::Phone | Target::Email | Target::Tags)
    }

    fn is_of_address(self) -> bool {
        matches!(
            self,
            Target::Street | Target::City | Target::Region | Target::PostalCode | Target::Country
        )
    }

    /// Whether there can be one at home and one at work.
    fn has_places(self) -> bool {
        self.is_of_address() || matches!(self, Target::Phone | Target::Email)
    }

    /// What values would have to look like, where that can be told.
    fn expects(self) -> Option<Looks> {
        match self {
            Target::Email => Some(Looks::Email),
            Target::Phone => Some(Looks::Phone),
            Target::Birthday => Some(Looks::Date),
            Target::ExternalId
            | Target::Name
            | Target::FirstName
            | Target::LastName
            | Target::Title
            | Target::Language
            | Target::Company
            | Target::Street
            | Target::City
            | Target::Region
            | Target::PostalCode
            | Target::Country
            | Target::Notes
            | Target::Tags => None,
        }
    }
}

/// What one column could be, by itself.
#[derive(Debug, Clone)]
struct Candidate {
    target: Target,
    place: Option<Place>,
    /// `2` of `Phone 2`.
    number: u32,
    /// Its word has another common meaning.
    is_weak: bool,
    /// It is nothing but a word for names.
    is_bare_name: bool,
    /// Among columns for the same field, the lower the better.
    vagueness: u8,
    reason: String,
}

impl Candidate {
    fn of(name: &str, samples: &[&str]) -> Option<Candidate> {
        let meaning = words::understand(name)?;
        if let Some(target) = combined(&meaning) {
            let contradicted = target
                .expects()
                .is_some_and(|looks| looks.is_contradicted(samples));
            let reason = format!("the header means `{}`", target.key());
            return (!contradicted)
                .then(|| Candidate::new(&meaning, target, reason))
                .flatten();
        }
        let (_, looks, target) = DECIDED_BY_VALUES.iter().find(|(heads, looks, _)| {
            Heads::of(heads) == meaning.heads && looks.are_most_of(samples)
        })?;
        let reason = format!("the values look like {}", looks.description());
        Candidate::new(&meaning, *target, reason)
    }

    fn new(meaning: &Meaning, target: Target, reason: String) -> Option<Candidate> {
        // `Preferred Name` and `Second Name` are other names, not other places.
        if meaning.place.is_some() && !target.has_places() {
            return None;
        }
        let is_at_company = target != Target::Company && meaning.heads.contains(Head::Company);
        let vague = match target {
            Target::ExternalId => meaning.heads == Heads::of(&[Head::Id]) && !meaning.has_person,
            Target::Street => !meaning.heads.contains(Head::Street),
            Target::Name => meaning.heads.contains(Head::BareName),
            _ => false,
        };
        Some(Candidate {
            target,
            place: meaning.place.or(is_at_company.then_some(Place::Work)),
            number: meaning.number.unwrap_or(1),
            is_weak: meaning.is_weak,
            is_bare_name: meaning.heads == Heads::of(&[Head::BareName]) && !meaning.has_person,
            vagueness: u8::from(vague),
            reason,
        })
    }

    /// The best column of a field comes first.
    fn rank(&self) -> (u8, u32, u8) {
        (rank_of_place(self.place), self.number, self.vagueness)
    }
}

fn rank_of_place(place: Option<Place>) -> u8 {
    match place {
        Some(Place::Primary) => 0,
        None => 1,
        Some(Place::Home) => 2,
        Some(Place::Work) => 3,
        Some(Place::Secondary) => 4,
        Some(Place::Other) => 5,
    }
}

/// The field that the words mean together.
fn combined(meaning: &Meaning) -> Option<Target> {
    let find = |table: &[(&[Head], Target)]| {
        table
            .iter()
            .find(|(heads, _)| Heads::of(heads) == meaning.heads)
            .map(|&(_, target)| target)
    };
    let with_person = meaning
        .has_person
        .then(|| find(COMBINATIONS_WITH_PERSON))
        .flatten();
    // The address of a company is the address at work.
    let of_company = || {
        let rest = meaning.heads.without(Head::Company);
        let target = COMBINATIONS
            .iter()
            .find(|(heads, _)| Heads::of(heads) == rest)?
            .1;
        target.is_of_address().then_some(target)
    };
    with_person
        .or_else(|| find(COMBINATIONS))
        .or_else(of_company)
}

/// Looks at all columns together and keeps what fits.
fn choose(mut candidates: Vec<Option<Candidate>>) -> Vec<Option<Guess>> {
    for candidate in &mut candidates {
        // The second of what there can be only one of: the second line of a street, the second surname.
        candidate.take_if(|candidate| candidate.number > 1 && !candidate.target.takes_several());
    }
    drop_weak(&mut candidates);
    complete_the_name(&mut candidates);
    keep_one_address(&mut candidates);
    let best = |target: Target| {
        let of_target = candidates
            .iter()
            .enumerate()
            .filter_map(|(column, candidate)| {
                let candidate = candidate.as_ref()?;
                (candidate.target == target).then(|| (candidate.rank(), column))
            });
        of_target.min().map(|(_, column)| column)
    };
    candidates
        .iter()
        .enumerate()
        .map(|(column, candidate)| {
            let candidate = candidate.as_ref()?;
            let is_kept =
                candidate.target.takes_several() || best(candidate.target) == Some(column);
            is_kept.then(|| Guess {
                field: candidate.target.key(),
                reason: candidate.reason.clone(),
            })
        })
        .collect()
}

/// Words with another meaning count only beside another part of an address.
fn drop_weak(candidates: &mut [Option<Candidate>]) {
    let mut known: Vec<(Target, bool)> = candidates
        .iter()
        .flatten()
        .filter(|candidate| candidate.target.is_of_address())
        .map(|candidate| (candidate.target, candidate.is_weak))
        .collect();
    known.dedup();
    for candidate in candidates {
        candidate.take_if(|candidate| {
            let is_supported = known
                .iter()
                .any(|&(target, is_weak)| target != candidate.target && !is_weak);
            candidate.is_weak && !is_supported
        });
    }
}

/// A bare word for names beside one half of a name is the other half.
fn complete_the_name(candidates: &mut [Option<Candidate>]) {
    let has = |target: Target| {
        candidates
            .iter()
            .flatten()
            .any(|candidate| candidate.target == target)
    };
    let (target, other) = match (has(Target::FirstName), has(Target::LastName)) {
        (true, false) => (Target::LastName, Target::FirstName),
        (false, true) => (Target::FirstName, Target::LastName),
        (true, true) | (false, false) => return,
    };
    for candidate in candidates.iter_mut().flatten() {
        if candidate.is_bare_name {
            candidate.target = target;
            candidate.reason = format!("it stands beside `{}`", other.key());
        }
    }
}

/// Keeps the columns of one address; what it lacks may come from columns that name no place.
fn keep_one_address(candidates: &mut [Option<Candidate>]) {
    let of_address = || {
        candidates
            .iter()
            .flatten()
            .filter(|candidate| candidate.target.is_of_address())
    };
    let mut places: Vec<Option<Place>> = of_address().map(|candidate| candidate.place).collect();
    places.sort_by_key(|&place| rank_of_place(place));
    places.dedup();
    let targets_at = |place: Option<Place>| {
        let mut targets: Vec<Target> = Vec::new();
        for candidate in of_address().filter(|candidate| candidate.place == place) {
            if !targets.contains(&candidate.target) {
                targets.push(candidate.target);
            }
        }
        targets
    };
    // The fullest; of equals the first in rank, which `max_by_key` would not keep.
    let Some(main) = places
        .iter()
        .copied()
        .rev()
        .max_by_key(|&place| targets_at(place).len())
    else {
        return;
    };
    let present = targets_at(main);
    for candidate in candidates {
        candidate.take_if(|candidate| {
            let fits = candidate.place == main
                || (candidate.place.is_none() && !present.contains(&candidate.target));
            candidate.target.is_of_address() && !fits
        });
    }
}

#[cfg(test)]
mod tests;

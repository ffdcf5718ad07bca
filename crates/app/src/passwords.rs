//! Which passwords are taken: long ones that nobody would try first.
//!
//! Length is what counts, so nothing is demanded of characters. What is refused beside short ones: rows of keys and
//! repetitions, and what is made of one or two of the words in [`WORDS`], however it is spelt (`P4ssw0rd2024!!`). The
//! words are our own short list of what common-password lists are made of; everything such a list adds to them, digits,
//! signs and letters that look like others, is taken off before comparing.

/// The shortest password that is taken.
pub(crate) const MIN_CHARS: usize = 12;

/// The longest: hashing takes time.
const MAX_BYTES: usize = 1024;

/// A password needs this many letters that are in none of the words.
const OWN_LETTERS: usize = 4;

/// Three words or more are a phrase.
const FEW_WORDS: usize = 2;

/// What common passwords are made of.
const WORDS: &str = "\
    password passwort passwd pass motdepasse contrasena senha parola heslo wachtwoord haslo salasana \
    admin administrator root user guest login master secret geheim default changeme letmein welcome willkommen bienvenue \
    test testing temp temporary access enter open hello hallo bonjour hola ciao please \
    dragon monkey tiger lion eagle bear wolf horse panther dolphin buster ginger pepper tigger maggie snoopy bailey \
    football baseball basketball soccer hockey tennis golf arsenal liverpool chelsea barcelona realmadrid juventus bayern \
    iloveyou ichliebedich jetaime love lover liebe forever sunshine princess prinzessin angel engel baby honey sweet lovely \
    superman batman spiderman starwars pokemon matrix merlin phoenix ninja pirate hunter ranger killer shadow hacker \
    charlie michael jennifer jessica ashley daniel thomas andrew jordan robert william joshua hannah nicole amanda sophie \
    summer winter spring autumn sommer herbst fruehling january february march april june july august september october \
    november december monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch freitag \
    computer internet samsung google facebook microsoft windows apple android iphone amazon youtube instagram linux \
    ferrari porsche mercedes mustang yamaha harley corvette cheese banana chocolate cookie coffee apfel kaffee \
    diamond silver golden orange purple yellow black white blue green freedom peace trust nothing whatever money lucky \
    hotel clinic klinik praxis company office manager reception frontdesk server database rollbook contact contacts \
    import imports guests booking hospital doctor nurse patient berlin london paris madrid newyork germany deutschland \
    abc xyz aaa qwe asd";

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordProblem {
    /// Too short.
    #[error(
        "the password is shorter than {MIN_CHARS} characters; choose a longer one, for example four words"
    )]
    Short,
    /// Too long to be hashed in time.
    #[error("the password is longer than {MAX_BYTES} bytes; choose a shorter one")]
    Long,
    /// Others would try it early.
    #[error("the password is one that is tried first; choose words that do not belong together")]
    Common,
    /// It is made of what everybody knows of the person.
    #[error(
        "the password is made of the name or the email address; choose something that nobody knows"
    )]
    Own,
}

/// Whether somebody with this email and name may choose a password.
pub(crate) fn check(password: &str, email: &str, name: &str) -> Result<(), PasswordProblem> {
    if password.chars().count() < MIN_CHARS {
        return Err(PasswordProblem::Short);
    }
    if password.len() > MAX_BYTES {
        return Err(PasswordProblem::Long);
    }
    if is_run(password) {
        return Err(PasswordProblem::Common);
    }
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let known = format!("{email} {name}").to_lowercase();
    let own: Vec<&str> = known
        .split(|character: char| !character.is_alphanumeric())
        .filter(|part| part.len() >= 3)
        .collect();
    for letters in spellings(password) {
        if is_made_of(&letters, &words, &[]) {
            return Err(PasswordProblem::Common);
        }
        if is_made_of(&letters, &words, &own) {
            return Err(PasswordProblem::Own);
        }
    }
    Ok(())
}

/// Whether nearly every character follows from the one before: the same, the next, or its neighbour on the keyboard.
fn is_run(password: &str) -> bool {
    const ROWS: [&str; 4] = ["1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let lower: Vec<char> = password.to_lowercase().chars().collect();
    let follows = |one: char, other: char| {
        let codes = u32::from(one).abs_diff(u32::from(other)) <= 1;
        codes
            || ROWS.iter().any(|row| {
                let place = |character| row.chars().position(|key| key == character);
                matches!((place(one), place(other)), (Some(a), Some(b)) if a.abs_diff(b) <= 1)
            })
    };
    let following = lower
        .windows(2)
        .filter(|pair| follows(pair[0], pair[1]))
        .count();
    // Few different characters are a pattern as well.
    let mut different = lower.clone();
    different.sort_unstable();
    different.dedup();
    following * 4 >= (lower.len() - 1) * 3 || different.len() <= 4
}

/// The letters of a password as they stand, and with digits and signs read as the letters they look like.
fn spellings(password: &str) -> [Vec<char>; 2] {
    let lower = password.to_lowercase();
    let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect();
    let read: String = lower
        .chars()
        .map(|character| match character {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect();
    // Digits and signs at the ends are decoration.
    let decorated = |character: char| !character.is_alphabetic();
    let core = lower.trim_matches(decorated);
    let begin = lower.find(core).unwrap_or(0);
    let count = core.chars().count();
    let skipped = lower[..begin].chars().count();
    let read: String = read.chars().skip(skipped).take(count).collect();
    [letters(&lower), letters(&read)]
}

/// Whether few of the words, and any number of the person's own, cover all but a few of the letters.
fn is_made_of(letters: &[char], words: &[&str], own: &[&str]) -> bool {
    if letters.len() < OWN_LETTERS {
        // Digits and signs: what rows and repetitions let through is taken.
        return false;
    }
    let ends_with = |end: usize, word: &str, length: usize| {
        length <= end && letters[end - length..end].iter().copied().eq(word.chars())
    };
    let words = words.iter().map(|word| (*word, true));
    let words: Vec<(&str, bool)> = words.chain(own.iter().map(|word| (*word, false))).collect();
    // For each beginning: how few letters are left over, and how many words were needed for that.
    let mut best = vec![(0, 0); letters.len() + 1];
    for end in 1..=letters.len() {
        let (left, used) = best[end - 1];
        best[end] = (left + 1, used);
        for (word, counts) in &words {
            let length = word.chars().count();
            if ends_with(end, word, length) {
                let (left, used) = best[end - length];
                let again = ends_with(end - length, word, length);
                let more = usize::from(*counts && length >= OWN_LETTERS && !again);
                best[end] = best[end].min((left, used + more));
            }
        }
    }
    let (left, used) = best[letters.len()];
    left < OWN_LETTERS && used <= FEW_WORDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(password: &str) -> Result<(), PasswordProblem> {
        check(password, "liesl.weber@harbour.example", "Liesl Weber")
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for password in [
            "password1234",
            "Password2024!",
            "P4ssw0rd!!!!",
            "passwordpassword",
            "123456789012",
            "qwertyuiop12",
            "aaaaaaaaaaaa",
            "abababababab",
            "abcdefghijkl",
            "Welcome2Hotel",
            "iloveyou12345",
            "letmein!letmein!",
            "Sommer2025!!",
            "!!!!Dragon!!!!",
            "rollbook-admin",
            "0000-0000-0000",
        ] {
            assert_eq!(
                verdict(password),
                Err(PasswordProblem::Common),
                "{password}"
            );
        }
    }

    #[test]
    fn what_everybody_knows_of_a_person_is_refused() {
        for password in [
            "lieslweber123",
            "Harbour!2024",
            "liesl.weber@harbour.example",
            "Weber-Password1",
        ] {
            assert_eq!(verdict(password), Err(PasswordProblem::Own), "{password}");
        }
    }

    #[test]
    fn phrases_and_random_ones_are_taken() {
        for password in [
            "correct horse",
            "correct horse battery staple",
            "a password for tests",
            "kX9vQ2mLw7Rt",
            "blaue Hunde singen leise",
            "winter hotel coffee dragon money",
            "予約は明日の午後三時からです",
            "81462097351846",
        ] {
            assert_eq!(verdict(password), Ok(()), "{password}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(verdict("kX9vQ2mLw7R"), Err(PasswordProblem::Short));
        assert_eq!(verdict("kX9vQ2mLw7Rä"), Ok(()));
        assert_eq!(verdict(""), Err(PasswordProblem::Short));
        assert_eq!(verdict(&"kX9vQ2mL".repeat(200)), Err(PasswordProblem::Long));
    }
}

//! The words of headers, in one table for all languages, and how a header is taken apart.
//!
//! Words are written as headers are folded: lower case, without accents, with single spaces. A phrase counts before the
//! words in it. English, German, French, Spanish, Portuguese, Italian and Dutch stand side by side, because a header
//! does not say its language and exports mix them.

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What a header says, once all of its words are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) heads: Heads,
    pub(super) place: Option<Place>,
    pub(super) number: Option<u32>,
    pub(super) has_person: bool,
    /// All words that name something have another common meaning.
    pub(super) is_weak: bool,
}

/// A word that can name a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    ExternalId,
    Id,
    Number,
    Code,
    WholeName,
    BareName,
    FirstName,
    LastName,
    Title,
    Phone,
    Email,
    Birthday,
    /// Something about a birth, not necessarily its day.
    Birth,
    Language,
    Company,
    Address,
    Street,
    HouseNumber,
    City,
    Region,
    PostalCode,
    Country,
    Notes,
    Tags,
}

/// Where a phone, an email or an address belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Primary,
    Home,
    Work,
    Secondary,
    Other,
}

/// A set of heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Heads(u32);

impl Heads {
    pub(super) fn of(heads: &[Head]) -> Heads {
        heads
            .iter()
            .fold(Heads::default(), |set, &head| set.with(head))
    }

    pub(super) fn contains(self, head: Head) -> bool {
        self.0 & (1 << head as u32) != 0
    }

    pub(super) fn without(self, head: Head) -> Heads {
        Heads(self.0 & !(1 << head as u32))
    }

    fn with(self, head: Head) -> Heads {
        Heads(self.0 | (1 << head as u32))
    }
}

/// What a word or phrase adds to a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Head(Head),
    /// A head with another common meaning.
    Weak(Head),
    Place(Place),
    /// A contact is meant: `Guest`, `Kunde`.
    Person,
    Filler,
    /// A phrase of known words that means something else together.
    Trap,
}

/// Phrases by their sense, separated by commas.
#[rustfmt::skip] // A table.
const PHRASES: &[(Sense, &str)] = &[
    (Sense::Head(Head::ExternalId), "external id, ext id, externe id, id externe, id externo, identifiant externe, \
        kundennummer, kundennr, kundenid, kdnr, gastnummer, gastnr, gastid, patientennummer, patientennr, patientenid, \
        mitgliedsnummer, mitgliedsnr, kontaktid, user id, person id, mrn, klantnummer, klantnr, klantcode, \
        patientnummer, lidnummer"),
    (Sense::Head(Head::Id), "id, uid, uuid, guid, identifier, identifiant, identificador, identificativo, kennung"),
    (Sense::Head(Head::Number), "number, no, nr, num, nummer, numero, n"),
    (Sense::Head(Head::Code), "code, codigo, codice, kod, iso, iso code"),
    (Sense::Head(Head::WholeName), "full name, fullname, complete name, display name, whole name, first and last name, \
        name and surname, vor und nachname, vor und zuname, vollstandiger name, voller name, ganzer name, anzeigename, \
        kundenname, gastname, patientenname, kontaktname, nom complet, nom affiche, nombre completo, nome completo, \
        nome e sobrenome, nominativo, volledige naam, weergavenaam, klantnaam, gastnaam"),
    (Sense::Head(Head::BareName), "name, names, nom, nombre, nome, naam"),
    (Sense::Head(Head::FirstName), "first name, firstname, f name, fname, given name, givenname, given names, forename, \
        forenames, christian name, vorname, vornamen, rufname, prenom, prenoms, nombre de pila, nombres, primer nombre, \
        primeiro nome, nome proprio, nome de batismo, nome di battesimo, voornaam, voornamen"),
    (Sense::Head(Head::LastName), "last name, lastname, l name, lname, family name, familyname, surname, surnames, \
        sur name, nachname, nachnamen, familienname, zuname, nom de famille, apellido, apellidos, primer apellido, \
        sobrenome, sobrenomes, apelido, apelidos, ultimo nome, nome de familia, cognome, cognomi, achternaam, \
        familienaam"),
    (Sense::Head(Head::Title), "title, salutation, prefix, name prefix, name title, honorific, honorific prefix, \
        courtesy title, titel, anrede, akademischer titel, akad titel, namenszusatz vorn, namensprafix, civilite, \
        titre, titre de civilite, tratamiento, titulo, trato, tratamento, pronome de tratamento, titolo, appellativo, \
        aanhef, aanspreekvorm, aanspreektitel"),
    (Sense::Head(Head::Phone), "phone, phones, telephone, telefone, telephones, phone number, phonenumber, tel, \
        telnr, teleph, ph, mobile, mobile phone, mobilephone, mobile number, cell, cell phone, cellphone, cellular, \
        landline, whatsapp number, contact number, contact no, numero de contacto, numero de contato, telefon, telefonnummer, telefonnr, rufnummer, festnetz, festnetznummer, handy, \
        handynummer, handynr, mobil, mobiltelefon, mobilnummer, mobilfunk, mobilfunknummer, mobilnr, telephone fixe, \
        telephone portable, telephone mobile, portable, tel portable, tel mobile, tel fixe, mob, gsm, telefono, telefonos, \
        telefono movil, telefono fijo, movil, celular, telefono celular, telefone fixo, telemovel, telefone celular, \
        telefone movel, telef, contacto telefonico, cellulare, telefono cellulare, telefono fisso, telefoon, \
        telefoonnummer, telefoonnr, mobiel, mobiele telefoon, mobiel nummer, mobiele nummer"),
    (Sense::Head(Head::Email), "email, emails, e mail, e mails, mail, mails, email address, e mail address, \
        emailaddress, mail address, mailaddress, emailadresse, e mailadresse, mailadresse, email adresse, courriel, \
        courriels, mel, adresse mail, adresse electronique, adresse courriel, adresse de messagerie, correo, \
        correo electronico, direccion de correo, direccion de correo electronico, direccion electronica, \
        correio eletronico, correio electronico, endereco de email, endereco de e mail, endereco eletronico, \
        posta elettronica, indirizzo di posta elettronica, indirizzo email, indirizzo e mail, emailadres, \
        e mailadres, mailadres"),
    (Sense::Head(Head::Birthday), "birthday, birthdate, birth date, date of birth, birth dt, dateofbirth, dob, d o b, \
        bday, b day, geburtsdatum, geburtstag, geb datum, gebdatum, geb dat, gebdat, geb tag, geboren am, \
        date de naissance, date naissance, datenaissance, anniversaire, ne le, nee le, ne e le, fecha de nacimiento, \
        fecha nacimiento, fec nacimiento, f nacimiento, cumpleanos, data de nascimento, data nascimento, \
        dt nascimento, data de nasc, data nasc, dt nasc, data di nascita, data nascita, compleanno, geboortedatum, \
        geb datum, verjaardag"),
    (Sense::Head(Head::Birth), "birth, birth day, born, geb, geboren, geburt, naissance, nacimiento, nascimento, nascita, geboorte"),
    (Sense::Head(Head::Language), "language, languages, lang, preferred language, language preference, spoken language, \
        sprache, sprachen, bevorzugte sprache, korrespondenzsprache, muttersprache, sprachcode, langue, langues, \
        langue preferee, langue de correspondance, langue parlee, idioma, idiomas, idioma preferido, lengua, lingua, \
        linguas, lingua preferita, lingue, taal, talen, voorkeurstaal"),
    (Sense::Head(Head::Company), "company, companies, organization, organisation, organizations, org, employer, \
        company name, companyname, organization name, firma, firmenname, firmen name, unternehmen, unternehmensname, \
        arbeitgeber, gesellschaft, entreprise, societe, raison sociale, organisme, employeur, empresa, razon social, \
        compania, organizacion, empleador, razao social, companhia, organizacao, empregador, azienda, societa, \
        ditta, ragione sociale, organizzazione, bedrijf, bedrijfsnaam, organisatie, werkgever"),
    (Sense::Head(Head::Address), "address, address line, street address line, addr, adresse, anschrift, adresszeile, \
        ligne d adresse, ligne adresse, direccion, linea de direccion, domicilio, endereco, morada, linha de endereco, \
        indirizzo, adres, adresregel, mailing address, postal address, postanschrift, postadresse, adresse postale, \
        direccion postal, endereco postal, indirizzo postale, postadres, wohnadresse, wohnanschrift"),
    (Sense::Head(Head::Street), "street, street address, street name, streetname, streetaddress, strasse, str, \
        strassenname, strasse nr, strasse hausnummer, rue, nom de rue, nom de la rue, numero et rue, rue et numero, \
        n et rue, calle, nombre de la calle, calle y numero, rua, nome da rua, rua e numero, logradouro, \
        straat, straatnaam, straat en huisnummer, straat en nummer"),
    (Sense::Weak(Head::Street), "via, voie"),
    (Sense::Head(Head::HouseNumber), "hausnummer, hausnr, haus nr, house number, house no, huisnummer, huisnr"),
    (Sense::Head(Head::City), "city, town, city name, city town, town city, stadt, wohnort, ortschaft, ville, commune, \
        localite, ciudad, localidad, poblacion, municipio, cidade, localidade, citta, comune, localita, plaats, \
        woonplaats, plaatsnaam"),
    (Sense::Weak(Head::City), "ort, stad"),
    (Sense::Head(Head::Region), "province, state province, province state, state or province, province or state, \
        state region, state county, county, bundesland, kanton, provinz, departement, provincia, comunidad autonoma, \
        estado provincia, distrito, regione, provincie"),
    (Sense::Weak(Head::Region), "state, region, state code, estado, stato, regiao, canton, uf, staat"),
    (Sense::Head(Head::PostalCode), "zip, zip code, zipcode, postal code, postalcode, postal zip, post code, postcode, \
        zip postal code, postal zip code, zip postcode, zip or postal code, zip postal, plz, postleitzahl, code postal, \
        codepostal, codigo postal, cod postal, c p, cep, codice postale, codice di avviamento postale, postcodes"),
    (Sense::Weak(Head::PostalCode), "cp, cap, postal, pin code"),
    (Sense::Head(Head::Country), "country, country name, country region, pays, pais, paese, nazione, \
        wohnsitzland, country of residence, pays de residence, pais de residencia"),
    (Sense::Weak(Head::Country), "land, nation, nacion, nacao"),
    (Sense::Head(Head::Notes), "notes, note, comment, comments, remark, remarks, memo, bemerkung, bemerkungen, \
        anmerkung, anmerkungen, notiz, notizen, kommentar, kommentare, remarque, remarques, commentaire, commentaires, \
        observation, observations, nota, notas, comentario, comentarios, observacion, observaciones, observacao, \
        observacoes, osservazione, osservazioni, commento, commenti, annotazioni, opmerking, opmerkingen, notitie, \
        notities"),
    (Sense::Head(Head::Tags), "tags, tag, labels, group membership, group memberships, groups, categories, keywords, \
        gruppen, kategorien, schlagworter, schlagworte, stichworte, stichworter, etiquettes, groupes, mots cles, \
        etiqueta, etiquetas, categorias, grupos, marcadores, etichette, categorie, gruppi, groepen, trefwoorden"),
    (Sense::Place(Place::Primary), "primary, main, default, preferred, principal, principale, haupt, hauptsachlich, \
        predeterminado, preferido, preferida, primario, primaria, principais, hoofd, mailing"),
    (Sense::Place(Place::Home), "home, private, privat, priv, privates, privater, personal, personnel, personnelle, perso, \
        domicile, maison, prive, privee, particular, casa, personale, abitazione, pessoal, residencial, residencia, \
        thuis"),
    (Sense::Place(Place::Work), "work, business, office, geschaftlich, geschaft, gesch, dienstlich, dienstl, beruflich, arbeit, buro, \
        travail, bureau, professionnel, professionnelle, pro, trabajo, oficina, profesional, trabalho, comercial, \
        escritorio, lavoro, ufficio, werk, zakelijk, kantoor"),
    (Sense::Place(Place::Secondary), "secondary, alternate, alternative, alternativ, secondaire, secundario, \
        secundaria, alternativo, secondario"),
    (Sense::Place(Place::Other), "other, andere, anderes, weitere, sonstige, autre, otro, otra, outro, outra, altro, \
        overige, car, auto, billing, shipping, delivery, rechnung, lieferung, facturation, livraison, facturacion"),
    (Sense::Person, "guest, customer, client, contact, patient, member, gast, gastes, kunde, kd, \
        kunden, kundin, mitglied, patienten, patientin, kontakt, invite, hote, adherent, membre, huesped, cliente, \
        contacto, paciente, miembro, socio, hospede, contato, membro, ospite, contatto, paziente, klant, lid"),
    (Sense::Filler, "value, values, valor, wert, valeur, the, of, your, my, ihre, ihr, deine, dein, votre, su, seu, sua, \
        de, du, des, del, della, dell, di, da, do, dos, der, die, das, la, le, les, el, l, d, van, het, and, und, et, y, \
        e, en, o, required, optional, mandatory, pflichtfeld, obligatoire, obligatorio, data, attributes, profile, \
        details, column, col, field, spalte, feld, colonne, champ, columna, campo, coluna, colonna, kolom, unnamed"),
    // Where it stands in samples, it is a job title.
    (Sense::Trap, "contact title, kontakt titel"),
];

/// The longest phrase, in words.
const LONGEST: usize = 5;

/// Understands a header, if every word of it is known.
///
/// A header of fillers alone, or an empty one, means nothing in particular: its heads are empty.
pub(super) fn understand(header: &str) -> Option<Meaning> {
    let words = split(header);
    let mut meaning = Meaning {
        heads: Heads::default(),
        place: None,
        number: None,
        has_person: false,
        is_weak: false,
    };
    let mut has_strong = false;
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            meaning.number = Some(word.parse().ok()?);
            at += 1;
            continue;
        }
        let (sense, length) = sense(&words[at..])?;
        match sense {
            Sense::Head(head) => {
                meaning.heads = meaning.heads.with(head);
                has_strong = true;
            }
            Sense::Weak(head) => {
                meaning.heads = meaning.heads.with(head);
                meaning.is_weak = true;
            }
            // Two places in one header are none that we know.
            Sense::Place(place) if meaning.place.is_none_or(|before| before == place) => {
                meaning.place = Some(place);
            }
            Sense::Person => meaning.has_person = true,
            Sense::Filler => {}
            Sense::Place(_) | Sense::Trap => return None,
        }
        at += length;
    }
    meaning.is_weak &= !has_strong;
    // `Guest` and `Home` are not without meaning, but it is not ours.
    let is_open =
        meaning.heads == Heads::default() && (meaning.has_person || meaning.place.is_some());
    (!is_open).then_some(meaning)
}

/// The sense of the longest phrase at the beginning.
fn sense(words: &[String]) -> Option<(Sense, usize)> {
    static SENSES: LazyLock<HashMap<&str, Sense>> = LazyLock::new(|| {
        let mut senses = HashMap::new();
        for (sense, phrases) in PHRASES {
            for phrase in phrases.split(", ") {
                senses.entry(phrase).or_insert(*sense);
            }
        }
        senses
    });
    (1..=LONGEST.min(words.len())).rev().find_map(|length| {
        let sense = SENSES.get(words[..length].join(" ").as_str())?;
        Some((*sense, length))
    })
}

/// The words of a header: folded, and split at signs, at capital letters and at numbers.
fn split(header: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    let header = number_signs(header);
    let mut characters = header
        .nfd()
        .filter(|&character| !is_combining_mark(character))
        .peekable();
    while let Some(character) = characters.next() {
        if !character.is_alphanumeric() {
            before = None;
            continue;
        }
        let is_next_lower = characters.peek().is_some_and(|next| next.is_lowercase());
        let is_start = before.is_none_or(|before| {
            before.is_numeric() != character.is_numeric()
                || (character.is_uppercase() && (before.is_lowercase() || is_next_lower))
        });
        before = Some(character);
        if is_start {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            match character {
                'ß' => word.push_str("ss"),
                'æ' | 'Æ' => word.push_str("ae"),
                'œ' | 'Œ' => word.push_str("oe"),
                'ø' | 'Ø' => word.push('o'),
                _ => word.extend(character.to_lowercase()),
            }
        }
    }
    words
}

/// `#`, `№`, `n°` and `Nº` as words.
fn number_signs(header: &str) -> String {
    let header = header.replace(['#', '№'], " number ");
    ["n°", "N°", "nº", "Nº"]
        .into_iter()
        .fold(header, |header, sign| header.replace(sign, " number "))
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, PHRASES, split};

    #[test]
    fn headers_are_split_into_folded_words() {
        for (header, expected) in [
            ("E-mail 1 - Value", "e mail 1 value"),
            ("PhoneNumber2", "phone number 2"),
            ("EMailAddress", "e mail address"),
            ("guestID", "guest id"),
            ("ZIPCode", "zip code"),
            ("POSTAL_CODE", "postal code"),
            ("Straße/Nr.", "strasse nr"),
            ("STRASSE", "strasse"),
            ("* Numéro de téléphone", "numero de telephone"),
            ("N° client", "number client"),
            ("Customer #", "customer number"),
            ("", ""),
        ] {
            assert_eq!(split(header).join(" "), expected, "{header}");
        }
    }

    #[test]
    fn phrases_are_folded_and_have_one_sense() {
        let mut seen = std::collections::BTreeMap::new();
        for (sense, phrases) in PHRASES {
            for phrase in phrases.split(", ") {
                assert_eq!(split(phrase).join(" "), phrase);
                assert!(phrase.split(' ').count() <= LONGEST, "{phrase}");
                let other = seen.insert(phrase, sense);
                assert!(
                    other.is_none_or(|other| other == sense),
                    "{phrase}: {other:?}, {sense:?}"
                );
            }
        }
    }
}

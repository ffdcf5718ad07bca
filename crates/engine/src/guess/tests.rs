use proptest::prelude::*;

use super::{guess_column, guess_header, guess_table};

/// Guesses one header by itself.
fn alone(name: &str) -> &'static str {
    guess_header(&[name])[0]
        .as_ref()
        .map_or("", |guess| guess.field)
}

/// Guesses headers together; written as `header -> field`, one a line, the field blank where there is none.
fn check(table: &str) {
    let rows: Vec<(&str, &str)> = table
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once("->").unwrap())
        .map(|(header, field)| (header.trim(), field.trim()))
        .collect();
    let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
    for ((name, expected), guess) in rows.iter().zip(guess_header(&names)) {
        let found = guess.as_ref().map_or("", |guess| guess.field);
        assert_eq!(found, *expected, "{name} of {names:?}");
    }
}

#[test]
fn headers_are_understood_in_many_languages_and_decorations() {
    for (field, names) in [
        (
            "external_id",
            "ID|Id|Guest ID|guestId|Customer No|Customer No.|Customer #|Kundennr.|Kundennummer|Kunden-Nr.|Kd-Nr|KdNr.|Gast-ID\
             |Patient ID|patient_number|Member number|external_id|External ID|Numéro client|N° client\
             |Número de cliente|ID do cliente|Código de cliente|Codice cliente|Klantnummer|Client code",
        ),
        (
            "name",
            "Name|Full Name|fullName|Guest Name|Customer name|Display Name|Vollständiger Name|Kundenname|Nom complet\
             |Nombre completo|Nombre y apellidos|Nome completo|Vor- und Nachname|Name, Vorname|Nom et prénom\
             |Cognome e nome|Volledige naam|First and Last Name",
        ),
        (
            "first_name",
            "First Name|FirstName|first_name|first-name|FIRST NAME|Given name|Forename|Vorname|Vorname*|Prénom|prenom\
             |Nombre de pila|Primer nombre|Primeiro nome|Nome próprio|Voornaam|Guest first name|Vorname des Gastes",
        ),
        (
            "last_name",
            "Last Name|lastName|Surname|Family Name|Nachname|Familienname|Nom de famille|Apellidos|Apellido 1\
             |Sobrenome|Apelido|Cognome|Achternaam|Guest Last Name",
        ),
        (
            "title",
            "Title|Salutation|Name Prefix|Anrede|Titel|Civilité|Tratamiento|Tratamento|Titolo|Aanhef|Guest title",
        ),
        (
            "phone",
            "Phone|Phone Number|phoneNumber|Phone 2 - Value|Business Phone|Mobile|Mobile Number|Cell|Cell phone\
             |Telefon|Telefon (privat)|Tel.|Tel. dienstl.|Handy|Handynummer|Festnetz|Mobiltelefon|Numéro de téléphone\
             |Téléphone portable|Portable|Teléfono|Teléfono móvil|Móvil|Celular|Número de teléfono|Telemóvel|Telefone\
             |Cellulare|Numero di telefono|Telefoonnummer|Mobiel|Company phone|Company Main Phone|Contact Number\
             |Guest Phone No.|Tel. Nr.|phone_1",
        ),
        (
            "email",
            "Email|E-mail|E-Mail|EMail|eMail|email_address|EMAIL ADDRESS|* Email|E-mail 1 - Value|E-mail 2 Address\
             |Guest Email Address|E-Mail-Adresse|Mail|E-Mail (geschäftlich)|Courriel|Adresse e-mail|Adresse mail\
             |Adresse électronique|Correo electrónico|Correo|Dirección de correo electrónico|Endereço de e-mail\
             |Indirizzo email|Posta elettronica|E-mailadres|Primary Email|Work Email|contact.email",
        ),
        (
            "birthday",
            "Birthday|Birth date|BirthDate|Date of Birth|date_of_birth|DOB|D.O.B.|Geburtsdatum|Geburtstag|Geb.-Datum\
             |Date de naissance|Né(e) le|Fecha de nacimiento|Data de nascimento|Data di nascita|Geboortedatum\
             |Guest Birthday",
        ),
        (
            "language",
            "Language|Preferred Language|lang|language_code|Sprache|Langue|Idioma|Língua|Lingua|Taal|Guest language",
        ),
        (
            "company",
            "Company|Company Name|companyName|Organization|Organisation|Organization 1 - Name|Employer|Firma|Firmenname\
             |Unternehmen|Société|Nom de l'entreprise|Raison sociale|Empresa|Nombre de la empresa|Razón social|Azienda\
             |Bedrijf|Bedrijfsnaam",
        ),
        (
            "street",
            "Street|Address|Address Line 1|Address1|Street Address|Home Street|Straße|Strasse|Straße und Hausnummer\
             |Str.|Anschrift|Rue|Adresse|Calle|Dirección|Rua|Endereço|Morada|Indirizzo|Straat|Adres|Mailing Street\
             |Company address|Home Address|Address 1 - Street|Customer address",
        ),
        (
            "city",
            "City|Town|Home City|Stadt|Wohnort|Ville|Ciudad|Localidad|Cidade|Città|Plaats|Address 1 - City\
             |address.city",
        ),
        (
            "region",
            "Province|State/Province|Bundesland|Kanton|Département|Provincia|Address 1 - Region|address.state",
        ),
        (
            "postal_code",
            "Zip|ZIP Code|zipcode|ZipCode|Postal Code|Postcode|post_code|PLZ|Postleitzahl|Code postal|Código postal\
             |C.P.|CEP|Codice postale|Home Postal Code|Business ZipCode",
        ),
        (
            "country",
            "Country|Country/Region|Country name|Home Country|Pays|País|Paese|Address 1 - Country",
        ),
        (
            "notes",
            "Notes|Note|Comments|Remarks|Bemerkungen|Notizen|Kommentar|Remarques|Commentaires|Notas|Observaciones\
             |Comentarios|Observações|Note|Osservazioni|Opmerkingen|Guest notes",
        ),
        (
            "tags",
            "Tags|tag|TAGS|Labels|Group Membership|Categories|Kategorien|Étiquettes|Etiquetas|Tag 2",
        ),
    ] {
        for name in names.split('|') {
            assert_eq!(alone(name), field, "{name}");
        }
    }
}

#[test]
fn what_is_not_understood_is_left_alone() {
    for name in "|Email opt-in|Email ID|Email status|EMAIL_TYPE|E-mail 1 - Label|E-mail 1 - Type|Phone consent|Phone 1 - Type\
        |Phone country code|Country code|Birth Year|Birth Month|Birth Day|Birthplace|City of birth|Last visit\
        |Name of dog|Created at|Mobile provider|Tax ID|Passport number|ID number|Booking ID|Reservation number\
        |Room number|House number|Company ID|Job Title|Organization Title|Organization 1 - Title|Contact title\
        |Middle Name|Additional Name|Second Name|Name Suffix|Suffix|Nickname|Preferred name|Maiden Name|Geburtsname\
        |Nom de naissance|Yomi Name|Given Name Yomi|Phonetic First Name|Username|User name|Nombre de usuario\
        |Fax|Fax Number|Business Fax|Pager|Telex|Assistant's Phone|Emergency contact phone|Spouse|Partner email\
        |Address 1 - Formatted|Address 1 - PO Box|Address 2|Street 2|Apellido 2|Name 2|PLZ Ort|Number of guests\
        |Guest|Contact|Contact person|Home|Number|Code|Status|State|Land|Region|Estado civil|File As|Website\
        |IP address|Job description|Department|Gender|Date|Type|Column 1|Total|Nationality|Email and phone|Briefanrede"
        .split('|')
    {
        assert_eq!(alone(name), "", "{name}");
    }
}

#[test]
fn a_bare_name_is_the_half_that_is_missing() {
    check("Nom -> last_name\nPrénom -> first_name\nNom complet -> name");
    check("Nombre -> first_name\nApellidos -> last_name");
    check("Nome -> first_name\nCognome -> last_name");
    check("Name -> last_name\nVorname -> first_name");
    check("Name -> name\nGiven Name -> first_name\nFamily Name -> last_name");
    check("Guest name -> name\nSurname -> last_name");
}

#[test]
fn several_columns_go_to_phone_email_and_tags_but_one_to_the_others() {
    check(
        "Home Phone -> phone\nMobile -> phone\nHome Fax ->\nE-mail -> email\nE-mail 2 -> email\nTag 1 -> tags\nTag 2 -> tags",
    );
    check("Notes -> notes\nComments ->");
    check("ID ->\nGuest ID -> external_id\nCustomer No ->");
    check("Anrede -> title\nTitel ->");
}

#[test]
fn an_address_comes_from_one_place() {
    check(
        "Business Street ->
         Business City ->
         Business State ->
         Business Country ->
         Home Street -> street
         Home City -> city
         Home State -> region
         Home Country -> country
         Other City ->",
    );
    check("Home City ->\nBusiness Street -> street\nBusiness City -> city");
    check("Country -> country\nHome Street -> street\nHome City -> city");
    check("Street -> street\nCity -> city\nCompany city ->\nCompany country ->");
    check(
        "Address 1 - Street -> street\nAddress 1 - City -> city\nAddress 2 - Street ->\nAddress 2 - City ->",
    );
    check("Address ->\nStreet -> street");
    check(
        "Address Line 1 -> street\nAddress Line 2 ->\nCity -> city\nState -> region\nZIP -> postal_code",
    );
    check("Straße -> street\nPLZ -> postal_code\nOrt -> city\nLand -> country");
    check("Rua -> street\nCEP -> postal_code\nCidade -> city\nEstado -> region");
}

#[test]
fn values_confirm_and_contradict_headers() {
    for (name, samples, expected) in [
        (
            "Email ID",
            &["ada@example.com", "", "bob@example.org"][..],
            "email",
        ),
        ("Email ID", &["1", "2"], ""),
        ("Email", &["yes", "no"], ""),
        ("Email", &["ada@example.com", "n/a", "x"], "email"),
        ("Email", &["", " "], "email"),
        ("Phone", &["iPhone", "Nokia"], ""),
        ("Phone", &["(0)30 1234567"], "phone"),
        ("Phone", &["555-01", "12"], "phone"),
        ("Birth", &["17.05.1990", "1990-01-02"], "birthday"),
        ("Birth Day", &["17", "2"], ""),
        ("Birthday", &["yes"], ""),
        ("Country code", &["DE", "FR"], "country"),
        ("Country code", &["+49", "+33"], ""),
        ("", &["ada@example.com"], "email"),
        ("Column 3", &["+49 30 1234567", "+1 650 253 0000"], "phone"),
        ("Column 3", &["1234567", "7654321"], ""),
        ("Column 3", &["17.05.1990"], ""),
        ("Emergency contact", &["+49 30 1234567"], ""),
        ("Fax", &["+49 30 1234567"], ""),
    ] {
        let guess = guess_column(name, samples);
        let found = guess.as_ref().map_or("", |guess| guess.field);
        assert_eq!(found, expected, "{name} {samples:?}");
    }
}

#[test]
fn a_table_is_guessed_from_headers_and_values() {
    let guesses = guess_table(
        &["Name", "Email", "Column 3"],
        &[vec!["Ada"], vec!["no"], vec!["ada@example.com"]],
    );
    let reasons: Vec<_> = guesses
        .iter()
        .map(|guess| {
            guess
                .as_ref()
                .map(|guess| (guess.field, guess.reason.as_str()))
        })
        .collect();
    assert_eq!(
        reasons,
        [
            Some(("name", "the header means `name`")),
            None,
            Some(("email", "the values look like email addresses")),
        ]
    );
    assert_eq!(
        guess_table(&["Email"], &[])[0].as_ref().unwrap().field,
        "email"
    );
}

proptest! {
    #[test]
    fn nothing_panics(names in proptest::collection::vec("\\PC{0,20}|(Home |Work )?(Name|City|Phone|State|ID)( [0-9]{0,12})?", 0..8)) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let guesses = guess_header(&names);
        prop_assert_eq!(guesses.len(), names.len());
        for field in ["name", "city", "external_id", "region"] {
            let count = guesses.iter().flatten().filter(|guess| guess.field == field).count();
            prop_assert!(count <= 1);
        }
    }
}

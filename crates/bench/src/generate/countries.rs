//! Ten countries: how people there are named, where they live, and how they write their phone numbers.
//!
//! The lists are our own; nobody in them exists.

/// A country's people and numbers.
pub(super) struct Country {
    /// ISO 3166 alpha-2.
    pub(super) code: &'static str,
    /// How files name it.
    pub(super) spellings: &'static [&'static str],
    /// The tag of its language, and how files name that.
    pub(super) language: &'static str,
    pub(super) languages: &'static [&'static str],
    pub(super) phones: Phones,
    pub(super) first_names: &'static [&'static str],
    pub(super) last_names: &'static [&'static str],
    pub(super) streets: &'static [&'static str],
    pub(super) cities: &'static [&'static str],
    pub(super) companies: &'static [&'static str],
    /// Digits of a postal code.
    pub(super) postal_digits: usize,
}

/// A country's numbers: a calling code, then one of the prefixes, then a subscriber.
pub(super) struct Phones {
    pub(super) calling: &'static str,
    /// What is dialled before a national number.
    pub(super) trunk: &'static str,
    pub(super) prefixes: &'static [&'static str],
    /// The subscribers, all of seven digits: the first, and how many there are.
    pub(super) first: u64,
    pub(super) count: u64,
}

/// Seven digits of any kind.
const ANY: (u64, u64) = (0, 10_000_000);

const fn phones(
    calling: &'static str,
    trunk: &'static str,
    prefixes: &'static [&'static str],
    (first, count): (u64, u64),
) -> Phones {
    Phones {
        calling,
        trunk,
        prefixes,
        first,
        count,
    }
}

#[rustfmt::skip] // Tables.
pub(super) static COUNTRIES: [Country; 10] = [
    Country {
        code: "DE",
        spellings: &["Germany", "DE", "Deutschland", "DEU"],
        language: "de",
        languages: &["de", "German", "Deutsch", "deu"],
        phones: phones("49", "0", &["1511", "1512", "1520", "160", "170", "171", "175", "176", "30", "40"], (1_000_000, 9_000_000)),
        first_names: &["Anna", "Jürgen", "Lena", "Matthias", "Käthe", "Björn", "Sabine", "Uwe", "Friederike", "Sönke", "Heike", "Torsten", "Änne", "Karl-Heinz", "Ilse", "Moritz", "Svenja", "Götz"],
        last_names: &["Weber", "Müller", "Schäfer", "Krüger", "Vogt", "Böhm", "Hartmann", "Jäger", "Lindemann", "Großmann", "Petersen", "Kühn", "Brandt", "Schröder", "Engelhardt", "Voß", "Meyer-Lüders", "Dörr", "Reuter", "Holzapfel", "Stahl", "Wißmann"],
        streets: &["Hauptstraße", "Bahnhofstr.", "Gartenweg", "Lindenallee", "Am Mühlbach", "Goethestraße", "Schloßplatz"],
        cities: &["Berlin", "Köln", "München", "Lübeck", "Göttingen", "Jena", "Saarbrücken", "Hamburg"],
        companies: &["Weber & Söhne GmbH", "Nordlicht Verlag", "Krüger Haustechnik KG"],
        postal_digits: 5,
    },
    Country {
        code: "FR",
        spellings: &["France", "FR", "FRA", "Frankreich"],
        language: "fr",
        languages: &["fr", "French", "Français", "fra"],
        phones: phones("33", "0", &["61", "62", "66", "67", "68"], ANY),
        first_names: &["Chloé", "Étienne", "Amélie", "François", "Noémie", "Jérôme", "Hélène", "Benoît", "Zoé", "Loïc", "Maëlle", "Jean-Luc", "Agnès", "Thibault", "Océane"],
        last_names: &["Lefèvre", "Dubois", "Garçon", "Béranger", "Moreau", "Fournier", "Chevalier", "Gauthier", "Perrault", "Rousselet", "Côté", "Delacroix", "Marchand", "D'Aubigné", "Lemaître", "Bonnet", "Vasseur", "Pélissier", "Guérin", "Charpentier"],
        streets: &["rue de la Paix", "avenue des Tilleuls", "place de l'Église", "boulevard Victor", "chemin des Prés", "impasse du Moulin"],
        cities: &["Paris", "Lyon", "Orléans", "Besançon", "Nîmes", "Saint-Étienne", "Rennes"],
        companies: &["Atelier Béranger", "Moreau et Fils", "Société du Midi"],
        postal_digits: 5,
    },
    Country {
        code: "GB",
        spellings: &["United Kingdom", "GB", "UK", "Great Britain"],
        language: "en",
        languages: &["en", "English", "eng", "en"],
        phones: phones("44", "0", &["740", "741", "742", "743", "744"], ANY),
        first_names: &["Oliver", "Charlotte", "Alasdair", "Gemma", "Rhys", "Siobhán", "Nigel", "Harriet", "Callum", "Beatrice", "Imogen", "Graham", "Fiona", "Tristan", "Poppy"],
        last_names: &["Whitfield", "O'Brien", "Ashworth", "MacLeod", "Pemberton", "Llewellyn", "Fairclough", "Sinclair", "Hargreaves", "Thistlewood", "Abernathy", "Cartwright", "Dunmore", "Featherstone", "Kirkbride", "Ormerod", "Redfern", "Stanhope", "Smythe-Jones", "Wetherby"],
        streets: &["High Street", "Station Road", "Church Lane", "Victoria Terrace", "Mill Hill", "Orchard Close"],
        cities: &["London", "York", "Bath", "Inverness", "Cardiff", "Stoke-on-Trent", "Exeter"],
        companies: &["Ashworth & Co", "Redfern Holdings Ltd", "The Mill Bakery"],
        postal_digits: 0,
    },
    Country {
        code: "US",
        spellings: &["United States", "US", "USA", "U.S.A."],
        language: "en",
        languages: &["en", "English", "eng", "EN"],
        phones: phones("1", "", &["212", "213", "312", "415", "617", "650", "702", "718", "305", "206"], (2_000_000, 8_000_000)),
        first_names: &["Madison", "Tyler", "Brittany", "Jackson", "Savannah", "Dwayne", "Kaitlyn", "Austin", "Shaniqua", "Cody", "Amber", "Trevor", "Jasmine", "Brandon", "Mackenzie", "Earl"],
        last_names: &["Hollister", "Washington", "Kowalczyk", "Ramirez", "McAllister", "Nguyen", "Beauregard", "Lockwood", "Vandenberg", "Tucker", "Goldstein", "Whitaker", "Delgado", "Patterson", "Yamamoto", "Crawford", "Singh", "Boone", "Hutchinson", "Van Buren"],
        streets: &["Main Street", "Oak Avenue", "Sunset Blvd", "Lakeview Drive", "2nd Street", "Maple Court", "Route 9"],
        cities: &["Springfield", "Austin", "Portland", "Santa Fe", "Boise", "Winston-Salem", "Chicago"],
        companies: &["Lockwood Partners LLC", "Sunset Dental", "Boone Logistics, Inc."],
        postal_digits: 5,
    },
    Country {
        code: "ES",
        spellings: &["Spain", "ES", "España", "ESP"],
        language: "es",
        languages: &["es", "Spanish", "Español", "spa"],
        phones: phones("34", "", &["60", "61", "62", "63", "64", "65", "66", "67"], ANY),
        first_names: &["Lucía", "Andrés", "Begoña", "Iñigo", "María José", "Ramón", "Inés", "Joaquín", "Nuria", "Álvaro", "Rocío", "Jesús", "Montserrat", "Óscar", "Pilar"],
        last_names: &["García", "Fernández", "Núñez", "Ibáñez", "de la Cruz", "Martínez", "Echeverría", "Muñoz", "Peñalver", "Quintana", "Ordóñez", "Castellanos", "Vázquez", "Zubizarreta", "Romero", "Carrasco", "Belmonte", "Yáñez", "Aguilar", "Sepúlveda"],
        streets: &["Calle Mayor", "Avenida de la Constitución", "Plaza España", "Calle del Río", "Paseo Marítimo", "Calle Núñez"],
        cities: &["Madrid", "Málaga", "Cádiz", "León", "A Coruña", "Logroño", "Sevilla"],
        companies: &["Hermanos Núñez S.L.", "Costa Azul", "Gestoría Ibáñez"],
        postal_digits: 5,
    },
    Country {
        code: "IT",
        spellings: &["Italy", "IT", "Italia", "ITA"],
        language: "it",
        languages: &["it", "Italian", "Italiano", "ita"],
        phones: phones("39", "", &["320", "328", "333", "338", "340", "347", "349", "392"], ANY),
        first_names: &["Giulia", "Niccolò", "Chiara", "Raffaele", "Ludovica", "Gianluca", "Fiammetta", "Ettore", "Mariangela", "Dario", "Noemi", "Cosimo", "Ornella", "Salvatore", "Beatrice"],
        last_names: &["Rossetti", "Bianchi", "Colombo", "D'Angelo", "Marchetti", "Ferrante", "Galli", "Esposito", "Lo Presti", "Bellucci", "Moretti", "Zanetti", "Cattaneo", "Fumagalli", "Pellegrini", "Sartori", "Vitale", "Nicolò", "Grimaldi", "Bevilacqua"],
        streets: &["Via Garibaldi", "Corso Italia", "Piazza del Duomo", "Via delle Rose", "Viale Trieste", "Vicolo Stretto"],
        cities: &["Roma", "Milano", "Forlì", "Bolzano", "Reggio Emilia", "Palermo", "Lucca"],
        companies: &["Fratelli Galli S.p.A.", "Studio Moretti", "Bottega Verde"],
        postal_digits: 5,
    },
    Country {
        code: "NL",
        spellings: &["Netherlands", "NL", "Nederland", "Holland"],
        language: "nl",
        languages: &["nl", "Dutch", "Nederlands", "nld"],
        phones: phones("31", "0", &["61", "62", "63", "64", "65"], ANY),
        first_names: &["Sanne", "Joost", "Maaike", "Daniël", "Lotte", "Thijs", "Anouk", "Pieter", "Femke", "Ruben", "Zoë", "Geert", "Willemijn", "Sjoerd", "Hanneke"],
        last_names: &["de Vries", "van den Berg", "Jansen", "Bakker", "van Dijk", "Visser", "'t Hooft", "Mulder", "Dekker", "van der Meer", "Kuiper", "Schouten", "Hoekstra", "Zijlstra", "Postma", "ter Horst", "Veenstra", "Brouwer", "Boogaard", "IJsselstein"],
        streets: &["Dorpsstraat", "Kerkweg", "Prinsengracht", "Molenlaan", "Stationsplein", "Havenkade"],
        cities: &["Amsterdam", "Utrecht", "'s-Hertogenbosch", "Leeuwarden", "Den Haag", "Maastricht"],
        companies: &["Bakker Bouw B.V.", "De Molen", "Visser Advies"],
        postal_digits: 4,
    },
    Country {
        code: "AT",
        spellings: &["Austria", "AT", "Österreich", "AUT"],
        language: "de",
        languages: &["de", "German", "de", "Deutsch"],
        phones: phones("43", "0", &["650", "660", "664", "676", "699"], ANY),
        first_names: &["Franz", "Leopoldine", "Xaver", "Resi", "Johann", "Elfriede", "Sepp", "Valentina", "Florian", "Gerlinde", "Lukas", "Marlies", "Alois", "Roswitha"],
        last_names: &["Gruber", "Steiner", "Hofstätter", "Moosbrugger", "Pichler", "Eder", "Wallner", "Köberl", "Schwaiger", "Zöchling", "Haselsteiner", "Brunnhölzl", "Lechner", "Aigner", "Oberhuber", "Windisch", "Prohaska", "Nemeth", "Fürst", "Löffler"],
        streets: &["Ringstraße", "Dorfplatz", "Mariahilfer Gasse", "Seeweg", "Alte Poststraße"],
        cities: &["Wien", "Graz", "St. Pölten", "Innsbruck", "Klagenfurt", "Mörbisch"],
        companies: &["Hotel Edelweiß", "Gruber Holz GmbH", "Pichler Reisen"],
        postal_digits: 4,
    },
    Country {
        code: "CH",
        spellings: &["Switzerland", "CH", "Schweiz", "Suisse"],
        language: "de-CH",
        languages: &["de-CH", "de_CH"],
        phones: phones("41", "0", &["75", "76", "77", "78", "79"], ANY),
        first_names: &["Urs", "Seraina", "Beat", "Ladina", "Reto", "Corinne", "Jürg", "Flurina", "Gian", "Sandrine", "Röbi", "Yvonne", "Curdin", "Vreni"],
        last_names: &["Zürcher", "Ammann", "Bächtold", "Caduff", "Favre", "Gerber", "Hürlimann", "Imhof", "Jeanneret", "Keller-Frei", "Lüthi", "Muheim", "Nägeli", "Odermatt", "Rüegg", "Schnyder", "Tschudi", "von Arx", "Wüthrich", "Zumthor"],
        streets: &["Bahnhofstrasse", "Seestrasse", "Rue du Lac", "Dorfgasse", "Bergweg"],
        cities: &["Zürich", "Genève", "Chur", "Neuchâtel", "Luzern", "Bülach"],
        companies: &["Zürcher Treuhand AG", "Lac Léman Sàrl", "Imhof Optik"],
        postal_digits: 4,
    },
    Country {
        code: "PL",
        spellings: &["Poland", "PL", "Polska", "POL"],
        language: "pl",
        languages: &["pl", "Polish", "pol", "Polnisch"],
        phones: phones("48", "", &["50", "51", "53", "60", "66", "69", "72", "78"], ANY),
        first_names: &["Agnieszka", "Łukasz", "Małgorzata", "Paweł", "Żaneta", "Michał", "Bożena", "Stanisław", "Grażyna", "Wojciech", "Zofia", "Jędrzej", "Katarzyna", "Zdzisław"],
        last_names: &["Nowak", "Wiśniewska", "Wójcik", "Kamiński", "Zieliński", "Szymańska", "Dąbrowski", "Kozłowska", "Jabłoński", "Król", "Wróbel", "Pawłowska", "Głowacki", "Sikorska", "Baran", "Żukowski", "Ćwiklińska", "Błaszczyk", "Śliwa", "Maciejewska"],
        streets: &["ul. Długa", "ul. Polna", "Aleje Jerozolimskie", "ul. Słoneczna", "Plac Wolności"],
        cities: &["Warszawa", "Kraków", "Łódź", "Gdańsk", "Poznań", "Białystok"],
        companies: &["Nowak i Wspólnicy", "Biuro Podróży Żagiel", "Król Transport"],
        postal_digits: 5,
    },
];

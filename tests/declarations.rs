//! The texts in 64 languages.

use crate::display::printed;
use crate::support::root;
use lab::data::{Corpus, Examples, declarations};
use std::fs;
use std::path::Path;

const FILE: &str = "declarations.tsv";

fn declarations_here() -> Corpus {
    declarations().expect("tests run in the root of the repository")
}

#[test]
fn each_language_has_texts_to_train_on_and_others_to_test_on() {
    let Corpus { name, train, test } = declarations_here();
    assert_eq!(
        (name.as_str(), train.name(), test.name()),
        ("declarations", "declarations, training", "declarations, test")
    );
    assert_eq!((train.len(), test.count()), (3213, 576));
    assert_eq!((train.class_names().len(), train.class_names()), (64, test.class_names()));
    for (language, class) in test.class_names().iter().zip(0..) {
        let [learned, tested] =
            [&train, &test].map(|part| part.classes().iter().filter(|&&other| other == class).count());
        assert!(learned > 40 && tested == 9, "{language}: {learned} and {tested}");
    }
    let of = |text: &str| {
        let find = |part: &lab::data::Texts| {
            part.named().find(|(other, _)| *other == text).map(|(_, language)| language.to_owned())
        };
        [find(&train), find(&test)]
    };
    assert_eq!(
        of("Everyone has the right to life, liberty and the security of person."),
        [Some("English".into()), None]
    );
    let torture =
        "No one shall be subjected to torture or to cruel, inhuman or degrading treatment or punishment.";
    assert_eq!(of(torture), [None, Some("English".into())]);
    assert_eq!(of("Jeder hat das Recht auf eine Staatsangehörigkeit."), [None, Some("German".into())]);
}

#[test]
fn texts_are_taken_and_split_like_slices() {
    let train = declarations_here().train;
    let (first, rest) = train.split_at(3000);
    assert_eq!((first.len(), rest.len()), (3000, 213));
    assert_eq!((&rest.texts()[0], rest.classes()[0]), (&train.texts()[3000], train.classes()[3000]));
    let (one, none) = rest.take(1).split_at(7);
    assert_eq!((one.texts(), none.is_empty(), none.texts()), (&train.texts()[3000..3001], true, &[][..]));
    assert_eq!(format!("{one:?}"), "declarations, training: 1 texts in 64 classes");
}

#[test]
fn declarations_are_found_beside_the_course_and_damage_is_named() {
    // Another one in each process, as the one that prints begins this test anew.
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let path = home.join("assets/declarations").join(FILE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs::read(root().join("assets/declarations").join(FILE)).unwrap();
    fs::write(&path, &file).unwrap();
    let test = "declarations::declarations_are_found_beside_the_course_and_damage_is_named";
    let seen = |place: &Path| {
        printed(test, &[("DECLARATIONS_DIR", ""), ("PLACE", place.to_str().unwrap())], || {
            std::env::set_current_dir(std::env::var_os("PLACE").unwrap()).unwrap();
            println!("{}", declarations().map_or_else(|error| error.to_string(), |found| found.name));
        })
    };
    assert_eq!(seen(home), "declarations\n");
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(
        seen(elsewhere.path()),
        "no declarations here: they are in the folder assets/declarations of the course; DECLARATIONS_DIR can name it\n"
    );
    let mut damaged = file.clone();
    damaged[file.len() / 2] ^= 1;
    for (bytes, fault) in [
        (&file[..1000], "truncated: 1000 bytes where 952834 were expected"),
        (&damaged[..], "wrong SHA-256 "),
        (&[&file[..], b"\n"].concat(), "too long: more than the expected 952834 bytes"),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = seen(home);
        let expected = format!("{}: {fault}", path.display());
        assert!(error.starts_with(&expected) && error.lines().count() == 1, "{error}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(seen(home), format!("{}: not found\n", path.display()));
}

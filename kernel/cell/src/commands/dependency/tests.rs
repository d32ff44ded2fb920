//! Tests of the argument of `:dep`.

use super::*;

fn dependency(argument: &str) -> Dependency {
    Dependency::parse(argument).unwrap_or_else(|fault| panic!("{argument}: {fault}"))
}

#[test]
fn every_way_to_write_a_dependency_is_read() {
    for (argument, line) in [
        ("rand", "rand = { version = \"*\" }"),
        ("\"rand\"", "rand = { version = \"*\" }"),
        ("rand = \"0.9\"", "rand = { version = \"0.9\" }"),
        ("rand='^0.9, <0.9.3'", "rand = { version = \"^0.9, <0.9.3\" }"),
        ("rand.version = \"0.9\"", "rand = { version = \"0.9\" }"),
        ("lab={path=\"lab\"}", "lab = { path = \"lab\" }"),
        ("lab = { path = 'lab' }", "lab = { path = \"lab\" }"),
        ("lab = { \"path\" = \"\"\"lab\"\"\", }", "lab = { path = \"lab\" }"),
        ("my-lab = { path = \"../a b\" }", "my-lab = { path = \"../a b\" }"),
        ("\"größe\" = { path = \"x\" }", "\"größe\" = { path = \"x\" }"),
        ("./lab", "./lab"),
        ("..", ".."),
        ("/opt/my lab", "/opt/my lab"),
        ("path/to/crate", "path/to/crate"),
    ] {
        assert_eq!(dependency(argument).to_string(), line, "{argument}");
        assert_eq!(dependency(&dependency(argument).to_string()), dependency(argument), "{argument}");
    }
}

#[test]
fn a_folder_has_its_name_in_its_manifest() {
    let local = dependency("./lab");
    assert_eq!((local.name.as_deref(), local.path(), local.version()), (None, Some("./lab"), None));
}

#[test]
fn values_are_those_of_their_keys_and_not_of_words_in_strings() {
    let lab = dependency("lab = { path = \"my features/lab\", features = [\"burn\"] }");
    assert_eq!((lab.path(), lab.features()), (Some("my features/lab"), vec!["burn"]));
    let lab = dependency("lab = { features = ['path = \"b\"', \"a, b\"], path = 'features = [\"x\"]' }");
    assert_eq!(lab.path(), Some("features = [\"x\"]"));
    assert_eq!(lab.features(), ["path = \"b\"", "a, b"]);
    let renamed = dependency("lab = { package = \"rand\", version = \"1\", default-features = false }");
    assert_eq!((renamed.package(), renamed.version()), (Some("rand"), Some("1")));
    assert!(!renamed.default_features() && dependency("rand").default_features());
    assert_eq!(dependency("rand").package(), Some("rand"));
}

#[test]
fn spellings_that_cargo_accepted_once_become_those_of_today() {
    let plotters = "plotters = { version = \"^0.3.0\", default_features = false, \
                    features = [\"evcxr\", \"all_series\"] }";
    let plotters = dependency(plotters);
    assert!(!plotters.default_features());
    assert_eq!(
        plotters.to_string(),
        "plotters = { default-features = false, features = [\"evcxr\", \"all_series\"], version = \"^0.3.0\" }"
    );
    let both = dependency("a = { version = \"1\", default_features = false, default-features = true }");
    assert!(both.default_features() && both.config.get("default_features").is_none());
}

#[test]
fn keys_that_cargo_ignores_are_named() {
    assert_eq!(dependency("a = { version = \"1\", feature = [\"x\"] }").unused, ["feature"]);
    assert_eq!(dependency("a = { version = \"1\", default_features = false }").unused, [""; 0]);
}

#[test]
fn comments_end_an_argument_unless_they_are_in_a_string() {
    for (argument, without) in [
        ("rand // 1", "rand "),
        ("rand// 1", "rand"),
        ("rand # 1", "rand "),
        ("rand = \"1\" // = {", "rand = \"1\" "),
        ("rand = \"1\"# \"", "rand = \"1\""),
        ("a = { git = \"https://b/c#d\" } # e", "a = { git = \"https://b/c#d\" } "),
        ("a = { path = 'C:\\' } // '", "a = { path = 'C:\\' } "),
        ("a = { path = \"\\\" // \" }", "a = { path = \"\\\" // \" }"),
        ("./lab // here", "./lab "),
        ("./lab#1", "./lab#1"),
        ("// rand", ""),
        ("# rand", ""),
    ] {
        assert_eq!(without_comment(argument), without, "{argument}");
    }
}

#[test]
fn what_is_wrong_is_said_in_one_line_with_its_place() {
    for (argument, place, message) in [
        ("", "", "`:dep` needs a crate, for example `:dep regex = \"1\"`"),
        ("rand = 0.9", "0.9", "the version needs quotes: `rand = \"0.9\"`"),
        ("rand = ^0.9.3", "^0.9.3", "the version needs quotes: `rand = \"^0.9.3\"`"),
        ("rand =", "=", "expected a version in quotes or a table after `=`"),
        ("rand = true", "true", "expected a version in quotes or a table after `rand =`, found a boolean"),
        ("rand@0.9", "rand@0.9", "write the version as `:dep rand = \"0.9\"`"),
        ("https://a/b # c", "https://a/b", "write a repository as `:dep name = { git = \"https://a/b\" }`"),
        (
            "a = { version = \"1\", features = [1] }",
            "[1]",
            "`features` must be an array of strings, such as [\"derive\"], not an array of other values",
        ),
        ("rand serde", "serde", "unexpected `serde` after `rand`; each dependency needs its own `:dep` line"),
        ("rand = { version = \"1\"", "{", "`{` is not closed; a command must fit on one line"),
        ("rand = \"1", "\"", "`\"` is not closed; a command must fit on one line"),
        (
            "rand = \"latest\"",
            "\"latest\"",
            "`latest` is not a version requirement: unexpected character 'l' while parsing major version number",
        ),
        ("a = { version = 1 }", "1", "`version` must be a string, not a number"),
        (
            "a = { version = \"1\", features = \"x\" }",
            "\"x\"",
            "`features` must be an array of strings, such as [\"derive\"], not a string",
        ),
        (
            "a = { version = \"1\", default_features = \"no\" }",
            "\"no\"",
            "`default_features` must be `true` or `false`, not a string",
        ),
        ("a = { features = [] }", "{ features = [] }", "`a` needs one of `version`, `path` and `git`"),
        (
            "a = { workspace = true }",
            "true",
            "`workspace` has no meaning here: a notebook is not part of a workspace",
        ),
        (
            "1st = \"1\"",
            "1st",
            "`1st` is not a valid crate name: names start with a letter or `_` and contain only letters, digits, `-` and `_`",
        ),
        (
            "a!",
            "a!",
            "`a!` is not a valid crate name: names start with a letter or `_` and contain only letters, digits, `-` and `_`",
        ),
        (
            "./a = \"1\"",
            "= \"1\"",
            "nothing may follow a folder; to set more, write `name = { path = \"…\", … }`",
        ),
        ("a = { version \"1\" }", "", "missing assignment between key-value pairs, expected `=`"),
        ("a = { version = \"1\", version = \"2\" }", "version", "duplicate key"),
        (
            "a = \"1\" b = \"2\"",
            "b = \"2\"",
            "unexpected `b = \"2\"`; each dependency needs its own `:dep` line",
        ),
    ] {
        let fault = Dependency::parse(argument).expect_err(argument);
        assert_eq!((&argument[fault.range.clone()], &*fault.message), (place, message), "{argument}");
        assert!(!fault.message.contains('\n'), "{argument}");
    }
}

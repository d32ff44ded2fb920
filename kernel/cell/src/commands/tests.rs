//! Tests of the commands at the start of a cell.

use super::*;

/// The commands of a cell as evcxr reads them, and its code.
fn read(cell: &str) -> (Vec<String>, &str) {
    let Commands { commands, code_start } = commands(cell);
    for command in &commands {
        let range = command.range.clone();
        assert!(cell[range].starts_with(command.name) && cell[command.argument_range()] == *command.argument);
    }
    (commands.iter().map(Command::to_string).collect(), &cell[code_start..])
}

#[test]
fn commands_are_found_where_evcxr_finds_them() {
    for (cell, commands, code) in [
        ("", &[][..], ""),
        (":vars", &[":vars"], ""),
        (":vars\n", &[":vars"], ""),
        ("  :vars  \nx", &[":vars"], "x"),
        (":dep a\n\n// note\n:dep b\nlet x = 1;\n:dep c", &[":dep a", ":dep b"], "let x = 1;\n:dep c"),
        (":dep a\r\n\r\n:dep b = \"1\"\r\nx\r\n", &[":dep a", ":dep b = \"1\""], "x\r\n"),
        (":env A=a//b # c", &[":env A=a//b # c"], ""),
        (":fmt {:#?}", &[":fmt {:#?}"], ""),
        (":no such", &[":no such"], ""),
        (":", &[":"], ""),
        ("::std::process::abort()", &["::std::process::abort()"], ""),
        ("!ls -l\n!!  curl http://a // b\nx", &["!ls -l", "!curl http://a // b"], "x"),
        ("!", &["!"], ""),
        (" !done", &[], " !done"),
        ("// a\n!ls", &["!ls"], ""),
        ("/// Doc\n:dep a\nx", &[":dep a"], "x"),
        ("//! Doc\n:dep a\nx", &[":dep a"], "x"),
        ("x\n:vars", &[], "x\n:vars"),
        ("x // :vars", &[], "x // :vars"),
        ("\"\n:vars\"", &[], "\"\n:vars\""),
    ] {
        assert_eq!(read(cell), (commands.iter().map(|&text| text.into()).collect(), code), "{cell:?}");
    }
}

/// The starts of the lines that evcxr 0.22 takes for commands: its `CodeBlock::from_original_user_code` in short.
fn evcxrs_commands(cell: &str) -> Vec<usize> {
    let mut places = Vec::new();
    for line in cell.lines() {
        if line.starts_with('!') || line.trim_start_matches(' ').starts_with(':') {
            places.push(line.as_ptr().addr() - cell.as_ptr().addr());
        } else if !line.starts_with("//") && !line.trim().is_empty() {
            break;
        }
    }
    places
}

#[test]
fn every_command_of_evcxr_is_one_here_whatever_the_lines_around_it() {
    let lines = [
        ":a b",
        "  :a ",
        "\t:a",
        "::p()",
        "!ls",
        " !ls",
        "// c",
        " // c",
        "/// d",
        "//! d",
        "/* c */",
        "/* c */ :a",
        "/*",
        "*/",
        "",
        " \t",
        "x",
    ];
    let count = lines.len();
    for number in 0..2 * count.pow(3) {
        let line = |place: u32| lines[number / 2 / count.pow(place) % count];
        let cell = [line(0), line(1), line(2), ":z"].join(["\n", "\r\n"][number % 2]);
        let starts = commands(&cell).commands.into_iter().map(|command| command.range.start);
        let of_line = |start| cell[..start].rfind('\n').map_or(0, |end: usize| end + 1);
        let places: Vec<usize> = starts.map(of_line).collect();
        assert!(places.starts_with(&evcxrs_commands(&cell)), "{cell:?}: {places:?}");
    }
}

#[test]
fn any_comment_and_any_space_may_stand_before_a_command() {
    for cell in [
        "  // note\n:dep a\nx",
        "\t// note\n:dep a\nx",
        "/* note */\n:dep a\nx",
        "/* note */ :dep a\nx",
        "/* more\n   lines\n */\n:dep a\nx",
        "/* more\r\n   lines\r\n */\r\n:dep a\r\nx",
        "/* a /* nested\n*/ :dep b\n*/\n:dep a\nx",
        "/**/ /***/ // */\n:dep a\nx",
        "/** Doc */\n:dep a\nx",
        "\t:dep a\nx",
        " \t :dep\ta\t\nx",
        "\u{a0}\n:dep a\nx",
    ] {
        assert_eq!(read(cell), (vec![":dep a".into()], "x"), "{cell:?}");
    }
}

#[test]
fn where_evcxr_reads_rust_only_what_cannot_be_rust_is_a_command() {
    for (cell, code) in [
        (" // note\n!done", "!done"),
        ("/* note */\n!done", "!done"),
        ("/* note */ ::std::process::abort()", " ::std::process::abort()"),
        ("\t::std::process::abort()", "\t::std::process::abort()"),
        ("/* without an end\n:dep a", "/* without an end\n:dep a"),
    ] {
        assert_eq!(read(cell), (vec![], code), "{cell:?}");
    }
    // After a command there is no Rust that evcxr could be reading.
    let cell = "/* note */\n:dep a\n!ls\nx";
    assert_eq!(read(cell), (vec![":dep a".into(), "!ls".into()], "x"));
}

#[test]
fn a_comment_may_follow_a_command_whose_argument_cannot_hold_it() {
    for (cell, command) in [
        (":dep a // note", ":dep a"),
        (":dep a = \"1\" # note", ":dep a = \"1\""),
        (":dep ./a // note", ":dep ./a"),
        (":opt 3 // note", ":opt 3"),
        (":efmt {:#?} // note", ":efmt {:#?}"),
        (":vars // note", ":vars"),
        (":type x # note", ":type x"),
        (":toolchain a // b", ":toolchain a // b"),
    ] {
        assert_eq!(read(cell), (vec![command.into()], ""), "{cell:?}");
    }
}

#[test]
fn documentation_and_attributes_before_code_belong_to_it() {
    for cell in [
        "/// Doc\nfn f() {}",
        "    /// Doc\n// note\n\nfn f() {}",
        "//! Doc\nfn f() {}",
        "/** Doc */ fn f() {}",
        "/*! Doc\n */\nfn f() {}",
        "#![allow(unused)]\nfn f() {}",
        "#[derive(Debug)]\nstruct A;",
    ] {
        assert_eq!(read(cell), (vec![], cell), "{cell:?}");
    }
    for (cell, code) in [
        ("// note\n/// Doc\nx", "/// Doc\nx"),
        ("/// one\n:vars\n/// two\nx", "/// two\nx"),
        ("//// line\n/*** stars */\n/**/ x", " x"),
        ("/// of nothing\n", ""),
    ] {
        assert_eq!(read(cell).1, code, "{cell:?}");
    }
}

#[test]
fn what_is_wrong_with_a_command_is_said_with_its_place_in_the_cell() {
    for (cell, place, message) in [
        (
            "// ü\n:vras x",
            ":vras",
            "unknown command `:vras`; did you mean `:vars`? `:help` lists all commands",
        ),
        (
            ":deps a",
            ":deps",
            "unknown command `:deps`; did you mean `:dep <name> [= version or table]`? `:help` lists all commands",
        ),
        ("::f()", "::f()", "unknown command `::f()`; if this is Rust code, write `;` on the line before it"),
        (":opt 7", "7", "expected `:opt [0|1|2|3|s|z]`, found `7`"),
        (":offline yes", "yes", "expected `:offline [0|1]`, found `yes`"),
        (":cache 1GB", "1GB", "expected `:cache [number]`, found `1GB`"),
        (":type // x", ":type", "expected `:type <variable>`"),
        (" :dep // x", ":dep", "`:dep` needs a crate, for example `:dep regex = \"1\"`"),
        (":env A", "A", "expected `:env <key>=<value>`, found `A`"),
        ("\t:dep a = 1 // ü", "1", "the version needs quotes: `a = \"1\"`"),
    ] {
        let read = commands(cell);
        let fault = read.commands[0].fault().expect(cell);
        assert_eq!((&cell[fault.range.clone()], &*fault.message), (place, message), "{cell:?}");
    }
    for cell in [":vars", ":opt", ":opt s", ":cache 500", ":efmt {:#?}", ":dep a", "!no such", ":t x"] {
        assert_eq!(commands(cell).commands[0].fault(), None, "{cell}");
    }
}

#[test]
fn only_dep_adds_a_dependency() {
    let read = commands(":vars\n:dep lab = { path = 'lab' } // note");
    assert_eq!(read.commands[0].dependency(), None);
    assert_eq!(read.commands[1].dependency().unwrap().unwrap().path(), Some("lab"));
}

#[test]
fn whatever_follows_dep_its_fault_is_one_line_about_a_part_of_the_cell() {
    let parts = ["ü", "a", " ", "=", "\"", "'", "{", "}", "[", "]", "1", ",", "\\", "/", "#", ".", "@", "\r"];
    for number in 0..parts.len().pow(4) {
        let part = |place: u32| parts[number / parts.len().pow(place) % parts.len()];
        let cell = format!("// ü\n:dep {}{}{}{}", part(3), part(2), part(1), part(0));
        let command = commands(&cell).commands.pop().expect(&cell);
        match command.dependency().unwrap() {
            Ok(dependency) => {
                assert!(dependency.name.is_some() || dependency.path().is_some(), "{cell:?}")
            }
            Err(fault) => {
                assert!(cell.get(fault.range.clone()).is_some(), "{cell:?}: {fault:?}");
                assert!(fault.range.start >= command.range.start, "{cell:?}: {fault:?}");
                assert!(!fault.message.is_empty() && !fault.message.contains('\n'), "{cell:?}: {fault:?}");
            }
        }
    }
}

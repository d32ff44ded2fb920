//! Tables as text.

use lab::table::{text, thousands};

#[test]
fn a_table_has_lines_around_its_cells() {
    let rows = [["conv2d".into(), "320".into()], ["größe".into(), "1".into()]];
    let expected = "\
┏━━━━━━━━┳━━━━━━━━━┓
┃ Layer  ┃ Param # ┃
┡━━━━━━━━╇━━━━━━━━━┩
│ conv2d │     320 │
├────────┼─────────┤
│ größe  │       1 │
└────────┴─────────┘
";
    assert_eq!(text(["Layer", "Param #"], rows), expected);
}

#[test]
fn thousands_are_set_apart() {
    assert_eq!(
        [0, 999, 1000, 34_826, 1_234_567].map(thousands),
        ["0", "999", "1,000", "34,826", "1,234,567"]
    );
}

"""Types into `jupyter console`, in a terminal, and looks at what it prints."""

import sys
from pathlib import Path

import pexpect

console = pexpect.spawn(
    str(Path(sys.executable).with_name("jupyter")),
    ["console", "--kernel=taper"],
    encoding="utf8",
    timeout=300,
    dimensions=(40, 100),
)
# Colours and the cursor's movements are between what one sees as one text.
COLOUR = r"(?:\x1b\[[0-9;?]*[a-zA-Z])*"


def prompt(kind, number):
    return rf"{kind}\s?\[{COLOUR}{number}{COLOUR}\]: "


console.expect_exact("taper 0.1.0: Rust 1.")
console.expect(prompt("In", 1))
console.send("1 + 41\r")
console.expect(prompt("Out", 1) + rf"{COLOUR}42")
console.expect(prompt("In", 2))
# What is not complete goes on in the next line, indented.
console.send("fn double(x: u8) -> u8 {\r")
console.expect(r"\.\.\.: ")
console.send("x * 2\r}\r")
console.expect(prompt("In", 3))
console.send('println!("{}", double(4)); panic!("on purpose")\r')
console.expect_exact("8\r\n")
console.expect(rf"panic{COLOUR}: on purpose")
console.expect(prompt("In", 4))
console.sendcontrol("d")
console.expect("Do you really want to exit")
console.send("y\r")
console.expect(pexpect.EOF)

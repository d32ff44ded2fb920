//! Pickles: programs for a small machine that puts the objects of Python together. Here the machine only notes what they say.

use candle_core::{Result, bail};
use std::collections::HashMap;
use std::io::{BufRead, Read};

/// The place of an object among those of a [`Pickle`].
pub type At = usize;

pub enum Object {
    /// A class or a function, by its module and its name.
    Global(String),
    /// Also `True` and `False`.
    Integer(i64),
    Text(String),
    /// A tuple, a list, or a set.
    Sequence(Vec<At>),
    Dictionary(Vec<(At, At)>),
    /// A class or a function, and the arguments that Python would call it with.
    Call(At, At),
    /// What the file keeps outside of the pickle, under this name.
    Kept(At),
    /// `None`, a number with a fraction, bytes, ….
    Other,
}

/// The objects refer to each other by their places, so that one may be in several others, or in itself.
pub struct Pickle {
    pub objects: Vec<Object>,
    pub root: At,
}

impl Pickle {
    /// Reads one, and nothing that comes after it.
    pub fn read(reader: &mut impl BufRead) -> Result<Self> {
        let mut machine =
            Machine { reader, objects: vec![], stack: vec![], marks: vec![], memo: HashMap::new() };
        loop {
            let [code] = machine.bytes()?;
            if code == b'.' {
                let root = machine.pop()?;
                return Ok(Self { objects: machine.objects, root });
            }
            machine.step(code)?;
        }
    }

    pub fn sequence(&self, at: At) -> Option<&[At]> {
        match &self.objects[at] {
            Object::Sequence(places) => Some(places),
            _ => None,
        }
    }

    pub fn text(&self, at: At) -> Option<&str> {
        match &self.objects[at] {
            Object::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn global(&self, at: At) -> Option<&str> {
        match &self.objects[at] {
            Object::Global(name) => Some(name),
            _ => None,
        }
    }

    /// An integer that is not negative.
    pub fn size(&self, at: At) -> Option<usize> {
        match &self.objects[at] {
            Object::Integer(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }
}

struct Machine<'a, R> {
    reader: &'a mut R,
    objects: Vec<Object>,
    stack: Vec<At>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<usize, At>,
}

impl<R: BufRead> Machine<'_, R> {
    /// An instruction, as the module `pickletools` of Python describes it.
    fn step(&mut self, code: u8) -> Result<()> {
        match code {
            // PROTO and FRAME
            0x80 => drop(self.bytes::<1>()?),
            0x95 => drop(self.bytes::<8>()?),
            // MARK, POP, DUP
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'2' => self.stack.push(self.top()?),
            // NONE, NEWTRUE, NEWFALSE, BINFLOAT
            b'N' => self.push(Object::Other),
            0x88 => self.push(Object::Integer(1)),
            0x89 => self.push(Object::Integer(0)),
            b'G' => {
                self.bytes::<8>()?;
                self.push(Object::Other);
            }
            // BININT1, BININT2, BININT, LONG1
            b'K' | b'M' => {
                let number = self.number(if code == b'K' { 1 } else { 2 })?;
                self.push(Object::Integer(number as i64));
            }
            b'J' => {
                let number = i32::from_le_bytes(self.bytes()?);
                self.push(Object::Integer(number.into()));
            }
            0x8a => {
                let len = self.number(1)?;
                let digits = self.many(len)?;
                self.push(long(&digits));
            }
            // SHORT_BINUNICODE, SHORT_BINSTRING, BINUNICODE, BINSTRING, BINUNICODE8
            0x8c | b'U' | b'X' | b'T' | 0x8d => {
                let len = self.number(match code {
                    0x8c | b'U' => 1,
                    0x8d => 8,
                    _ => 4,
                })?;
                let text = String::from_utf8_lossy(&self.many(len)?).into_owned();
                self.push(Object::Text(text));
            }
            // SHORT_BINBYTES, BINBYTES, BINBYTES8
            b'C' | b'B' | 0x8e => {
                let len = self.number(match code {
                    b'C' => 1,
                    b'B' => 4,
                    _ => 8,
                })?;
                self.many(len)?;
                self.push(Object::Other);
            }
            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let name = format!("{}.{}", self.line()?, self.line()?);
                self.push(Object::Global(name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.objects[module], &self.objects[name]) {
                    (Object::Text(module), Object::Text(name)) => {
                        self.push(Object::Global(format!("{module}.{name}")));
                    }
                    _ => bail!("a name in its pickle is no text"),
                }
            }
            // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
            b'q' | b'r' | 0x94 => {
                let at = match code {
                    0x94 => self.memo.len(),
                    _ => self.number(if code == b'q' { 1 } else { 4 })?,
                };
                self.memo.insert(at, self.top()?);
            }
            b'h' | b'j' => {
                let at = self.number(if code == b'h' { 1 } else { 4 })?;
                match self.memo.get(&at) {
                    Some(&object) => self.stack.push(object),
                    None => bail!("its pickle uses an object that it has not kept"),
                }
            }
            // EMPTY_TUPLE, EMPTY_LIST, EMPTY_SET; TUPLE, LIST, FROZENSET; TUPLE1, TUPLE2, TUPLE3
            b')' | b']' | 0x8f => self.push(Object::Sequence(vec![])),
            b't' | b'l' | 0x91 => {
                let places = self.since_mark()?;
                self.push(Object::Sequence(places));
            }
            0x85..=0x87 => {
                let len = usize::from(code - 0x84);
                let Some(start) = self.stack.len().checked_sub(len) else { return empty() };
                let places = self.stack.split_off(start);
                self.push(Object::Sequence(places));
            }
            // APPEND; APPENDS, ADDITEMS
            b'a' => {
                let places = vec![self.pop()?];
                self.extend(places)?;
            }
            b'e' | 0x90 => {
                let places = self.since_mark()?;
                self.extend(places)?;
            }
            // EMPTY_DICT, DICT; SETITEM, SETITEMS
            b'}' => self.push(Object::Dictionary(vec![])),
            b'd' => {
                let places = self.since_mark()?;
                self.push(Object::Dictionary(vec![]));
                self.set(&places)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let places = self.since_mark()?;
                self.set(&places)?;
            }
            // REDUCE, NEWOBJ
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let is_dictionary = matches!(&self.objects[callable], Object::Global(name)
                    if ["collections.OrderedDict", "collections.defaultdict"].contains(&name.as_str()));
                self.push(match is_dictionary {
                    true => Object::Dictionary(vec![]),
                    false => Object::Call(callable, arguments),
                });
            }
            // BUILD sets attributes, which no tensor needs.
            b'b' => drop(self.pop()?),
            // BINPERSID
            b'Q' => {
                let name = self.pop()?;
                self.push(Object::Kept(name));
            }
            _ => bail!("its pickle has an instruction that files of tensors do not have, {code:#04x}"),
        }
        Ok(())
    }

    fn push(&mut self, object: Object) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn top(&self) -> Result<At> {
        self.stack.last().map_or_else(empty, |at| Ok(*at))
    }

    fn pop(&mut self) -> Result<At> {
        self.stack.pop().map_or_else(empty, Ok)
    }

    fn since_mark(&mut self) -> Result<Vec<At>> {
        match self.marks.pop().filter(|mark| *mark <= self.stack.len()) {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => empty(),
        }
    }

    /// Appends to the sequence on top.
    fn extend(&mut self, mut new: Vec<At>) -> Result<()> {
        let top = self.top()?;
        if let Object::Sequence(places) = &mut self.objects[top] {
            places.append(&mut new);
        }
        Ok(())
    }

    /// Sets keys of the dictionary on top to the values that follow them.
    fn set(&mut self, keys_and_values: &[At]) -> Result<()> {
        let top = self.top()?;
        if let Object::Dictionary(pairs) = &mut self.objects[top] {
            pairs.extend(keys_and_values.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        }
        Ok(())
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        match self.reader.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(_) => cut_off(),
        }
    }

    /// A number of so many bytes, of at most 8.
    fn number(&mut self, len: usize) -> Result<usize> {
        let mut bytes = [0; 8];
        match self.reader.read_exact(&mut bytes[..len]) {
            Ok(()) => Ok(u64::from_le_bytes(bytes) as usize),
            Err(_) => cut_off(),
        }
    }

    fn many(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.reader.take(len as u64).read_to_end(&mut bytes) {
            Ok(read) if read == len => Ok(bytes),
            _ => cut_off(),
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        match line.pop() {
            Some(b'\n') => Ok(String::from_utf8_lossy(&line).into_owned()),
            _ => cut_off(),
        }
    }
}

/// An integer by its digits of 8 bits, the lowest first, in two's complement.
fn long(digits: &[u8]) -> Object {
    let Some(&highest) = digits.last() else { return Object::Integer(0) };
    if digits.len() > 8 {
        return Object::Other;
    }
    let mut bytes = if highest < 0x80 { [0; 8] } else { [0xff; 8] };
    bytes[..digits.len()].copy_from_slice(digits);
    Object::Integer(i64::from_le_bytes(bytes))
}

fn cut_off<T>() -> Result<T> {
    bail!("its pickle is cut off")
}

fn empty<T>() -> Result<T> {
    bail!("its pickle takes more from its stack than there is")
}

//! The stack machine that a pickle drives.

use std::io::{self, BufRead, Read};

use super::super::error::WeightsErrorKind;
use super::danger::{is_getattr, runs_code};
use super::heap::{Heap, Id, Node, malformed};
use super::rebuild;

/// Longest string that is kept: names are short.
const LONGEST_TEXT: u64 = 1 << 20;

/// The opcode that names the protocol.
const PROTO: u8 = 0x80;

/// Reads one pickle, leaving `input` just behind it.
pub(in crate::weights) fn load(
    input: &mut dyn BufRead,
    heap: &mut Heap,
) -> Result<Id, WeightsErrorKind> {
    let mut machine = Machine {
        input,
        heap,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
    };
    machine.run().map_err(|error| match error {
        WeightsErrorKind::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            WeightsErrorKind::Truncated("in its pickle".to_owned())
        }
        error => error,
    })
}

struct Machine<'a> {
    input: &'a mut dyn BufRead,
    heap: &'a mut Heap,
    stack: Vec<Id>,
    /// Heights of the stack at which a mark lies, innermost last.
    marks: Vec<usize>,
    memo: Vec<Option<Id>>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Id, WeightsErrorKind> {
        // Protocols 0 and 1 do not begin with their number.
        let begins = self.number(1)? == u64::from(PROTO);
        match self.number(1)? {
            2..=5 if begins => {}
            version @ 6.. if begins => {
                return malformed(format!("protocol {version} is unknown"));
            }
            _ => return Err(WeightsErrorKind::TooOld("a pickle of protocol 0 or 1")),
        }
        while self.step()? {}
        self.pop()
    }

    /// Runs one opcode. `false` after the last.
    fn step(&mut self) -> Result<bool, WeightsErrorKind> {
        self.heap.step()?;
        let mut byte = [0];
        self.input.read_exact(&mut byte)?;
        let [opcode] = byte;
        let number = self.number(width(opcode))?;
        match opcode {
            b'.' => return Ok(false),
            // A frame only says how much to buffer.
            0x95 => {}

            b'N' | b'G' => self.stack.push(Heap::PLAIN),
            0x88 | 0x89 => self.push(Node::Int((opcode == 0x88).into()))?,
            b'K' | b'M' => self.push(Node::Int(number.cast_signed()))?,
            // The sign of 32 bits.
            b'J' => self.push(Node::Int((number << 32).cast_signed() >> 32))?,
            b'I' => {
                // Python 2 writes integers of more than 32 bits as text, in protocol 2 too.
                let value = self.line()?.parse();
                self.push(value.map_or(Node::Plain, Node::Int))?;
            }
            0x8a | 0x8b => {
                let value = self.take(number)?.and_then(|bytes| little_endian(&bytes));
                self.push(value.map_or(Node::Plain, Node::Int))?;
            }
            b'T' | b'U' | b'X' | 0x8c | 0x8d => {
                // Python 2's strings may be bytes.
                let text = self.take(number)?;
                let text = text.and_then(|text| String::from_utf8(text).ok());
                self.push(text.map_or(Node::Plain, |text| Node::Text(text.into())))?;
            }
            b'B' | b'C' | 0x8e | 0x96 => {
                self.skip(number)?;
                self.stack.push(Heap::PLAIN);
            }

            b')' | b']' | 0x8f => self.push(Node::Seq(Vec::new()))?,
            b't' | b'l' | 0x91 | 0x85..=0x87 => {
                let items = match opcode {
                    0x85..=0x87 => self.pop_many(usize::from(opcode - 0x84))?,
                    _ => self.pop_to_mark()?,
                };
                self.push(Node::Seq(items))?;
            }
            b'}' => self.push(Node::Object(Box::default()))?,
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Object(Box::default()))?;
                self.extend(&items)?;
            }
            b'a' | b's' | b'u' | b'e' | 0x90 => {
                let items = match opcode {
                    b'a' => self.pop_many(1)?,
                    b's' => self.pop_many(2)?,
                    _ => self.pop_to_mark()?,
                };
                self.extend(&items)?;
            }

            b'(' => self.marks.push(self.stack.len()),
            // As in CPython, this also takes a mark that lies on top.
            b'0' if self.marks.last() == Some(&self.stack.len()) => _ = self.marks.pop(),
            b'0' => _ = self.pop()?,
            b'1' => _ = self.pop_to_mark()?,
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'q' | b'r' | 0x94 => self.memoize(if opcode == 0x94 {
                self.memo.len()
            } else {
                slot(number)
            })?,
            b'h' | b'j' => match self.memo.get(slot(number)) {
                Some(&Some(id)) => self.stack.push(id),
                _ => return malformed(format!("memo slot {number} was never filled")),
            },

            b'c' | 0x93 => self.global(opcode)?,
            b'R' | b'o' | 0x81 | 0x92 => self.call(opcode)?,
            b'b' => {
                let state = self.pop()?;
                self.check(&[state])?;
                let top = self.top()?;
                rebuild::build(self.heap, top, state)?;
            }
            b'Q' => {
                let key = self.pop()?;
                let found = rebuild::persistent(self.heap, key)?;
                self.stack.push(found);
            }
            _ => {
                return malformed(format!(
                    "0x{opcode:02x} is not an opcode of protocols 2 to 5"
                ));
            }
        }
        Ok(true)
    }

    /// Python numbers the slots as it fills them.
    fn memoize(&mut self, slot: usize) -> Result<(), WeightsErrorKind> {
        let top = self.top()?;
        let more = slot.saturating_add(1).saturating_sub(self.memo.len());
        self.heap
            .take(more.saturating_mul(size_of::<Option<Id>>()))?;
        self.memo.resize(self.memo.len() + more, None);
        self.memo[slot] = Some(top);
        Ok(())
    }

    /// `GLOBAL` and `STACK_GLOBAL`: the only opcodes that name a class or function.
    fn global(&mut self, opcode: u8) -> Result<(), WeightsErrorKind> {
        let class = if opcode == 0x93 {
            let name = self.pop()?;
            let module = self.pop()?;
            match (self.heap.get(module), self.heap.get(name)) {
                (Node::Text(module), Node::Text(name)) => [module.to_string(), name.to_string()],
                _ => return malformed("a global is not named by two strings"),
            }
        } else {
            [self.line()?, self.line()?]
        };
        if runs_code(&class) && !is_getattr(&class) {
            let callable = class.join(".");
            return Err(WeightsErrorKind::RunsCode { callable });
        }
        self.push(Node::Class(Box::new(class)))
    }

    /// `REDUCE`, `NEWOBJ`, `NEWOBJ_EX` and `OBJ`: what would be a call.
    fn call(&mut self, opcode: u8) -> Result<(), WeightsErrorKind> {
        let items = match opcode {
            b'o' => self.pop_to_mark()?,
            0x92 => self.pop_many(3)?,
            _ => self.pop_many(2)?,
        };
        let made = match *items.as_slice() {
            [callable, arguments] if opcode == b'R' => {
                rebuild::call(self.heap, callable, arguments)?
            }
            [class, ..] => rebuild::inert(self.heap, class)?,
            [] => return malformed("it calls nothing"),
        };
        self.stack.push(made);
        Ok(())
    }

    /// Adds to the list, dictionary or object on top. What a subclass of `list` holds is not looked at.
    fn extend(&mut self, items: &[Id]) -> Result<(), WeightsErrorKind> {
        self.check(items)?;
        let target = self.top()?;
        match self.heap.get_mut(target) {
            Some(Node::Object(object)) => {
                let pairs = items.as_chunks().0.iter();
                object.items.extend(pairs.map(|&[key, value]| (key, value)));
            }
            Some(Node::Seq(list)) => list.extend_from_slice(items),
            _ => {}
        }
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<(), WeightsErrorKind> {
        if let Node::Seq(items) = &node {
            self.check(items)?;
        }
        let id = match node {
            Node::Plain => Heap::PLAIN,
            node => self.heap.add(node)?,
        };
        self.stack.push(id);
        Ok(())
    }

    /// Refuses `getattr` as a value. Called, it reaches what is checked; handed to something else, anything.
    fn check(&self, values: &[Id]) -> Result<(), WeightsErrorKind> {
        for &id in values {
            if let Node::Class(class) = self.heap.get(id)
                && is_getattr(class)
            {
                let callable = class.join(".");
                return Err(WeightsErrorKind::RunsCode { callable });
            }
        }
        Ok(())
    }

    fn top(&self) -> Result<Id, WeightsErrorKind> {
        match self.stack.last() {
            Some(&id) if self.marks.last() != Some(&self.stack.len()) => Ok(id),
            _ => malformed("its stack is empty where a value is needed"),
        }
    }

    fn pop(&mut self) -> Result<Id, WeightsErrorKind> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Id>, WeightsErrorKind> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(count) {
            Some(height) if height >= floor => Ok(self.stack.split_off(height)),
            _ => malformed("its stack is too short"),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, WeightsErrorKind> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => malformed("a mark is missing on its stack"),
        }
    }

    /// The next number of `width` bytes, little-endian.
    fn number(&mut self, width: usize) -> io::Result<u64> {
        let mut wide = [0; 8];
        self.input.read_exact(&mut wide[..width])?;
        Ok(u64::from_le_bytes(wide))
    }

    /// The next `len` bytes; `None` of something longer than any name.
    fn take(&mut self, len: u64) -> io::Result<Option<Vec<u8>>> {
        if len > LONGEST_TEXT {
            return self.skip(len).map(|()| None);
        }
        // Not allocated before they are there.
        let mut bytes = Vec::new();
        if (&mut self.input).take(len).read_to_end(&mut bytes)? as u64 != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(bytes))
    }

    fn skip(&mut self, len: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.input).take(len), &mut io::sink())?;
        if skipped != len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn line(&mut self) -> Result<String, WeightsErrorKind> {
        let mut line = Vec::new();
        let mut input = (&mut self.input).take(LONGEST_TEXT);
        input.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let line = String::from_utf8(line).or_else(|_| malformed("a name in it is not UTF-8"));
        Ok(line?.trim_end_matches('\r').to_owned())
    }
}

/// Bytes of the number behind an opcode: a value, a slot of the memo, or the length of what comes next.
fn width(opcode: u8) -> usize {
    match opcode {
        b'K' | b'h' | b'q' | b'C' | b'U' | 0x8a | 0x8c => 1,
        b'M' => 2,
        b'J' | b'j' | b'r' | b'B' | b'T' | b'X' | 0x8b => 4,
        b'G' | 0x8d | 0x8e | 0x95 | 0x96 => 8,
        _ => 0,
    }
}

fn slot(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A Python integer, if it fits.
fn little_endian(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(wide))
}

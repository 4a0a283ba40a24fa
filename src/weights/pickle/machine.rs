//! The stack machine that a pickle drives.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

use super::super::error::WeightsErrorKind;
use super::danger::{is_getattr, runs_code};
use super::heap::{Heap, Id, Node, malformed};
use super::latin1::latin1;
use super::rebuild;

/// Longest string that is kept as text. Names are short; `NumPy`'s bytes in protocol 2 are longer.
const LONGEST_TEXT: u64 = 1 << 20;

/// The opcode that names the protocol.
const PROTO: u8 = 0x80;

/// Reads one pickle, leaving `input` just behind it.
///
/// # Errors
///
/// A stream that is no pickle of protocol 2 to 5, is truncated, or names a callable that runs code.
pub(in crate::weights) fn load(
    input: &mut dyn BufRead,
    heap: &mut Heap,
) -> Result<Id, WeightsErrorKind> {
    let mut machine = Machine {
        input,
        heap,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    let root = machine.run().map_err(|error| match error {
        WeightsErrorKind::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            WeightsErrorKind::Truncated("in its pickle".to_owned())
        }
        error => error,
    })?;
    // Called, it reaches what is checked; handed to something else, it reaches anything.
    match heap.held_class(is_getattr) {
        Some(callable) => Err(WeightsErrorKind::RunsCode { callable }),
        None => Ok(root),
    }
}

struct Machine<'a> {
    input: &'a mut dyn BufRead,
    heap: &'a mut Heap,
    stack: Vec<Id>,
    /// Heights of the stack at which a mark lies, innermost last.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Id, WeightsErrorKind> {
        const OLD: WeightsErrorKind = WeightsErrorKind::TooOld("a pickle of protocol 0 or 1");
        // Protocols 0 and 1 do not begin with their number.
        if self.bytes()? != [PROTO] {
            return Err(OLD);
        }
        match self.bytes()? {
            [0 | 1] => return Err(OLD),
            [2..=5] => {}
            [protocol] => return malformed(format!("protocol {protocol} is unknown")),
        }
        while self.step()? {}
        self.pop()
    }

    /// Runs one opcode. `false` after the last.
    fn step(&mut self) -> Result<bool, WeightsErrorKind> {
        self.heap.step()?;
        let [opcode] = self.bytes()?;
        match opcode {
            b'.' => return Ok(false),
            // A frame only says how much to buffer.
            0x95 => _ = self.bytes::<8>()?,

            b'N' | 0x88 | 0x89 | b'G' | b'I' | b'J' | b'K' | b'M' | 0x8a | 0x8b | b'T' | b'U'
            | b'X' | 0x8c | 0x8d | b'B' | b'C' | 0x8e | 0x96 => self.scalar(opcode)?,

            b')' | b']' | 0x8f => self.push(Node::Seq(Vec::new()))?,
            b'}' => self.push(Node::Dict(Vec::new()))?,
            b't' | b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Node::Seq(items))?;
            }
            0x85..=0x87 => {
                let height = self.stack.len().checked_sub(usize::from(opcode - 0x84));
                let height = height.filter(|&height| Some(&height) >= self.marks.last());
                let Some(height) = height else {
                    return malformed("the stack is too short for a tuple");
                };
                let items = self.stack.split_off(height);
                self.push(Node::Seq(items))?;
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Dict(pairs(&items)))?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.append(&items)?;
            }

            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                // As in CPython, this also takes a mark that lies on top.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => _ = self.pop_to_mark()?,
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'h' | b'j' | b'q' | b'r' | 0x94 => self.memo(opcode)?,

            b'c' | 0x93 => self.global(opcode)?,
            b'R' | b'o' | 0x81 | 0x92 => self.call(opcode)?,
            b'b' => self.build()?,
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

    fn scalar(&mut self, opcode: u8) -> Result<(), WeightsErrorKind> {
        let node = match opcode {
            // Python 2 writes integers of more than 32 bits as text, in protocol 2 too.
            b'I' => self.line()?.parse().ok().map(Node::Int),
            b'J' => Some(Node::Int(i32::from_le_bytes(self.bytes()?).into())),
            b'K' => Some(Node::Int(u8::from_le_bytes(self.bytes()?).into())),
            b'M' => Some(Node::Int(u16::from_le_bytes(self.bytes()?).into())),
            0x8a | 0x8b => {
                let len = self.len(opcode)?;
                little_endian(&self.take(len)?).map(Node::Int)
            }
            b'T' | b'U' | b'X' | 0x8c | 0x8d => {
                let len = self.len(opcode)?;
                Some(text(self.take(len)?, matches!(opcode, b'T' | b'U')))
            }
            b'B' | b'C' | 0x8e | 0x96 => {
                let len = self.len(opcode)?;
                Some(Node::Bytes(self.take(len)?.into()))
            }
            b'G' => {
                self.bytes::<8>()?;
                None
            }
            0x88 | 0x89 => Some(Node::Int((opcode == 0x88).into())),
            _ => None,
        };
        self.push(node.unwrap_or(Node::Plain))
    }

    /// The length in front of a string, of bytes or of a long integer.
    fn len(&mut self, opcode: u8) -> io::Result<u64> {
        Ok(match opcode {
            b'C' | b'U' | 0x8a | 0x8c => u8::from_le_bytes(self.bytes()?).into(),
            b'B' | b'T' | b'X' | 0x8b => u32::from_le_bytes(self.bytes()?).into(),
            _ => u64::from_le_bytes(self.bytes()?),
        })
    }

    fn memo(&mut self, opcode: u8) -> Result<(), WeightsErrorKind> {
        let slot = match opcode {
            b'h' | b'q' => u8::from_le_bytes(self.bytes()?).into(),
            b'j' | b'r' => u32::from_le_bytes(self.bytes()?),
            // The next free one.
            _ => u32::try_from(self.memo.len()).unwrap_or(u32::MAX),
        };
        if matches!(opcode, b'h' | b'j') {
            let Some(&id) = self.memo.get(&slot) else {
                return malformed(format!("memo slot {slot} was never filled"));
            };
            self.stack.push(id);
        } else {
            let top = self.top()?;
            self.memo.insert(slot, top);
        }
        Ok(())
    }

    /// `GLOBAL` and `STACK_GLOBAL`: the only opcodes that name a class or function.
    fn global(&mut self, opcode: u8) -> Result<(), WeightsErrorKind> {
        let (module, name) = if opcode == 0x93 {
            let name = self.pop()?;
            let module = self.pop()?;
            match (self.heap.get(module), self.heap.get(name)) {
                (Node::Text(module), Node::Text(name)) => (module.clone(), name.clone()),
                _ => return malformed("a global is not named by two strings"),
            }
        } else {
            (self.line()?, self.line()?)
        };
        if runs_code(&module, &name) && !is_getattr(&module, &name) {
            let callable = format!("{module}.{name}");
            return Err(WeightsErrorKind::RunsCode { callable });
        }
        self.push(Node::Class { module, name })
    }

    /// `REDUCE`, `NEWOBJ`, `NEWOBJ_EX` and `OBJ`: what would be a call.
    fn call(&mut self, opcode: u8) -> Result<(), WeightsErrorKind> {
        if opcode == b'o' {
            let items = self.pop_to_mark()?;
            let class = items.first().copied().unwrap_or(Heap::PLAIN);
            let made = rebuild::inert(self.heap, class)?;
            self.stack.push(made);
            return Ok(());
        }
        if opcode == 0x92 {
            self.pop()?;
        }
        let arguments = self.pop()?;
        let callable = self.pop()?;
        let made = match opcode {
            b'R' => rebuild::call(self.heap, callable, arguments)?,
            _ => rebuild::inert(self.heap, callable)?,
        };
        self.stack.push(made);
        Ok(())
    }

    /// `BUILD`: an object gets its `__dict__`.
    fn build(&mut self) -> Result<(), WeightsErrorKind> {
        let state = self.pop()?;
        let top = self.top()?;
        let built = rebuild::build(self.heap, top, state)?;
        match (self.heap.get_mut(top), built) {
            (Some(node), Some(built)) => *node = built,
            (Some(Node::Object(object)), None) => object.state = Some(state),
            // An `OrderedDict`'s attributes (`_metadata`) and everything else's are of no use.
            _ => {}
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), WeightsErrorKind> {
        let target = self.top()?;
        match self.heap.get_mut(target) {
            Some(Node::Dict(dict)) => dict.extend(pairs(items)),
            // A subclass of `dict`.
            Some(Node::Object(object)) => object.items.extend(pairs(items)),
            _ => {}
        }
        Ok(())
    }

    fn append(&mut self, items: &[Id]) -> Result<(), WeightsErrorKind> {
        let target = self.top()?;
        // A subclass of `list`, a deque: what they hold is not looked at.
        if let Some(Node::Seq(list)) = self.heap.get_mut(target) {
            list.extend_from_slice(items);
        }
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<(), WeightsErrorKind> {
        let id = match node {
            Node::Plain => Heap::PLAIN,
            node => self.heap.add(node)?,
        };
        self.stack.push(id);
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

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, WeightsErrorKind> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => malformed("a mark is missing on its stack"),
        }
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The next `len` bytes. They are not allocated before they are there: the length may be damaged.
    fn take(&mut self, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.input).take(len).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    fn line(&mut self) -> Result<String, WeightsErrorKind> {
        let mut line = Vec::new();
        (&mut self.input)
            .take(LONGEST_TEXT)
            .read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).or_else(|_| malformed("a name in it is not UTF-8"))
    }
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    let (pairs, _) = items.as_chunks();
    pairs.iter().map(|&[key, value]| (key, value)).collect()
}

/// A string; long ones, and Python 2's that are no text, are bytes.
fn text(bytes: Vec<u8>, is_raw: bool) -> Node {
    let is_long = bytes.len() as u64 > LONGEST_TEXT;
    match String::from_utf8(bytes) {
        Ok(text) if !is_long => Node::Text(text),
        Ok(text) if is_raw => Node::Bytes(text.into_bytes().into()),
        Ok(text) => latin1(&text).map_or(Node::Plain, Node::Bytes),
        Err(error) => Node::Bytes(error.into_bytes().into()),
    }
}

/// A Python integer, if it fits.
fn little_endian(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(wide))
}

//! The stack machine that a pickle drives.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};

use super::danger::runs_code;
use super::rebuild;
use super::{Heap, Id, Node, Object, PickleError, malformed};

/// Longest string that is kept. Names are short; anything longer is read past.
const LONGEST_TEXT: u64 = 1 << 20;

/// Reads one pickle, leaving `input` just behind it.
///
/// # Errors
///
/// A stream that is no pickle, is cut short, or names a callable that runs code.
pub(in super::super) fn load(input: &mut dyn BufRead, heap: &mut Heap) -> Result<Id, PickleError> {
    let mut machine = Machine {
        input,
        heap,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    while machine.step()? {}
    machine.pop()
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
    /// Runs one opcode. `false` after the last.
    fn step(&mut self) -> Result<bool, PickleError> {
        self.heap.step()?;
        let [opcode] = self.bytes()?;
        match opcode {
            b'.' => return Ok(false),
            0x80 => {
                let [protocol] = self.bytes()?;
                if protocol > 5 {
                    return malformed(format!("protocol {protocol} is not known"));
                }
            }
            // A frame only says how much to buffer.
            0x95 => _ = self.bytes::<8>()?,

            b'N' | 0x88 | 0x89 => self.stack.push(Heap::PLAIN),
            b'I' | b'L' | b'F' | b'J' | b'K' | b'M' | b'G' | 0x8a | 0x8b => self.number(opcode)?,
            b'S' | b'V' | b'T' | b'U' | b'X' | 0x8c | 0x8d => self.text(opcode)?,
            b'B' | b'C' | 0x8e | 0x96 => self.skip_bytes(opcode)?,

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
            b'g' | b'h' | b'j' => self.fetch(opcode)?,
            b'p' | b'q' | b'r' | 0x94 => self.memoize(opcode)?,

            b'c' | b'i' | 0x93 => self.global(opcode)?,
            b'R' | b'o' | 0x81 | 0x92 => self.call(opcode)?,
            b'b' => self.build()?,
            b'P' => {
                let text = self.line()?;
                let key = self.heap.add(Node::Text(text))?;
                let found = rebuild::persistent(self.heap, key)?;
                self.stack.push(found);
            }
            b'Q' => {
                let key = self.pop()?;
                let found = rebuild::persistent(self.heap, key)?;
                self.stack.push(found);
            }
            _ => return malformed(format!("0x{opcode:02x} is not an opcode that is known")),
        }
        Ok(true)
    }

    fn number(&mut self, opcode: u8) -> Result<(), PickleError> {
        let value = match opcode {
            b'I' | b'L' => self.line()?.trim_end_matches('L').parse().ok(),
            b'F' => {
                self.line()?;
                None
            }
            b'G' => {
                self.bytes::<8>()?;
                None
            }
            b'J' => Some(i64::from(i32::from_le_bytes(self.bytes()?))),
            b'K' => Some(i64::from(u8::from_le_bytes(self.bytes()?))),
            b'M' => Some(i64::from(u16::from_le_bytes(self.bytes()?))),
            _ => {
                let len = match opcode {
                    0x8a => u64::from(u8::from_le_bytes(self.bytes()?)),
                    _ => u64::from(u32::from_le_bytes(self.bytes()?)),
                };
                let bytes = self.take(len)?;
                bytes.and_then(|bytes| little_endian(&bytes))
            }
        };
        self.push(value.map_or(Node::Plain, Node::Int))
    }

    fn text(&mut self, opcode: u8) -> Result<(), PickleError> {
        let text = match opcode {
            b'V' => Some(self.line()?),
            b'S' => {
                let line = self.line()?;
                let quoted = line.trim();
                let inner = quoted
                    .strip_prefix(['\'', '"'])
                    .and_then(|rest| rest.strip_suffix(['\'', '"']));
                Some(inner.unwrap_or(quoted).to_owned())
            }
            _ => {
                let len = match opcode {
                    b'U' | 0x8c => u64::from(u8::from_le_bytes(self.bytes()?)),
                    b'T' | b'X' => u64::from(u32::from_le_bytes(self.bytes()?)),
                    _ => u64::from_le_bytes(self.bytes()?),
                };
                // Python 2 strings may hold raw bytes, which are no names.
                let bytes = self.take(len)?;
                bytes.and_then(|bytes| String::from_utf8(bytes).ok())
            }
        };
        self.push(text.map_or(Node::Plain, Node::Text))
    }

    fn skip_bytes(&mut self, opcode: u8) -> Result<(), PickleError> {
        let len = match opcode {
            b'C' => u64::from(u8::from_le_bytes(self.bytes()?)),
            b'B' => u64::from(u32::from_le_bytes(self.bytes()?)),
            _ => u64::from_le_bytes(self.bytes()?),
        };
        self.skip(len)?;
        self.stack.push(Heap::PLAIN);
        Ok(())
    }

    fn fetch(&mut self, opcode: u8) -> Result<(), PickleError> {
        let slot = self.slot(opcode)?;
        let Some(&id) = self.memo.get(&slot) else {
            return malformed(format!("memo slot {slot} was never filled"));
        };
        self.stack.push(id);
        Ok(())
    }

    fn memoize(&mut self, opcode: u8) -> Result<(), PickleError> {
        let slot = match opcode {
            // The next free one.
            0x94 => u32::try_from(self.memo.len()).unwrap_or(u32::MAX),
            _ => self.slot(opcode)?,
        };
        let top = self.top()?;
        self.memo.insert(slot, top);
        Ok(())
    }

    fn slot(&mut self, opcode: u8) -> Result<u32, PickleError> {
        match opcode {
            b'h' | b'q' => Ok(u32::from(u8::from_le_bytes(self.bytes()?))),
            b'j' | b'r' => Ok(u32::from_le_bytes(self.bytes()?)),
            _ => {
                let line = self.line()?;
                line.trim()
                    .parse()
                    .or_else(|_| malformed(format!("{line:?} is no memo slot")))
            }
        }
    }

    /// `GLOBAL`, `STACK_GLOBAL` and `INST`: where every name of a class or function comes in.
    fn global(&mut self, opcode: u8) -> Result<(), PickleError> {
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
        if runs_code(&module, &name) {
            return Err(PickleError::RunsCode(format!("{module}.{name}")));
        }
        if opcode == b'i' {
            self.pop_to_mark()?;
            return self.push(object(format!("{module}.{name}")));
        }
        self.push(Node::Class { module, name })
    }

    /// `REDUCE`, `NEWOBJ`, `NEWOBJ_EX` and `OBJ`: what would be a call.
    fn call(&mut self, opcode: u8) -> Result<(), PickleError> {
        if opcode == b'o' {
            let items = self.pop_to_mark()?;
            let class = items
                .first()
                .map(|&class| rebuild::class_name(self.heap, class));
            return self.push(object(class.unwrap_or_default()));
        }
        if opcode == 0x92 {
            self.pop()?;
        }
        let arguments = self.pop()?;
        let callable = self.pop()?;
        let made = if opcode == b'R' {
            rebuild::call(self.heap, callable, arguments)?
        } else {
            let class = rebuild::class_name(self.heap, callable);
            self.heap.add(object(class))?
        };
        self.stack.push(made);
        Ok(())
    }

    /// `BUILD`: an object gets its `__dict__`.
    fn build(&mut self) -> Result<(), PickleError> {
        let state = self.pop()?;
        let top = self.top()?;
        // An `OrderedDict`'s attributes (`_metadata`) and everything else's are of no use.
        if let Some(Node::Object(object)) = self.heap.get_mut(top) {
            object.state = Some(state);
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let target = self.top()?;
        match self.heap.get_mut(target) {
            Some(Node::Dict(dict)) => dict.extend(pairs(items)),
            // A subclass of `dict`.
            Some(Node::Object(object)) => object.items.extend(pairs(items)),
            _ => {}
        }
        Ok(())
    }

    fn append(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let target = self.top()?;
        // A subclass of `list`, a deque: what they hold is not looked at.
        if let Some(Node::Seq(list)) = self.heap.get_mut(target) {
            list.extend_from_slice(items);
        }
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<(), PickleError> {
        let id = match node {
            Node::Plain => Heap::PLAIN,
            node => self.heap.add(node)?,
        };
        self.stack.push(id);
        Ok(())
    }

    fn top(&self) -> Result<Id, PickleError> {
        match self.stack.last() {
            Some(&id) if self.marks.last() != Some(&self.stack.len()) => Ok(id),
            _ => malformed("its stack is empty where a value is needed"),
        }
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, PickleError> {
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

    /// The next `len` bytes, or `None` (and past them) if they are too many to be a name.
    fn take(&mut self, len: u64) -> io::Result<Option<Vec<u8>>> {
        if len > LONGEST_TEXT {
            self.skip(len)?;
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&mut self.input).take(len).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(bytes))
    }

    fn skip(&mut self, len: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.input).take(len), &mut io::sink())?;
        if skipped < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let mut line = Vec::new();
        (&mut self.input)
            .take(LONGEST_TEXT)
            .read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(PickleError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).or_else(|_| malformed("a name in it is not UTF-8"))
    }
}

fn object(class: String) -> Node {
    Node::Object(Object {
        class,
        items: Vec::new(),
        state: None,
    })
}

fn pairs(items: &[Id]) -> Vec<(Id, Id)> {
    let pairs = items.chunks_exact(2).filter_map(|pair| match pair {
        [key, value] => Some((*key, *value)),
        _ => None,
    });
    pairs.collect()
}

/// A Python integer, if it fits.
fn little_endian(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(wide))
}

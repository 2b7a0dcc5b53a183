//! The entries of a master file: records and control words, and what they inherit from those before them.

mod pieces;

use std::path::{Path, PathBuf};

use super::dialect::Dialect;
use super::fault::{Fault, Faults, Reading, shown};
use super::fields::Fields;
use super::generate::{GENERATED_TOTAL_MAX, Template, range};
use super::include::Includes;
use super::names::{Anchors, NameBuffer, Names};
use super::number::{TTL_MAX, period};
use super::scan::{Entry, Scanner, Token};
use super::{Outcome, Record};
use crate::diagnostic::nearest;
use crate::wire::name::Name;
use crate::wire::rtype::Rtype;
use crate::zone::pace::Pace;
use crate::zone::records::{Origin, Records};
pub(super) use pieces::Pieces;

const CONTROL_WORDS: [&str; 4] = ["$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE"];

/// Everything that lives as long as the reading of one zone.
pub(super) struct Reader<'s> {
    pub(super) sink: Sink<'s>,
    pub(super) names: Names,
    /// The owner of the last record of this file; the apex stands in for one that was faulty.
    pub(super) owner: Option<NameBuffer>,
    /// `$TTL`, or the SOA's minimum where there was none.
    pub(super) ttl_default: Option<u32>,
    /// The last TTL that a record stated.
    pub(super) ttl_last: Option<u32>,
    rdata: Vec<u8>,
    generated_left: u64,
    includes: Includes,
    dialect: Option<Dialect<'s>>,
    files: Vec<PathBuf>,
    pub(super) file: u16,
    pub(super) faults: Faults,
    /// What large texts are read in; `None` where that is not wanted.
    pub(super) pieces: Option<Pieces>,
    pub(super) extent: Extent,
}

/// Where records go.
pub(super) enum Sink<'s> {
    Each(&'s mut dyn FnMut(Record<'_>)),
    All(&'s mut Records),
}

impl Sink<'_> {
    fn take(&mut self, record: Record<'_>) {
        let Record { owner, rtype, ttl, rdata, file, line } = record;
        match self {
            Self::Each(take) => take(record),
            Self::All(records) if rtype == Rtype::SOA => records.add_soa(owner, ttl, rdata, Origin { file, line }),
            Self::All(records) => records.add(owner, rtype, ttl, rdata, Origin { file, line }),
        }
    }
}

/// What of a text a reader has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Everything from its beginning on.
    Whole,
    /// A piece of it, of which all means what it does with anything before it that leaves the same origin and `$TTL`.
    Piece,
    /// A piece, and it took something else from what is before it.
    Torn,
}

/// What stands before the rdata.
struct Header<'a> {
    ttl: Option<u32>,
    rtype: Rtype,
    /// The token of the type.
    token: Token<'a>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(apex: &Name, folder: Option<&Path>, sink: Sink<'s>) -> Self {
        Self {
            sink,
            names: Names::new(apex),
            owner: None,
            ttl_default: None,
            ttl_last: None,
            rdata: Vec::new(),
            generated_left: GENERATED_TOTAL_MAX,
            includes: Includes::new(folder),
            dialect: None,
            files: Vec::new(),
            file: 0,
            faults: Faults::default(),
            pieces: None,
            extent: Extent::Whole,
        }
    }

    pub(super) fn in_dialect(mut self, dialect: Dialect<'s>) -> Self {
        self.names.anchors = Some(Anchors::of_zone(self.names.apex()));
        self.ttl_default = Some(dialect.ttl);
        self.dialect = Some(dialect);
        self
    }

    pub(super) fn read_file(mut self, path: &Path) -> Outcome {
        self.files.push(path.to_owned());
        let read = self.includes.open_first(path).and_then(|text| self.read_opened(path, &text));
        if let Err(message) = read {
            self.faults.add_file(path, message);
        }
        self.outcome(path)
    }

    /// Reads the text of a file, in whatever dialect it is.
    fn read_opened(&mut self, path: &Path, text: &[u8]) -> Result<(), String> {
        match &mut self.dialect {
            Some(dialect) => {
                let text = dialect.rewritten(path, text)?;
                self.read_text(path, &text);
            }
            None => self.read_text(path, text),
        }
        Ok(())
    }

    pub(super) fn read_memory(mut self, name: &Path, text: &[u8]) -> Outcome {
        self.files.push(name.to_owned());
        self.read_text(name, text);
        self.outcome(name)
    }

    fn outcome(self, path: &Path) -> Outcome {
        let (files, saved) = (self.files, self.includes.saved());
        Outcome { files, saved, diagnostics: self.faults.into_diagnostics(path) }
    }

    fn read_text(&mut self, path: &Path, text: &[u8]) {
        let mut scanner = Scanner::new(text);
        self.read_large(path, text, &mut scanner);
        self.read_until(path, text, &mut scanner, usize::MAX);
    }

    /// Reads entries up to one that begins at `end` or later. A piece that turns out to be torn is left.
    pub(super) fn read_until(&mut self, path: &Path, text: &[u8], scanner: &mut Scanner<'_>, end: usize) {
        let mut pace = Pace::default();
        while !scanner.is_hopeless()
            && let Some(entry) = scanner.entry_before(end)
        {
            pace.step();
            if let Err(fault) = self.entry(scanner, entry) {
                // A parenthesis that is never closed explains whatever else is wrong with its entry.
                let fault = scanner.skip_entry().unwrap_or(fault);
                self.fault(path, text, *fault);
            }
            for note in std::mem::take(&mut self.names.notes) {
                self.fault(path, text, note);
            }
            if self.extent != Extent::Whole && scanner.is_unclosed() {
                self.extent = Extent::Torn;
            }
            if self.extent == Extent::Torn {
                return;
            }
            if scanner.is_hopeless() {
                let at = scanner.position();
                let message = "too many parentheses are never closed: the rest of this file was not read";
                self.fault(path, text, *Fault::at(at, at, message));
            }
        }
    }

    fn fault(&mut self, path: &Path, text: &[u8], fault: Fault) {
        match self.extent {
            Extent::Whole => self.faults.add(path, text, fault),
            Extent::Piece | Extent::Torn => self.faults.keep(fault),
        }
    }

    /// Notes that what comes before a piece matters to it.
    fn tear(&mut self) {
        if self.extent == Extent::Piece {
            self.extent = Extent::Torn;
        }
    }

    fn entry(&mut self, scanner: &mut Scanner<'_>, entry: Entry) -> Reading<()> {
        let Some(first) = scanner.token()? else { return Ok(()) };
        let control = !first.quoted && first.text.starts_with(b"$");
        if entry.indented {
            if control {
                let message = format!("`{}` must stand at the beginning of its line", shown(first.text));
                return Err(first.fault(message));
            }
            if self.owner.is_none() {
                self.tear();
                let help = "a line that begins with white space takes the owner of the record before it";
                return Err(first.fault("there is no owner yet that this record could take over").help(help));
            }
            return self.record(scanner, Some(first), first, entry.line);
        }
        if control {
            self.tear();
            if self.extent == Extent::Torn {
                return Ok(());
            }
            return self.control(scanner, first, entry.line);
        }
        self.read_owner(first)?;
        self.record(scanner, None, first, entry.line)
    }

    /// Reads the owner into place. After a faulty one the apex stands in, so that the records that would have taken it
    /// over are not faulted for want of one. The origin would not do: it may be outside of the zone itself.
    fn read_owner(&mut self, token: Token<'_>) -> Reading<()> {
        let owner = self.owner.get_or_insert_with(|| NameBuffer::of(self.names.apex()));
        let read = self.names.read(token, &mut owner.octets).and_then(|length| {
            owner.length = length;
            self.names.check_owner(token, owner.as_wire())
        });
        if read.is_err() {
            self.owner = Some(NameBuffer::of(self.names.apex()));
        }
        read
    }

    /// A record from its TTL, class or type on; `pushed` is the first of these where it was read already.
    fn record<'a>(
        &mut self,
        scanner: &mut Scanner<'a>,
        pushed: Option<Token<'a>>,
        first: Token<'a>,
        line: u32,
    ) -> Reading<()> {
        let header = header(scanner, pushed, first)?;
        self.rdata(scanner, &header, line)
    }

    /// Reads the rdata and hands the record on.
    fn rdata(&mut self, scanner: &mut Scanner<'_>, header: &Header<'_>, line: u32) -> Reading<()> {
        self.rdata.clear();
        let Self { names, rdata, .. } = self;
        let end = header.token.end();
        let fields = Fields { scanner, names, rtype: header.rtype, end, out: rdata, field: "type", pushed: None };
        let read = fields.read();
        self.ttl_last = header.ttl.or(self.ttl_last);
        if read.is_err() && header.rtype == Rtype::SOA {
            // Its minimum might have been the TTL of what follows, which is not faulted for want of one.
            if self.ttl_last.is_none() {
                self.tear();
                self.ttl_last = Some(0);
            }
        }
        read?;
        let ttl = self.ttl(header)?;
        if let Some(owner) = &self.owner {
            let owner = owner.as_wire();
            self.sink.take(Record { owner, rtype: header.rtype, ttl, rdata: &self.rdata, file: self.file, line });
        }
        Ok(())
    }

    /// The stated TTL, else `$TTL`, else the last stated one, else for the SOA its minimum, which then counts
    /// as `$TTL`: what BIND does.
    fn ttl(&mut self, header: &Header<'_>) -> Reading<u32> {
        if let Some(ttl) = header.ttl.or(self.ttl_default).or(self.ttl_last) {
            return Ok(ttl);
        }
        self.tear();
        // Said once: what follows is not faulted for it.
        self.ttl_last = Some(0);
        let minimum = self.rdata.last_chunk().map(|&octets| u32::from_be_bytes(octets));
        match minimum.filter(|&minimum| header.rtype == Rtype::SOA && minimum <= TTL_MAX) {
            Some(minimum) => {
                self.ttl_default = Some(minimum);
                Ok(minimum)
            }
            None => Err(header
                .token
                .fault(format!("this {} record has no TTL, and none was stated before it", header.rtype))
                .help("put `$TTL 1h`, or whatever fits, at the top of the file")),
        }
    }

    fn control(&mut self, scanner: &mut Scanner<'_>, word: Token<'_>, line: u32) -> Reading<()> {
        if word.is("$ORIGIN") {
            let token = argument(scanner, word, "name")?;
            finish(scanner, word)?;
            self.names.origin = self.name(token)?;
        } else if word.is("$TTL") {
            let token = argument(scanner, word, "TTL")?;
            finish(scanner, word)?;
            let read = ttl(token);
            // After a faulty one, records are not faulted for want of a TTL.
            self.ttl_default = Some(read.as_ref().copied().unwrap_or(0));
            read?;
        } else if word.is("$INCLUDE") {
            return self.include(scanner, word);
        } else if word.is("$GENERATE") {
            return self.generate(scanner, word, line);
        } else {
            let written = shown(word.text);
            let fault = word.fault(format!("`{written}` is not a control word"));
            return Err(match nearest(&written.to_ascii_uppercase(), CONTROL_WORDS) {
                Some(known) => fault.help(format!("did you mean `{known}`?")),
                None => fault.help(format!("known are {}", CONTROL_WORDS.join(", "))),
            });
        }
        Ok(())
    }

    fn name(&mut self, token: Token<'_>) -> Reading<NameBuffer> {
        let mut name = self.names.origin;
        name.length = self.names.read(token, &mut name.octets)?;
        Ok(name)
    }

    /// `$INCLUDE file [origin]`: with an origin and an owner of its own (RFC 1035 §5.1). A `$TTL` in it stays,
    /// as with BIND, unless the dialect has it otherwise.
    fn include(&mut self, scanner: &mut Scanner<'_>, word: Token<'_>) -> Reading<()> {
        let token = argument(scanner, word, "file")?;
        let origin = match scanner.token()? {
            Some(origin) => self.name(origin)?,
            None => self.names.origin,
        };
        finish(scanner, word)?;
        let text = self.includes.open(token.text).map_err(|message| token.fault(message))?;
        let path = self.includes.path().to_owned();
        let at = self.includes.number();
        if at == self.files.len() {
            self.files.push(path.clone());
        }
        // INCLUDES_MAX keeps the index within 16 bits.
        let file = std::mem::replace(&mut self.file, u16::try_from(at).unwrap_or(u16::MAX));
        let outer_origin = std::mem::replace(&mut self.names.origin, origin);
        let outer_owner = self.owner.take();
        // What was noticed so far belongs to the including text, which reports it after this entry.
        let notes = std::mem::take(&mut self.names.notes);
        let (outer_anchors, outer_ttl) = (self.names.anchors, self.ttl_default);
        if let Some(anchors) = &mut self.names.anchors {
            anchors.file = origin;
        }
        let read = self.read_opened(&path, &text);
        self.includes.close();
        (self.file, self.owner) = (file, outer_owner);
        (self.names.origin, self.names.notes) = (outer_origin, notes);
        self.names.anchors = outer_anchors;
        if self.dialect.is_some() {
            self.ttl_default = outer_ttl;
        }
        read.map_err(|message| token.fault(message))
    }

    /// `$GENERATE range owner [ttl] [class] type rdata`. The rdata is all that follows; where that is one
    /// string in quotes, it is what the string says, as with BIND.
    fn generate(&mut self, scanner: &mut Scanner<'_>, word: Token<'_>, line: u32) -> Reading<()> {
        let rounds = range(argument(scanner, word, "range")?)?;
        let owner = argument(scanner, word, "owner")?;
        let header = header(scanner, None, owner)?;
        let (mut text, mut tokens, mut last) = (Vec::new(), 0, header.token);
        let mut first = None;
        while let Some(token) = scanner.token()? {
            first = first.or(Some(token));
            tokens += 1;
            let quote: &[u8] = if token.quoted { b"\"" } else { b"" };
            text.extend_from_slice(&[quote, token.text, quote, b" "].concat());
            last = token;
        }
        let first = first.ok_or_else(|| last.fault("this $GENERATE lacks its rdata"))?;
        let rdata = if tokens == 1 { first } else { Token { text: &text, start: first.start, quoted: false } };
        let templates = (Template::read(owner)?, Template::read(rdata)?);
        let (mut owner_text, mut rdata_text) = (Vec::new(), Vec::new());
        for round in rounds {
            self.generated_left = self.generated_left.checked_sub(1).ok_or_else(|| {
                word.fault(format!("the $GENERATE of a zone may make {GENERATED_TOTAL_MAX} records together"))
            })?;
            owner_text.clear();
            rdata_text.clear();
            let negative = |token: Token<'_>| token.fault(format!("the number becomes negative in round {round}"));
            templates.0.write(round, &mut owner_text).ok_or_else(|| negative(owner))?;
            templates.1.write(round, &mut rdata_text).ok_or_else(|| negative(first))?;
            // A fault is about the template; where in the generated text it lies is said by the message.
            let locate = |token: Token<'_>, end: usize, mut fault: Box<Fault>| {
                (fault.start, fault.end) = (token.start, end);
                fault.message = format!("{} (round {round})", fault.message);
                fault
            };
            self.read_owner(Token { text: &owner_text, ..owner }).map_err(|fault| locate(owner, owner.end(), fault))?;
            self.rdata(&mut Scanner::new(&rdata_text), &header, line)
                .map_err(|fault| locate(first, last.end(), fault))?;
            if self.names.notes.len() > 1 {
                self.names.notes.truncate(1);
            }
        }
        for note in &mut self.names.notes {
            (note.start, note.end) = (owner.start, last.end());
        }
        Ok(())
    }
}

/// `[TTL] [class] type` with the first two in either order (RFC 1035 §5.1).
fn header<'a>(scanner: &mut Scanner<'a>, mut pushed: Option<Token<'a>>, before: Token<'a>) -> Reading<Header<'a>> {
    let (mut stated, mut classed, mut last) = (None, false, before);
    loop {
        let token = match pushed.take() {
            Some(token) => Some(token),
            None => scanner.token()?,
        };
        let token = token.ok_or_else(|| Fault::at(last.end(), last.end(), "this record lacks its type"))?;
        last = token;
        if token.text.first().is_some_and(u8::is_ascii_digit) && !token.quoted && stated.is_none() {
            stated = Some(ttl(token)?);
        } else if (token.is("IN") || token.is("CLASS1")) && !classed {
            classed = true;
        } else if let Some(rtype) = Rtype::from_text(token.text).filter(|_| !token.quoted) {
            if rtype.is_meta() {
                let message = format!("{rtype} is a meta type: no zone holds such records");
                return Err(token.fault(message));
            }
            return Ok(Header { ttl: stated, rtype, token });
        } else {
            return Err(not_a_type(token));
        }
    }
}

fn not_a_type(token: Token<'_>) -> Box<Fault> {
    let written = shown(token.text);
    let upper = written.to_ascii_uppercase();
    let class = matches!(upper.as_str(), "CH" | "CHAOS" | "HS" | "HESIOD" | "CS" | "NONE")
        || upper.strip_prefix("CLASS").is_some_and(|digits| digits.parse::<u16>().is_ok());
    if class {
        return token.fault(format!("class {written} is not served: a zone here is of class IN"));
    }
    let fault = token.fault(format!("`{written}` is not a record type"));
    match nearest(&upper, Rtype::mnemonics()) {
        Some(known) => fault.help(format!("did you mean `{known}`?")),
        None => address_help(fault, &written).help_if_none(
            "a record is `owner [ttl] [class] type rdata`; types without a mnemonic are written `TYPEnnn`",
        ),
    }
}

/// An address where a TTL or a type should be: its type was forgotten.
fn address_help(fault: Box<Fault>, written: &str) -> Box<Fault> {
    match written.parse() {
        Ok(std::net::IpAddr::V4(_)) => fault.help("did you forget the type `A` before the address?"),
        Ok(std::net::IpAddr::V6(_)) => fault.help("did you forget the type `AAAA` before the address?"),
        Err(_) => fault,
    }
}

/// A TTL: at most 2³¹ − 1 seconds (RFC 2181 §8).
fn ttl(token: Token<'_>) -> Reading<u32> {
    let written = shown(token.text);
    let seconds = period(token.text).ok_or_else(|| {
        let fault = token.fault(format!("`{written}` is not a TTL"));
        address_help(fault, &written).help_if_none("a TTL is a number of seconds, or has units such as `1h30m`")
    })?;
    u32::try_from(seconds)
        .ok()
        .filter(|&seconds| seconds <= TTL_MAX)
        .ok_or_else(|| token.fault(format!("a TTL must be from 0 to {TTL_MAX} (RFC 2181 §8), not `{written}`")))
}

fn argument<'a>(scanner: &mut Scanner<'a>, word: Token<'_>, what: &str) -> Reading<Token<'a>> {
    scanner.token()?.ok_or_else(|| word.fault(format!("`{}` lacks its {what}", shown(word.text))))
}

fn finish(scanner: &mut Scanner<'_>, word: Token<'_>) -> Reading<()> {
    match scanner.token()? {
        None => Ok(()),
        Some(extra) => Err(extra.fault(format!("`{}` takes no `{}` after that", shown(word.text), shown(extra.text)))),
    }
}

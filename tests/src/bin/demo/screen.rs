//! What a person sees: plain text in a file or pipe, a little colour and a spinner on a terminal.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// Widest line of a table, its indentation not counted.
const WIDTH: u16 = 100;

const INDENT: &str = "   ";

const LINE: LineStyle = LineStyle::none().fill('─').junction('─');

/// One line a row.
const PLAIN: TableStyle = TableStyle::new().header_separator(LINE);

/// Rows of several lines, told apart by a rule.
const RULED: TableStyle = PLAIN.row_separator(LINE);

/// Where the story is told.
#[derive(Debug)]
pub(crate) struct Screen {
    coloured: bool,
    last: Cell<Block>,
}

/// What stands together without an empty line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Outcomes,
    Checks,
}

/// Select Graphic Rendition codes of the few styles in use.
#[derive(Debug, Clone, Copy)]
enum Style {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
}

impl Screen {
    /// Standard output, coloured where it is a terminal and `NO_COLOR` is not set (<https://no-color.org>).
    pub(crate) fn new() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { coloured: std::io::stdout().is_terminal() && !refused, last: Cell::new(Block::Text) }
    }

    /// The first line.
    pub(crate) fn title(&self, text: &str) {
        line(&self.styled(Style::Bold, text));
    }

    /// The last line.
    pub(crate) fn end(&self, text: &str) {
        self.begin(Block::Text);
        line(&self.styled(Style::Green, text));
    }

    /// Begins a section.
    pub(crate) fn section(&self, number: u32, heading: &str) {
        self.begin(Block::Text);
        line(&self.styled(Style::Bold, &format!("{number}. {heading}")));
    }

    /// A paragraph, whose lines are broken by its author.
    pub(crate) fn say(&self, text: &str) {
        self.begin(Block::Text);
        indented(text.lines().map(printable));
    }

    /// A table.
    pub(crate) fn table<const N: usize>(
        &self,
        header: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) {
        let rows: Vec<_> = rows.into_iter().map(|row| row.map(|cell| printable(&cell))).collect();
        let one_line_each = rows.len() + 2;
        let mut table = Table::new();
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
        table.load_style(PLAIN).set_header(header).add_rows(rows);
        if table.lines().count() > one_line_each {
            table.load_style(RULED);
        }
        self.begin(Block::Text);
        indented(table.lines());
    }

    /// Names and values, one pair a line.
    pub(crate) fn pairs(&self, pairs: &[(&str, String)]) {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        self.begin(Block::Text);
        for (name, value) in pairs {
            let name = self.styled(Style::Dim, &format!("{name:width$}"));
            line(&format!("{INDENT}{name}  {}", printable(value)));
        }
    }

    /// One thing that was checked, and what is wrong with it.
    pub(crate) fn mark(&self, promise: &str, fault: Option<&str>) {
        self.begin(Block::Checks);
        match fault {
            None => line(&format!("{INDENT}{} {}", self.styled(Style::Green, "✓"), printable(promise))),
            Some(fault) => {
                let text = format!("✗ {}: {}", printable(promise), printable(fault));
                line(&format!("{INDENT}{}", self.styled(Style::Red, &text)));
            }
        }
    }

    /// Shows that something is being waited for; on a terminal it moves.
    pub(crate) fn wait(&self, what: &str) -> Waiting<'_> {
        // The template is a constant of ours, checked by every run on a terminal.
        let style = ProgressStyle::with_template("   {spinner} {msg} … {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        // Drawn on standard error, and only where that is a terminal.
        let spinner = ProgressBar::new_spinner().with_style(style).with_finish(ProgressFinish::AndClear);
        spinner.set_message(what.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        Waiting { screen: self, spinner, begin: Instant::now() }
    }

    /// An empty line before each block, and between paragraphs.
    fn begin(&self, block: Block) {
        if self.last.replace(block) != block || block == Block::Text {
            line("");
        }
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.coloured { format!("\x1b[{}m{text}\x1b[0m", style as u8) } else { text.to_owned() }
    }
}

/// Something that is being waited for; dropped, it leaves no trace.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    screen: &'a Screen,
    spinner: ProgressBar,
    begin: Instant,
}

impl Waiting<'_> {
    /// Says how it ended, how long it took, and what else is to be said of it.
    pub(crate) fn done(self, outcome: &str, remark: &str) {
        self.spinner.finish_and_clear();
        let took = format!("{:.1} s{remark}", self.begin.elapsed().as_secs_f64());
        self.screen.begin(Block::Outcomes);
        line(&format!("{INDENT}→ {}  {}", printable(outcome), self.screen.styled(Style::Dim, &took)));
    }
}

/// Text from elsewhere must not govern the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn indented(lines: impl IntoIterator<Item = impl Display>) {
    for text in lines {
        line(&format!("{INDENT}{text}"));
    }
}

fn line(text: &str) {
    // A reader who has left must not keep the end from being orderly.
    let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
}

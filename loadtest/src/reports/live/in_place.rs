//! A box drawn over the one before, where the cursor is.
//!
//! The terminal's own modes are left alone: no raw mode, no second screen, no hidden cursor. So whatever ends the command, nothing has
//! to be put right.

use std::io::{self, Write};

use crossterm::cursor::MoveToPreviousLine;
use crossterm::queue;
use crossterm::style::{Attribute, Color as Colour, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{self, BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::screen::HEIGHT;

/// Wider than this is harder to read, not easier.
const WIDTH_MAX: u16 = 120;

/// What is assumed of a terminal that does not tell its size.
const SIZE_USUAL: (u16, u16) = (80, 24);

#[derive(Debug)]
pub(super) struct InPlace<W> {
    to: W,
    /// Lines above the cursor that are ours.
    drawn: u16,
}

impl<W: Write> InPlace<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, drawn: 0 }
    }

    /// Draws over what was drawn before, as large as the terminal is now.
    pub(super) fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        let size = terminal::size().ok().filter(|(columns, rows)| *columns > 0 && *rows > 0);
        self.draw_on(size.unwrap_or(SIZE_USUAL), draw)
    }

    /// Draws on a terminal of so many columns and rows.
    fn draw_on(&mut self, (columns, rows): (u16, u16), draw: impl FnOnce(Rect, &mut Buffer)) -> io::Result<()> {
        // The last column stays free, because some terminals begin a new line there.
        let area = Rect::new(0, 0, columns.saturating_sub(1).min(WIDTH_MAX), rows.saturating_sub(1).min(HEIGHT));
        let mut buffer = Buffer::empty(area);
        draw(area, &mut buffer);
        queue!(self.to, BeginSynchronizedUpdate)?;
        self.back()?;
        for y in 0..area.height {
            line(&mut self.to, (0..area.width).map(|x| &buffer[(x, y)]))?;
        }
        self.drawn = area.height;
        queue!(self.to, EndSynchronizedUpdate)?;
        self.to.flush()
    }

    fn back(&mut self) -> io::Result<()> {
        if self.drawn > 0 {
            queue!(self.to, MoveToPreviousLine(self.drawn))?;
        }
        Ok(())
    }
}

fn line<'a, W: Write>(to: &mut W, cells: impl Iterator<Item = &'a Cell>) -> io::Result<()> {
    let mut style = None;
    for cell in cells {
        if style != Some((cell.fg, cell.modifier)) {
            style = Some((cell.fg, cell.modifier));
            queue!(to, SetAttribute(Attribute::Reset), ResetColor)?;
            if cell.fg != Color::Reset {
                queue!(to, SetForegroundColor(colour(cell.fg)))?;
            }
            for (modifier, attribute) in [(Modifier::BOLD, Attribute::Bold), (Modifier::DIM, Attribute::Dim)] {
                if cell.modifier.contains(modifier) {
                    queue!(to, SetAttribute(attribute))?;
                }
            }
        }
        queue!(to, Print(cell.symbol()))?;
    }
    queue!(to, SetAttribute(Attribute::Reset), ResetColor, Clear(ClearType::UntilNewLine), Print("\n"))
}

/// The colours that the screen uses.
fn colour(color: Color) -> Colour {
    match color {
        Color::Red => Colour::DarkRed,
        Color::Green => Colour::DarkGreen,
        Color::Yellow => Colour::DarkYellow,
        Color::Magenta => Colour::DarkMagenta,
        Color::Cyan => Colour::DarkCyan,
        Color::DarkGray => Colour::DarkGrey,
        _ => Colour::Reset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_drawn_over_the_one_before() {
        let mut to = InPlace::new(Vec::new());
        let draw = |text: &'static str| {
            move |area: Rect, buffer: &mut Buffer| buffer.set_string(area.x, area.y, text, ratatui::style::Style::new())
        };
        to.draw_on(SIZE_USUAL, draw("one")).unwrap();
        let first = String::from_utf8(std::mem::take(&mut to.to)).unwrap();
        assert!(first.contains("one") && !first.contains("\u{1b}[14F"), "{first:?}");
        to.draw_on(SIZE_USUAL, draw("two")).unwrap();
        let second = String::from_utf8(std::mem::take(&mut to.to)).unwrap();
        let rows = first.matches('\n').count();
        assert!(second.contains(&format!("\u{1b}[{rows}F")), "{second:?}");
    }
}

//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::view::View;

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Quit,
}

/// Does what a key says.
pub(super) fn press(view: &mut View, key: KeyEvent) -> Next {
    if key.kind == KeyEventKind::Release {
        return Next::GoOn;
    }
    let count = view.frame.as_ref().map_or(0, |frame| frame.playbooks.len()).max(1);
    match key.code {
        KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => return Next::Quit,
        KeyCode::Esc if view.has_help => view.has_help = false,
        KeyCode::Char('q') | KeyCode::Esc => return Next::Quit,
        KeyCode::Char('p' | ' ') => view.is_paused = !view.is_paused,
        KeyCode::Char('?' | 'h') => view.has_help = !view.has_help,
        KeyCode::Tab | KeyCode::Down | KeyCode::Right => view.playbook = (view.playbook + 1) % count,
        KeyCode::BackTab | KeyCode::Up | KeyCode::Left => view.playbook = (view.playbook + count - 1) % count,
        _ => {}
    }
    Next::GoOn
}

#[cfg(test)]
mod tests {
    use super::super::rates::{Frame, PlaybookFrame};
    use super::*;

    #[test]
    fn keys_go_round_the_playbooks_pause_and_quit() {
        let frame = Frame { playbooks: vec![PlaybookFrame::default(); 3], ..Frame::default() };
        let mut view = View { frame: Some(frame), ..View::default() };
        let mut press =
            |code: KeyCode| (super::press(&mut view, code.into()), view.playbook, view.is_paused, view.has_help);
        assert_eq!(press(KeyCode::Up), (Next::GoOn, 2, false, false));
        assert_eq!(press(KeyCode::Tab), (Next::GoOn, 0, false, false));
        assert_eq!(press(KeyCode::Char('p')), (Next::GoOn, 0, true, false));
        assert_eq!(press(KeyCode::Char('?')), (Next::GoOn, 0, true, true));
        assert_eq!(press(KeyCode::Esc), (Next::GoOn, 0, true, false));
        assert_eq!(press(KeyCode::Esc).0, Next::Quit);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(super::press(&mut View::default(), interrupt), Next::Quit);
    }
}

//! Synth: applicability rules in the notation of Core fragments, sized so that fragments have the lengths
//! of recorded ones. They hold on a simulated machine exactly when its registry has the key of the update.

use crate::Catalog;
use crate::dice::{Dice, Topic};
use crate::digits;
use crate::layout::{Role, Subject};
use sluicegate_terms::UpdateId;

/// The sections of a revision; empty ones are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) is_installed: String,
    pub(crate) is_superseded: String,
    pub(crate) is_installable: String,
}

/// The rule that tells whether a machine has what an update stands for.
pub(crate) fn presence(id: UpdateId) -> String {
    format!("<b.RegKeyExists Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"SOFTWARE\\Synthetic\\Present\\{id}\" />")
}

pub(crate) fn rules(catalog: &Catalog, subject: Subject, earlier: usize) -> Rules {
    let id = catalog.id(subject);
    match subject {
        Subject::Fixed(fixed) if fixed.is_everywhere() => {
            Rules { is_installed: "<True />".to_owned(), ..Rules::default() }
        }
        Subject::Fixed(_) => Rules { is_installed: presence(id), ..Rules::default() },
        Subject::Driver(_) => Rules {
            is_installed: "<d.WindowsDriverInstalled />".to_owned(),
            is_superseded: "<d.WindowsDriverSuperseded />".to_owned(),
            is_installable: "<d.WindowsDriverInstallable />".to_owned(),
        },
        Subject::Software { .. } => match subject.role() {
            Some(Role::Bundle { .. }) => Rules::default(),
            _ => package(catalog, subject, id, earlier),
        },
    }
}

/// Installed: the key is there, or all of some files are, which no simulated machine has. Installable:
/// none of some other files is there.
fn package(catalog: &Catalog, subject: Subject, id: UpdateId, earlier: usize) -> Rules {
    let (topic, number) = subject.key();
    let mut dice = Dice::new(catalog.seed, Topic::Rules, number << 2 | u64::from(topic == Topic::Live));
    // What stands around the rules: identity, properties, relationships.
    let budget = fragment_length(&mut dice).saturating_sub(700);
    let mut is_installed = format!("<Or>{}<And>", presence(id));
    let half = budget / 2;
    loop {
        condition(&mut is_installed, &mut dice, earlier);
        if is_installed.len() >= half {
            break;
        }
    }
    is_installed.push_str("</And></Or>");
    let mut is_installable = "<Not><Or>".to_owned();
    loop {
        condition(&mut is_installable, &mut dice, earlier);
        if is_installed.len() + is_installable.len() >= budget {
            break;
        }
    }
    is_installable.push_str("</Or></Not>");
    Rules { is_installed, is_installable, is_superseded: String::new() }
}

/// Lengths of Core fragments in bytes at tenths of the distribution.
const LENGTHS: [usize; 11] = [1000, 1250, 1500, 1800, 2150, 2500, 2950, 3600, 4600, 6800, 12_000];

fn fragment_length(dice: &mut Dice) -> usize {
    let tenth = dice.below(10);
    let from = LENGTHS.get(tenth).copied().unwrap_or(0);
    let to = LENGTHS.get(tenth + 1).copied().unwrap_or(from);
    from + dice.below(to - from + 1)
}

/// A piece of a condition.
enum Piece {
    Text(&'static str),
    /// Sixteen hexadecimal digits.
    Long(u64),
    /// Eight of them.
    Short(u64),
    Number(usize),
}

/// A condition that no simulated machine meets.
fn condition(out: &mut String, dice: &mut Dice, earlier: usize) {
    use Piece::{Long, Number, Short, Text};
    let (a, b, c) = (dice.next(), Number(dice.below(100_000)), Number(dice.below(10_000)));
    let earlier = Number(earlier);
    let pieces: &[Piece] = match dice.below(5) {
        0 => &[
            Text("<b.FileVersion Path=\"system32\\"),
            Long(a),
            Text(".dll\" Csidl=\"36\" Comparison=\"GreaterThanOrEqualTo\" Version=\"10.0."),
            b,
            Text("."),
            earlier,
        ],
        1 => &[
            Text("<b.RegDword Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"SOFTWARE\\Synthetic\\"),
            Short(a),
            Text("\\Settings\" Value=\"V"),
            c,
            Text("\" Comparison=\"EqualTo\" Data=\"1"),
        ],
        2 => &[
            Text("<b.FileVersionPrependRegSz Path=\""),
            Short(a),
            Text(".dll\" Comparison=\"GreaterThanOrEqualTo\" Version=\"4."),
            c,
            Text("."),
            b,
            Text("."),
            earlier,
            Text("\" Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"SOFTWARE\\Synthetic\\"),
            Short(a >> 32),
            Text("\" Value=\"Location"),
        ],
        3 => &[
            Text("<b.RegSzToVersion Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"SOFTWARE\\Synthetic\\"),
            Short(a),
            Text("\" Value=\"Version\" Comparison=\"GreaterThanOrEqualTo\" Data=\""),
            c,
            Text("."),
            b,
        ],
        _ => &[
            Text("<CbsPackageInstalledByIdentity PackageIdentity=\"Package_for_"),
            Long(a),
            Text("~31bf3856ad364e35~amd64~~10.0."),
            b,
            Text("."),
            earlier,
        ],
    };
    for piece in pieces {
        match *piece {
            Text(text) => out.push_str(text),
            Long(value) => digits::hex(out, value, 16),
            Short(value) => digits::hex(out, value, 8),
            Number(value) => digits::decimal(out, value, 1),
        }
    }
    out.push_str("\" />");
}

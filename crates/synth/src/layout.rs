//! Synth: what stands where. Turns positions into subjects (a category, a package of a release, a driver)
//! with a few divisions, so that no table grows with the catalog.

use crate::Shape;
use crate::dice::Topic;
use crate::tree::{self, Fixed};

/// Updates of one release.
pub(crate) const RELEASE: usize = 10;

/// What an update is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subject {
    /// A category or detectoid.
    Fixed(Fixed),
    /// One of the updates of a release.
    Software {
        release: Release,
        position: usize,
    },
    Driver(usize),
}

/// A release: ten updates of one product that appear together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Release {
    /// Counts the live releases and the retired ones apart.
    pub(crate) number: usize,
    pub(crate) retired: bool,
}

/// What a position of a release is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Standalone,
    /// Of the bundle with so many members, the `n`th.
    Member {
        of: usize,
        n: usize,
    },
    /// Of this many members, which stand at the positions just before it.
    Bundle {
        members: usize,
    },
}

impl Role {
    pub(crate) const fn of(position: usize) -> Self {
        match position {
            0..=2 => Self::Standalone,
            3 => Self::Member { of: 1, n: 0 },
            4 => Self::Bundle { members: 1 },
            5..=8 => Self::Member { of: 4, n: position - 5 },
            _ => Self::Bundle { members: 4 },
        }
    }
}

impl Subject {
    /// What its random sequences start from.
    pub(crate) fn key(self) -> (Topic, u64) {
        let (topic, number) = match self {
            Self::Fixed(fixed) => (Topic::Fixed, fixed.number()),
            Self::Software { release: Release { number, retired }, position } => {
                let topic = if retired { Topic::Retired } else { Topic::Live };
                (topic, number * RELEASE + position)
            }
            Self::Driver(number) => (Topic::Driver, number),
        };
        (topic, number as u64)
    }

    pub(crate) const fn role(self) -> Option<Role> {
        match self {
            Self::Software { position, .. } => Some(Role::of(position)),
            _ => None,
        }
    }
}

/// Where a release stands in its product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) product: usize,
    /// Counts the releases of the product.
    pub(crate) local: usize,
    /// How many chains its releases form.
    lanes: usize,
}

impl Place {
    /// Counts the releases of its chain.
    pub(crate) const fn step(self) -> usize {
        self.local / self.lanes
    }

    pub(crate) const fn lane(self) -> usize {
        self.local % self.lanes
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Layout {
    live: usize,
    /// Earlier revisions of live updates.
    history: usize,
    retired_releases: usize,
    releases: usize,
    drivers: usize,
    /// For each active product the number of its first release, and one more.
    starts: Vec<usize>,
}

/// Releases of what machines run, so that clients find the same number in every catalog that has room.
fn wanted(product: usize) -> usize {
    match product {
        tree::ANTIVIRUS => 46,
        tree::RUNTIME => 26,
        tree::TOOLS => 8,
        p if tree::SYSTEMS.contains(&p) => 64,
        p if tree::OFFICES.contains(&p) => 18,
        p if tree::EXTRAS.contains(&p) => 6,
        _ => 0,
    }
}

impl Layout {
    pub(crate) fn new(shape: Shape) -> Self {
        let Shape { revisions, live, .. } = shape;
        let releases = (live - tree::COUNT - live * 15 / 100) / RELEASE;
        let drivers = live - tree::COUNT - releases * RELEASE;
        let spare = revisions - live;
        let retired_releases = spare / 2 / RELEASE;
        let history = spare - retired_releases * RELEASE;
        let all_wanted: usize = (0..tree::ACTIVE).map(wanted).sum();
        let for_machines = all_wanted.min(releases * 85 / 100);
        let rest = releases - for_machines;
        // The other products, each smaller than the one before.
        let weight = |product: usize| if wanted(product) > 0 { 0.0 } else { 1.0 / (product as f64 + 2.0) };
        let all_weight: f64 = (0..tree::ACTIVE).map(weight).sum();
        let mut starts = Vec::with_capacity(tree::ACTIVE + 1);
        let (mut wanted_so_far, mut weight_so_far) = (0, 0.0);
        for product in 0..=tree::ACTIVE {
            let machines = wanted_so_far * for_machines / all_wanted.max(1);
            let others = (weight_so_far / all_weight * rest as f64).round() as usize;
            starts.push((machines + others).min(releases));
            wanted_so_far += wanted(product);
            weight_so_far += weight(product);
        }
        Self { live, history, retired_releases, releases, drivers, starts }
    }

    pub(crate) const fn len(&self) -> usize {
        self.live + self.history + self.retired_releases * RELEASE
    }

    pub(crate) const fn live(&self) -> usize {
        self.live
    }

    pub(crate) const fn drivers(&self) -> usize {
        self.drivers
    }

    /// How many earlier revisions an update has.
    pub(crate) fn history(&self, subject: Subject) -> usize {
        let number = match subject {
            Subject::Fixed(fixed) => fixed.number(),
            Subject::Software { release: Release { retired: true, .. }, .. } => return 0,
            Subject::Software { release, position } => tree::COUNT + release.number * RELEASE + position,
            Subject::Driver(number) => tree::COUNT + self.releases * RELEASE + number,
        };
        self.history / self.live + usize::from(number < self.history % self.live)
    }

    /// The subject at a position and how many revisions of it come before.
    ///
    /// Categories and detectoids, earlier revisions in rounds, retired releases, live releases, drivers.
    pub(crate) fn place(&self, index: usize) -> Option<(Subject, usize)> {
        let newest = |subject| Some((subject, self.history(subject)));
        let mut rest = index;
        if rest < tree::COUNT {
            return newest(self.live_subject(rest)?);
        }
        rest -= tree::COUNT;
        if rest < self.history {
            return Some((self.live_subject(rest % self.live)?, rest / self.live));
        }
        rest -= self.history;
        if rest < self.retired_releases * RELEASE {
            let release = Release { number: rest / RELEASE, retired: true };
            return newest(Subject::Software { release, position: rest % RELEASE });
        }
        rest -= self.retired_releases * RELEASE;
        newest(self.live_subject(rest + tree::COUNT)?)
    }

    /// The live update of a number below [`Self::live`].
    fn live_subject(&self, number: usize) -> Option<Subject> {
        if let Some(fixed) = Fixed::from_number(number) {
            return Some(Subject::Fixed(fixed));
        }
        let rest = number - tree::COUNT;
        if rest < self.releases * RELEASE {
            let release = Release { number: rest / RELEASE, retired: false };
            return Some(Subject::Software { release, position: rest % RELEASE });
        }
        let driver = rest - self.releases * RELEASE;
        (driver < self.drivers).then_some(Subject::Driver(driver))
    }

    /// Every live update.
    pub(crate) fn live_subjects(&self) -> impl Iterator<Item = Subject> {
        (0..self.live).filter_map(|number| self.live_subject(number))
    }

    /// Every retired update.
    pub(crate) fn retired(&self) -> impl Iterator<Item = Subject> + use<> {
        (0..self.retired_releases * RELEASE).map(|number| Subject::Software {
            release: Release { number: number / RELEASE, retired: true },
            position: number % RELEASE,
        })
    }

    /// Which product a release belongs to.
    pub(crate) fn place_of(&self, release: Release) -> Place {
        if release.retired {
            let product = tree::ACTIVE + release.number % tree::RETIRED;
            return Place { product, local: release.number / tree::RETIRED, lanes: 1 + product % 2 };
        }
        let product = self.starts.partition_point(|&start| start <= release.number).saturating_sub(1);
        let start = self.starts.get(product).copied().unwrap_or(0);
        let lanes = match product {
            tree::ANTIVIRUS => 1,
            p if tree::SYSTEMS.contains(&p) => 2,
            p => 1 + p % 4,
        };
        Place { product, local: release.number - start, lanes }
    }

    /// The release `back` steps before in the same chain.
    pub(crate) fn earlier(&self, release: Release, back: usize) -> Option<Release> {
        let place = self.place_of(release);
        let distance = back * place.lanes;
        if distance > place.local {
            return None;
        }
        let number = if release.retired {
            release.number - distance * tree::RETIRED
        } else {
            release.number - distance
        };
        Some(Release { number, ..release })
    }
}

//! Whether the node may take traffic: a list of named conditions, each of which says what is wrong when it
//! does not hold.

use std::sync::{Arc, RwLock};

use serde::Serialize;

use crate::shutdown::{Shutdown, Stage};

type Condition = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What it means for the node when a condition does not hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It takes no traffic.
    Needed,
    /// It takes traffic; somebody should look.
    Warns,
}

/// A condition with its name and what hangs on it.
type Named = (&'static str, Weight, Condition);

/// The conditions. Cloning shares them.
#[derive(Clone)]
pub struct Checks {
    conditions: Arc<RwLock<Vec<Named>>>,
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every condition holds that traffic needs.
    pub ready: bool,
    /// Each condition, in the order in which they were added.
    pub checks: Vec<Check>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name: a stable word.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// What is wrong, when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

impl Checks {
    /// One condition to begin with: the node is not shutting down.
    pub fn new(shutdown: Shutdown) -> Self {
        let checks = Self { conditions: Arc::default() };
        checks.add("not_shutting_down", move || match shutdown.stage() {
            Stage::Running => Ok(()),
            Stage::Leaving => Err("The node is to stop: send nobody here any more.".to_owned()),
            Stage::Draining | Stage::AtOnce => Err("The node is shutting down.".to_owned()),
        });
        checks
    }

    /// Adds a condition. It is asked on every request, so it must answer at once, without waiting for
    /// anybody.
    pub fn add(&self, name: &'static str, holds: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.push((name, Weight::Needed, Arc::new(holds)));
    }

    /// Adds a condition that is shown, and without which the node still takes traffic.
    pub fn warn(&self, name: &'static str, holds: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.push((name, Weight::Warns, Arc::new(holds)));
    }

    fn push(&self, condition: (&'static str, Weight, Condition)) {
        self.conditions.write().expect("conditions do not panic").push(condition);
    }

    /// Asks every condition.
    pub fn report(&self) -> Report {
        let conditions = self.conditions.read().expect("conditions do not panic").clone();
        let mut report = Report { ready: true, checks: Vec::with_capacity(conditions.len()) };
        for (name, weight, holds) in conditions {
            let says = holds().err();
            report.ready &= says.is_none() || weight == Weight::Warns;
            report.checks.push(Check { name, ok: says.is_none(), says });
        }
        report
    }
}

//! Whether the node may take traffic: a list of named conditions, each of which says what is wrong when it
//! does not hold.

use std::sync::{Arc, RwLock};

use serde::Serialize;

use crate::shutdown::Shutdown;

type Condition = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The conditions. Cloning shares them.
#[derive(Clone)]
pub struct Checks {
    conditions: Arc<RwLock<Vec<(&'static str, Condition)>>>,
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every condition holds.
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
        checks.add("not_shutting_down", move || match shutdown.is_draining() {
            true => Err("The node is shutting down.".to_owned()),
            false => Ok(()),
        });
        checks
    }

    /// Adds a condition. It is asked on every request, so it must answer at once, without waiting for
    /// anybody.
    pub fn add(&self, name: &'static str, holds: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.conditions.write().expect("conditions do not panic").push((name, Arc::new(holds)));
    }

    /// Asks every condition.
    pub fn report(&self) -> Report {
        let conditions = self.conditions.read().expect("conditions do not panic").clone();
        let checks: Vec<_> = conditions
            .iter()
            .map(|(name, holds)| {
                let says = holds().err();
                Check { name, ok: says.is_none(), says }
            })
            .collect();
        Report { ready: checks.iter().all(|check| check.ok), checks }
    }
}

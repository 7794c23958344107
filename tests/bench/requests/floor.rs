//! The process of the floor: the least that a program must do for the same answers.

use std::{process::Command, time::Duration};

use insula_tests::{Process, binary, services};

use crate::setup::Setup;

/// A running floor. It ends when this is dropped.
pub(super) struct FloorProcess {
    process: Process,
    pub(super) url: String,
}

impl FloorProcess {
    /// Starts it on the database of a setup.
    pub(super) async fn start(setup: &Setup) -> Result<Self, String> {
        let port = services::free_port()?.to_string();
        let mut command = Command::new(binary("floor"));
        command.args([&port, setup.cluster.env().admin_url()]);
        let process = Process::start(&mut command, "TERM").map_err(|error| format!("floor: {error}"))?;
        let mut floor = Self { process, url: format!("http://127.0.0.1:{port}") };
        let health = format!("{}/health", floor.url);
        while reqwest::get(&health).await.is_err() {
            if floor.process.ended().is_some() {
                return Err("the floor has ended".to_owned());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(floor)
    }

    /// The time that it has computed so far, in milliseconds.
    pub(super) fn cpu_milliseconds(&self) -> u64 {
        self.process.cpu_milliseconds()
    }
}

//! A program that runs beside the tests and never outlives them.

use std::{
    process::{Child, Command, ExitStatus},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

/// How long a program may take to end after the stop signal.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running program. When dropped, it gets the stop signal, and SIGKILL after 10 s.
pub struct Process {
    child: Child,
    stop_signal: &'static str,
}

impl Process {
    /// Starts `command`; `stop_signal` is the signal (`TERM`, `QUIT`, `KILL`) that asks it to end.
    pub fn start(command: &mut Command, stop_signal: &'static str) -> std::io::Result<Self> {
        Ok(Self { child: command.spawn()?, stop_signal })
    }

    /// The child process with its pipes.
    pub fn pipes(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// The time that it has computed so far, in milliseconds.
    pub fn cpu_milliseconds(&self) -> u64 {
        10 * cpu_ticks(&[self.child.id()])
    }

    /// The exit status; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal, by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end; `None` when it still runs after `patience`.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.ended() {
                None if Instant::now() < deadline => sleep(Duration::from_millis(10)),
                ended => return ended,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        if self.stop_signal == "KILL" {
            return self.kill();
        }
        drop(self.child.stdin.take());
        self.signal(self.stop_signal);
        if self.wait(TIMEOUT).is_none() {
            self.kill();
        }
    }
}

/// Sends a signal to a process that we started, by its name without `SIG`.
pub(crate) fn signal(pid: u32, name: &str) {
    signal_all(&[pid], name);
}

/// Sends a signal to processes that we started; one that has ended gets none.
pub(crate) fn signal_all(pids: &[u32], name: &str) {
    let signal = match name {
        "CONT" => Signal::CONT,
        "INT" => Signal::INT,
        "KILL" => Signal::KILL,
        "QUIT" => Signal::QUIT,
        "STOP" => Signal::STOP,
        "TERM" => Signal::TERM,
        other => panic!("no test sends SIG{other}"),
    };
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)) {
        // It may have ended by itself.
        kill_process(pid, signal).unwrap_or_default();
    }
}

/// The memory of a process in bytes, by the name that `/proc` has for it: `VmRSS` now, `VmHWM` at most.
pub(crate) fn memory(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rest = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(rest.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The time that processes have computed so far, in clock ticks of 10 ms (`proc_pid_stat(5)`).
pub(crate) fn cpu_ticks(pids: &[u32]) -> u64 {
    let ticks = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the name, which can contain spaces: user and system time are the 12th and 13th.
        let (_, rest) = stat.rsplit_once(')')?;
        let numbers: Vec<_> = rest.split_whitespace().skip(11).take(2).collect();
        Some(numbers.iter().filter_map(|number| number.parse::<u64>().ok()).sum::<u64>())
    };
    pids.iter().filter_map(ticks).sum()
}

/// Resets `VmHWM` of a process to the current memory (`proc_pid_clear_refs(5)`).
pub(crate) fn reset_peak_memory(pid: u32) -> bool {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").is_ok()
}

/// Sets how large a file a process may write, in bytes; `None`: as large as its hard limit allows (`prlimit(2)`).
pub(crate) fn limit_files(pid: u32, bytes: Option<u64>) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let limit = getrlimit(Resource::Fsize);
    let limit = Rlimit { current: bytes.or(limit.maximum), maximum: limit.maximum };
    prlimit(pid, Resource::Fsize, limit).expect("we may limit what we have started");
}

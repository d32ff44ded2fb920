//! The environment variables that this process sets for itself, and hides from user code.

use std::env;
use std::ffi::OsString;
use std::process::Command;

/// The names of the variables that this process has changed, with the user's values, which are given back to user code.
#[derive(Clone, Debug, Default)]
pub struct OwnVariables(Vec<(&'static str, Option<OsString>)>);

impl OwnVariables {
    /// Sets environment variables of this process.
    ///
    /// # Safety
    /// The process must have no other thread: another one could read the environment while it changes.
    pub unsafe fn set(variables: &[(&'static str, OsString)]) -> Self {
        let before = variables.iter().map(|(name, _)| (*name, env::var_os(name))).collect();
        for (name, value) in variables {
            // SAFETY: the caller guarantees that no other thread exists, so nothing reads the environment during the call.
            unsafe { env::set_var(name, value) };
        }
        Self(before)
    }

    /// The user's value of a changed variable.
    pub fn users(&self, name: &str) -> Option<&OsString> {
        self.0.iter().find(|(own, _)| *own == name)?.1.as_ref()
    }

    /// Makes a command run with the user's values.
    pub fn restore(&self, command: &mut Command) {
        for (name, value) in &self.0 {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn commands_get_the_users_values_back() {
        let own = OwnVariables(vec![("CHANGED", Some("the user's".into())), ("ADDED", None)]);
        let mut command = Command::new("program");
        own.restore(&mut command);
        let given: Vec<_> = command.get_envs().collect();
        let expected = [(OsStr::new("ADDED"), None), (OsStr::new("CHANGED"), Some(OsStr::new("the user's")))];
        assert_eq!(given, expected);
    }
}

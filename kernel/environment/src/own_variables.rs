//! The variables of this process's environment that are none of the user's.

use std::env;
use std::ffi::OsString;
use std::process::Command;

/// The variables that this process changes for itself, with the user's values, which user code gets back.
#[derive(Clone, Debug, Default)]
pub struct OwnVariables(Vec<(&'static str, Option<OsString>)>);

impl OwnVariables {
    /// Sets variables of this process.
    ///
    /// # Safety
    /// There must be no other thread yet.
    pub unsafe fn set(variables: &[(&'static str, OsString)]) -> Self {
        let before = variables.iter().map(|(name, _)| (*name, env::var_os(name))).collect();
        for (name, value) in variables {
            // SAFETY: the caller guarantees that there is no other thread, which could read the environment meanwhile.
            unsafe { env::set_var(name, value) };
        }
        Self(before)
    }

    /// The user's value of one of them.
    pub fn users(&self, name: &str) -> Option<&OsString> {
        self.0.iter().find(|(own, _)| *own == name)?.1.as_ref()
    }

    /// Gives a command the user's values.
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

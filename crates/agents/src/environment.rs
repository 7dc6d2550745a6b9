//! What of the caller's environment an agent gets.

use std::collections::BTreeMap;

/// Environment variables by name.
pub type Environment = BTreeMap<String, String>;

/// The variables that every agent inherits. All others are the daemon's own business: its secrets are not the agent's.
pub(crate) const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TERM",
    "COLORTERM",
    "TZ",
    "SSH_AUTH_SOCK",
    "XDG_*",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];

/// The part of `environment` that an agent gets: what every agent gets, and what `also` names. A name that ends with
/// `*` stands for all that begin so.
pub fn inherited(environment: &Environment, also: &[&str]) -> Environment {
    let may = |name: &str| {
        INHERITED.iter().chain(also).any(|allowed| match allowed.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == *allowed,
        })
    };
    environment
        .iter()
        .filter(|(name, _)| may(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Environment {
        names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect()
    }

    #[test]
    fn an_agent_gets_what_is_allowed_and_no_secret_of_the_daemon() {
        let all =
            of(&["PATH", "LC_ALL", "MAKIMA_API_KEY", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "PATHS", "LC"]);
        assert_eq!(inherited(&all, &[]), of(&["PATH", "LC_ALL"]));
    }

    #[test]
    fn an_agent_gets_what_it_needs_besides() {
        let all = of(&["AWS_REGION", "AWS_PROFILE", "ANTHROPIC_API_KEY", "GITHUB_TOKEN"]);
        assert_eq!(
            inherited(&all, &["AWS_*", "ANTHROPIC_API_KEY"]),
            of(&["AWS_REGION", "AWS_PROFILE", "ANTHROPIC_API_KEY"])
        );
    }
}

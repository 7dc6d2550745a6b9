//! Which server a command speaks to.

use crate::{
    credentials::Credentials,
    data_folder::DataFolder,
    failure::{Exit, Failure},
    printer::{Line, Printer, Style, one_line},
};
use clap::Args;
use makima_client::{Client, ClientError};

/// The address of a server that nobody moved.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:7447";

/// The server of a command, where it isn't the one of the data directory.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerChoice {
    /// The server's address; without it, the one that `makima up` saved in the data directory
    #[arg(long, env = "MAKIMA_API_URL", value_name = "URL", help_heading = "Server")]
    pub(crate) api_url: Option<String>,
    /// The key to speak to it with
    #[arg(long, env = "MAKIMA_API_KEY", value_name = "KEY", hide_env_values = true, help_heading = "Server")]
    pub(crate) api_key: Option<String>,
}

impl ServerChoice {
    /// A client of the server that was told, else of the one whose credentials lie in the data directory.
    pub(crate) fn client(&self, data: &DataFolder) -> Result<Client, Failure> {
        let saved = || Credentials::load(&data.credentials());
        let (url, key) = match (&self.api_url, &self.api_key) {
            (Some(url), Some(key)) => (url.clone(), key.clone()),
            (Some(url), None) => match saved()? {
                Some(saved) if saved.url == url.trim_end_matches('/') => (saved.url, saved.api_key),
                _ => {
                    return Err(Failure {
                        exit: Exit::NotAllowed,
                        ..Failure::new(format!("there is no key for {url}"))
                    }
                    .hint("set MAKIMA_API_KEY to a key of that server"));
                }
            },
            (None, key) => match (saved()?, key) {
                (Some(saved), key) => (saved.url, key.clone().unwrap_or(saved.api_key)),
                (None, Some(key)) => (format!("http://{DEFAULT_LISTEN}"), key.clone()),
                (None, None) => return Err(no_server(data)),
            },
        };
        // By this the server knows where a change of history was asked for.
        let client = Client::new(&url, Some(key))?.telling(tell_of_waiting);
        Ok(client.called(concat!("makima-cli/", env!("CARGO_PKG_VERSION"))))
    }
}

/// Says why nothing comes yet: on standard error, whatever else is printed.
pub(crate) fn tell_of_waiting(why: &ClientError) {
    let why = one_line(&why.to_string());
    Printer::new(false).note(Line::styled(Style::Warn, "waiting: ").plain(why));
}

/// There is no trace of a server.
fn no_server(data: &DataFolder) -> Failure {
    Failure {
        exit: Exit::NoServer,
        ..Failure::new(format!("no server is known: {} has no credentials.json", data.path().display()))
    }
    .hint(
        "start one with `makima up` in another terminal; with a data directory of its own, name the same one \
         here: --data-dir or MAKIMA_DATA_DIR",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let temporary = tempfile::tempdir().unwrap();
        let data = DataFolder::find(Some(temporary.path())).unwrap();
        (temporary, data)
    }

    fn choice(url: Option<&str>, key: Option<&str>) -> ServerChoice {
        ServerChoice { api_url: url.map(str::to_owned), api_key: key.map(str::to_owned) }
    }

    #[test]
    fn what_was_told_stands_above_what_was_saved() {
        let (_temporary, data) = folder();
        assert_eq!(choice(None, None).client(&data).unwrap_err().exit, Exit::NoServer);
        assert_eq!(choice(None, Some("k")).client(&data).unwrap().url(), "http://127.0.0.1:7447");
        let saved = Credentials {
            url: "http://127.0.0.1:1".to_owned(),
            api_key: "key".to_owned(),
            owner_id: "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000".parse().unwrap(),
        };
        saved.save(&data.credentials()).unwrap();
        assert_eq!(choice(None, None).client(&data).unwrap().url(), "http://127.0.0.1:1");
        assert_eq!(choice(Some("http://x:2"), Some("k")).client(&data).unwrap().url(), "http://x:2");
    }

    #[test]
    fn a_saved_key_is_told_to_no_other_server() {
        let (_temporary, data) = folder();
        assert_eq!(choice(Some("http://x:2"), None).client(&data).unwrap_err().exit, Exit::NotAllowed);
    }
}

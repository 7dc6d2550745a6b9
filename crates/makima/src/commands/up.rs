//! `makima up`

use crate::{
    arguments::Global,
    commands::daemon,
    config::Config,
    connection::tell_of_waiting,
    credentials::Credentials,
    data_folder::{DataFolder, Lock},
    demo::Demo,
    environment,
    failure::{Exit, Failure, chain},
    printer::{Line, Printer, Style},
    standing::{
        DaemonOptions, ServerOptions, connected, prepare, start_daemon, start_server, url_of, without_agent,
    },
};
use clap::Args;
use makima_client::Client;
use makima_daemon::Daemon;
use makima_model::OwnerId;
use makima_server::{ApiError, App, Server};
use serde::Serialize;

/// Start Makima: server and daemon in one process, with no configuration
///
/// The first start makes you an owner and a key, and saves the key where the other commands find it. Leave it running,
/// and call `makima run` in another terminal.
///
/// Ctrl-C stops all agents in good order; everything is kept. SIGTERM leaves them working: the next `makima up` takes
/// them up again.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  makima up
  makima up --demo                   with work to look at, done by an agent that needs no key
  makima up --data-dir ./.makima     apart from your own data")]
pub(crate) struct UpArguments {
    #[command(flatten)]
    server: ServerOptions,
    /// Make a small repository with tasks, on which a scripted agent really works
    #[arg(long)]
    demo: bool,
}

/// The one line for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'a> {
    url: &'a str,
    api_key: &'a str,
    owner_id: OwnerId,
    web_url: &'a str,
}

/// All that stands while the command runs.
struct Standing {
    server: Server,
    daemon: Daemon,
    demo: Option<Demo>,
    credentials: Credentials,
    _locks: [Lock; 2],
}

/// Runs server and daemon until a signal comes.
pub(crate) async fn up(global: &Global, arguments: UpArguments, printer: &Printer) -> Result<Exit, Failure> {
    let (data, config, mut signals) = prepare(global)?;
    let Standing { server, daemon, demo, credentials, _locks } =
        signals.unless_ended(start(&arguments, &config, &data)).await?;
    let Credentials { url, api_key, owner_id } = &credentials;
    let client = Client::new(url, Some(api_key.clone()))?.telling(tell_of_waiting);
    let link = client.create_sign_in_link().await?;
    printer.document(&Ready { url, api_key, owner_id: *owner_id, web_url: &link.url });
    printer.line(Line::from("Makima is ready at ").then(Style::Strong, url));
    printer.line(Line::styled(Style::Faint, "In a browser, signed in once: ").then(Style::Accent, link.url));

    // For another terminal, which knows nothing of the variables of this one.
    let program = data.call(&environment::program_name());
    let ending = match &demo {
        None => {
            without_agent(&daemon).into_iter().for_each(|line| printer.line(line));
            printer.line(
                Line::from("Next, in a git repository and another terminal: ")
                    .then(Style::Accent, format!("{program} run \"what the agent shall do\"")),
            );
            signals.next().await
        }
        Some(demo) => {
            tokio::select! {
                ending = signals.next() => ending,
                failure = demo.show(&client, printer, &program, without_agent(&daemon)) => {
                    // What it shows is beside the point of the server: that goes on.
                    printer.failure(&failure);
                    signals.next().await
                }
            }
        }
    };
    printer.close();
    daemon::end(daemon, ending, &mut signals, printer).await?;
    server.stop().await;
    Ok(Exit::Done)
}

async fn start(arguments: &UpArguments, config: &Config, data: &DataFolder) -> Result<Standing, Failure> {
    data.check_room()?;
    let mut lock = data.lock("server")?;
    let daemons_lock = data.lock("daemon")?;
    let server = start_server(&arguments.server, config, data).await?;
    let url = url_of(server.address());
    let credentials = credentials(&server, &url, data).await?;
    lock.tell(Some(&url));
    let mut agents = config.agents();
    let demo = match arguments.demo {
        true => Some(Demo::prepare(data, &mut agents).await?),
        false => None,
    };
    let options = DaemonOptions {
        server_url: url,
        api_key: credentials.api_key.clone(),
        name: None,
        max_concurrent_tasks: None,
        agents,
    };
    let daemon = start_daemon(options, config, data).await?;
    connected(&daemon).await?;
    Ok(Standing { server, daemon, demo, credentials, _locks: [lock, daemons_lock] })
}

/// The key of the data folder's own, made anew where it is lost, and the owner whose it is, made where there is none.
async fn credentials(server: &Server, url: &str, data: &DataFolder) -> Result<Credentials, Failure> {
    let path = data.credentials();
    let app = server.app();
    let refused = |error: ApiError| Failure::because("no owner or key could be made", &error);
    let saved = match Credentials::load(&path)? {
        Some(saved) => app
            .key_owner(&saved.api_key)
            .await
            .map_err(|error| Failure::new(chain(&error)))?
            .map(|owner| (owner, saved.api_key)),
        None => None,
    };
    let (owner_id, api_key) = match saved {
        Some(saved) => saved,
        None => make_key(app).await.map_err(refused)?,
    };
    let credentials = Credentials { url: url.to_owned(), api_key, owner_id };
    credentials.save(&path)?;
    Ok(credentials)
}

async fn make_key(app: &App) -> Result<(OwnerId, String), ApiError> {
    match app.owners().await?.first() {
        Some((owner, _)) => Ok((*owner, app.create_key(*owner, "makima up").await?.1)),
        None => {
            let user = app.create_user(&environment::login_name()).await?;
            Ok((user.id, user.api_key))
        }
    }
}

//! When a request that is carried out once is sent again, and when no more.

use crate::ClientError;
use makima_wire::Code;
use reqwest::StatusCode;
use std::time::Duration;
use tokio::time::Instant;

/// How long it is tried: longer than a server takes to start again, and to know that its predecessor died over the request.
const LONGEST: Duration = Duration::from_secs(30);
/// The first pause; each is twice the one before.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LAST: Duration = Duration::from_secs(2);
/// The pause with which whoever waits is told why: nobody notices those before it. It comes once, as each before the last.
pub(crate) const TOLD: Duration = Duration::from_millis(400);

/// What is known of a request that has not been answered.
#[derive(Debug)]
pub(crate) struct Again {
    until: Instant,
    pause: Duration,
    /// Whether the server may know of it.
    may_have_arrived: bool,
}

impl Again {
    pub(crate) fn new(now: Instant) -> Self {
        Self { until: now + LONGEST, pause: FIRST, may_have_arrived: false }
    }

    /// How long to wait before it is sent again after this; `None` where that is of no use, or was tried for long enough.
    pub(crate) fn after(&mut self, error: &ClientError, now: Instant) -> Option<Duration> {
        match error {
            // Nobody is there, and nothing was asked: that is told at once.
            ClientError::Unreachable { source, .. } if source.is_builder() => return None,
            ClientError::Unreachable { source, .. } if source.is_connect() && !self.may_have_arrived => {
                return None;
            }
            ClientError::Unreachable { .. } => self.may_have_arrived = true,
            ClientError::Refused { body, .. }
                if matches!(body.code, Code::DbUnavailable | Code::RequestInProgress) => {}
            // What stands before a server that starts again.
            ClientError::NotMakima { status, .. }
                if matches!(
                    *status,
                    StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
                ) =>
            {
                self.may_have_arrived = true;
            }
            ClientError::Refused { .. } | ClientError::NotMakima { .. } | ClientError::Strange { .. } => {
                return None;
            }
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LAST);
        (now + pause <= self.until).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use makima_wire::ErrorBody;

    fn refused(status: u16, code: Code) -> ClientError {
        let body = ErrorBody { code, message: String::new(), details: None, request_id: String::new() };
        ClientError::Refused { url: String::new(), status: StatusCode::from_u16(status).unwrap(), body }
    }

    async fn unreachable(url: &str) -> ClientError {
        crate::tls::install();
        let source = reqwest::Client::new().get(url).send().await.unwrap_err();
        ClientError::Unreachable { url: url.to_owned(), source }
    }

    /// The pause after an error that comes first, at once.
    fn pause_after(error: &ClientError) -> Option<Duration> {
        let now = Instant::now();
        Again::new(now).after(error, now)
    }

    #[test]
    fn what_passes_by_itself_is_waited_for_but_not_for_ever() {
        let mut now = Instant::now();
        let mut again = Again::new(now);
        let mut pauses = Vec::new();
        while let Some(pause) = again.after(&refused(503, Code::DbUnavailable), now) {
            now += pause;
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses[..6], [100, 200, 400, 800, 1600, 2000]);
        assert_eq!(pauses.iter().filter(|pause| **pause == TOLD.as_millis()).count(), 1);
        assert!((25_000..=30_000).contains(&pauses.iter().sum::<u128>()), "{pauses:?}");
    }

    #[test]
    fn what_was_said_is_taken_and_what_got_lost_is_asked_again() {
        for (status, code) in
            [(409, Code::Conflict), (503, Code::NoDaemon), (500, Code::Internal), (422, Code::Unprocessable)]
        {
            assert_eq!(pause_after(&refused(status, code)), None, "{code:?}");
        }
        for (status, code) in [(409, Code::RequestInProgress), (503, Code::DbUnavailable)] {
            assert!(pause_after(&refused(status, code)).is_some(), "{code:?}");
        }
        let proxy = |status| ClientError::NotMakima { url: String::new(), status };
        assert!(pause_after(&proxy(StatusCode::BAD_GATEWAY)).is_some());
        assert_eq!(pause_after(&proxy(StatusCode::NOT_FOUND)), None);
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_waited_for_only_where_it_may_know_of_the_request() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hanging_up = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            drop(stream);
        });
        let lost = unreachable(&url).await;
        hanging_up.await.unwrap();
        let gone = unreachable(&url).await;
        let now = Instant::now();
        let mut again = Again::new(now);
        assert_eq!(again.after(&gone, now), None);
        assert!(again.after(&lost, now).is_some());
        assert!(again.after(&gone, now).is_some());
    }
}

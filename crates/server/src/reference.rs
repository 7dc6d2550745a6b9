//! `docs/api.md`: every route, and who may call it, out of the description of the API itself.

use crate::routes::{access::rule, openapi};
use axum::http::Method;
use std::fmt::Write;
use utoipa::openapi::path::Operation;

const HEAD: &str = "\
# The API

Written by `make docs` out of the program itself: change it there.

Everything is below `/api/v1`, but for `/healthz`, `/readyz` and `/metrics` (for Prometheus; it tells nothing of any owner's). Bodies are JSON in camelCase; times are RFC 3339 in UTC with
microseconds, ids are UUIDv7. Every shape is in the OpenAPI document at `/api/v1/openapi.json`, which a running server shows as
pages at `/docs`; nothing is loaded from elsewhere.

## Keys

| who | sends | gets it from |
|---|---|---|
| the owner | `Authorization: Bearer <key>` or `X-API-Key: <key>` | `makima up` (saved for the command line), `makima user create`, `makima key create` |
| the owner's browser | a session's cookie | a link to sign in with once: `makima open` |
| an agent | `X-Makima-Tool-Key: <key>` | its environment, `MAKIMA_TOOL_KEY`; dead when its run has ended |

The server keeps hashes alone. A secret opens the door only where it is sent as what it is. What belongs to another owner is 404, whether it is
there or not. For an agent whatever is not its own is 403, whether it is there or not. A session changes something only in requests
with an `Origin` header of the server's own pages.

The server answers to `localhost`, to addresses in digits, to the host of `public_url` and to `allowed_hosts` (`docs/configuration.md`); to other names
it says 421 `UNKNOWN_HOST`. A request with a foreign `Origin` is 403, also one for a WebSocket.

## Errors

`{\"code\", \"message\", \"details\"?, \"requestId\"}`; the answer's `X-Request-Id` is the same, and the server's log has it. 400: it doesn't parse, has an unknown
field, or a bad id, date, word or cursor. 401: no key that is known. 403: the key doesn't open this. 404: there is no such thing. 409:
it doesn't fit the present state. 412: it is no longer what `If-Match` says. 413: the body is too large. 422: well-formed, and breaks a rule. 429: too many requests; `Retry-After` says
for how many seconds to wait. 503: the database or a daemon can't be reached. With any of them nothing has changed.

## Sending a request again

Whatever changes something takes an `Idempotency-Key` (1 to 255 visible ASCII characters), but for signing in and out: the request is carried out once, however
often it is sent. The key is kept for 24 hours, for one owner, method and path; whoever calls for the owner shares it.

| the same key again | answer |
|---|---|
| with the same query and body, byte by byte | what the first answered: status, body and `ETag` |
| with others | 422 |
| while the first is being carried out, also when its caller has hung up | 409 `REQUEST_IN_PROGRESS`; `Retry-After` says for how many seconds to wait |
| when the server died over it | within ten seconds the same 409; then it goes on from where it came to, and nothing is done twice |
| after a 409 or a 412 that came of the state in which things stood | the same refusal: it was decided |
| after any other error | it is carried out, as if for the first time or from where it came to |

An answer of more than 1 MiB is not kept but made anew, of what is there then. A key's secret (`POST /keys`) is told once: again it is 409. The command line sends a
key with whatever it changes, and asks again by itself for half a minute when an answer is lost or the database is away.

## Changing what was seen

A contract is answered with an `ETag`, which changes with whatever can be changed of it (also its phase), not with what its tasks come to. A `PATCH` with
`If-Match` (that tag, several, or `*`) changes it only if it still has such a tag; else 412 `PRECONDITION_FAILED`, with the present one. Without it the last one to
write a field wins, and no other field is touched. What has no tag takes only `*`.

## Lists

`limit` (1 to 1000, else 100), `order` (`desc`, newest first, or `asc`), `cursor` (of the page before, with the same filters and order). Each answers its rows,
`totalCount`, and `cursor` where there is more. A walk shows each row once, also while rows are added.

A conversation is told oldest first: all of it, or with `limit` its last messages, whose `cursor` leads to older ones.

## Points

A moment of a task is named by a point: `head`, `~N` (N messages before the head), `checkpoint:N`, a checkpoint's id or its commit (7 digits or more),
`message:<id>` (just after it), `snapshot:<id>`, or a time, with `time:` before it or bare. A time follows the branch that was the newest then. What was rewound away is
named by its messages and checkpoints. A point before the first message is the empty conversation and the commit that the task began with. One that
doesn't exist is 404; digits that begin several commits are 422, with these in `details.candidates`.

## Limits

A body has at most 16 MiB and may not stall for more than 30 s. One owner has 1000 requests a second and 10,000 at once, one agent 20 and 200; keys that open nothing are
taken once a second and 30 at once from one address.

## Who may call what

| route | what it does | who may call it |
|---|---|---|
";

/// The page.
pub fn api_reference() -> String {
    let mut page = HEAD.to_owned();
    let api = openapi();
    let mut routes: Vec<(&str, Method, &Operation)> = Vec::new();
    for (path, item) in &api.paths.paths {
        let operations = [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ];
        routes.extend(operations.into_iter().filter_map(|(method, operation)| {
            operation.as_ref().map(|operation| (path.as_str(), method, operation))
        }));
    }
    for (path, method, operation) in routes {
        let who = rule(&method, path).map_or("nobody", |rule| rule.told());
        let what = operation.summary.as_deref().unwrap_or_default().trim_end_matches('.');
        let short = path.strip_prefix("/api/v1").unwrap_or(path);
        // Writing to a String doesn't fail.
        let _ = writeln!(page, "| `{method} {short}` | {what} | {who} |");
    }
    page.push_str(
        "\nBeside these the daemons have three routes of their own (`docs/protocol.md`), for the owner's keys, and the OpenAPI \
         document is for everybody.\n",
    );
    page
}

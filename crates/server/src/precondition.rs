//! `If-Match`: a change that is made only to what its sender has seen (RFC 9110, §13.1.1).
//!
//! A tag is the number of a version. It stands for what can be changed of a thing, not for what else is told with it, such as
//! what a contract's tasks come to: that changes all the time, and nobody's change is lost by it.

use crate::error::ApiError;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use makima_wire::Code;

/// Which versions a change may be made to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Whichever there is.
    Any,
    /// One with one of these tags.
    OneOf(Vec<String>),
}

impl Expected {
    /// 412 unless the change may be made to this version; `None` for what has no tags.
    pub(crate) fn holds_of(&self, version: Option<i64>) -> Result<(), ApiError> {
        let tag = version.map(etag);
        let holds = match (self, &tag) {
            (Self::Any, _) => true,
            (Self::OneOf(tags), Some(tag)) => tags.iter().any(|one| one.as_bytes() == tag.as_bytes()),
            (Self::OneOf(_), None) => false,
        };
        if holds {
            return Ok(());
        }
        let message = "it has been changed since it was read: read it again, and change what it is now";
        Err(ApiError::new(Code::PreconditionFailed, message).tagged(tag))
    }
}

/// The tag of a version.
pub(crate) fn etag(version: i64) -> HeaderValue {
    // Digits and quotes are a header's value.
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parse(&parts.headers).ok_or_else(|| {
            ApiError::bad_request(
                "If-Match doesn't parse: it must be `*`, or tags in quotes with commas between them",
            )
        })
    }
}

/// What the headers say; `None` where that is nothing.
fn parse(headers: &HeaderMap) -> Option<Expected> {
    let mut fields = headers.get_all(header::IF_MATCH).iter().peekable();
    if fields.peek().is_none() {
        return Some(Expected::Any);
    }
    let fields: Vec<&[u8]> = fields.map(HeaderValue::as_bytes).collect();
    // Several lines are one list.
    let line = fields.join(&b", "[..]);
    let mut rest = &line[..];
    if rest.trim_ascii() == b"*" {
        return Some(Expected::Any);
    }
    let mut tags = Vec::new();
    let mut found = 0;
    loop {
        rest = rest.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            let (weak, tag) = match rest.strip_prefix(b"W/") {
                Some(tag) => (true, tag),
                None => (false, rest),
            };
            let inner = tag.strip_prefix(b"\"")?;
            let length = inner.iter().position(|byte| *byte == b'"')?;
            let (inner, after) = inner.split_at(length);
            inner.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)).then_some(())?;
            found += 1;
            // A weak one equals none here: the comparison is the strong one.
            if let (false, Ok(inner)) = (weak, std::str::from_utf8(inner)) {
                tags.push(format!("\"{inner}\""));
            }
            rest = after.strip_prefix(b"\"")?.trim_ascii_start();
        }
        match rest.split_first() {
            None => break,
            Some((b',', after)) => rest = after,
            Some(_) => return None,
        }
    }
    (found > 0).then_some(Expected::OneOf(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(lines: &[&str]) -> Option<Expected> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, HeaderValue::from_str(line).unwrap());
        }
        parse(&headers)
    }

    #[test]
    fn a_list_of_tags_is_read_as_the_standard_has_it() {
        let tags = |tags: &[&str]| Some(Expected::OneOf(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        assert_eq!(parsed(&[]), Some(Expected::Any));
        assert_eq!(parsed(&[" * "]), Some(Expected::Any));
        assert_eq!(parsed(&["\"1\""]), tags(&["\"1\""]));
        assert_eq!(parsed(&["\"1\",\"a,b\" , W/\"3\",,\"\""]), tags(&["\"1\"", "\"a,b\"", "\"\""]));
        assert_eq!(parsed(&["\"1\"", "\"2\""]), tags(&["\"1\"", "\"2\""]));
        assert_eq!(parsed(&["W/\"1\""]), tags(&[]));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for bad in
            ["", ",", "1", "\"1", "1\"", "\"1\" \"2\"", "\"1\";", "*, \"1\"", "\"a b\"", "w/\"1\"", "W/1"]
        {
            assert_eq!(parsed(&[bad]), None, "{bad}");
        }
    }

    #[test]
    fn only_the_tag_of_the_version_itself_holds_of_it() {
        let expected = |tag: &str| Expected::OneOf(vec![tag.to_owned()]);
        assert!(Expected::Any.holds_of(Some(3)).is_ok() && Expected::Any.holds_of(None).is_ok());
        assert!(expected("\"3\"").holds_of(Some(3)).is_ok());
        for (other, version) in [("\"03\"", Some(3)), ("\"2\"", Some(3)), ("\"3\"", None)] {
            let error = expected(other).holds_of(version).unwrap_err();
            assert_eq!(error.code(), Code::PreconditionFailed);
        }
    }
}

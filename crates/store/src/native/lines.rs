//! The lines of one record as one content: each with its length before it, since a line may hold anything.

use crate::columns::wrong;
use makima_model::NativeLine;

/// Instead of a length: there is nothing.
const NONE: u32 = u32::MAX;

/// The lines, one after the other.
pub(super) fn joined(lines: &[NativeLine]) -> Result<Vec<u8>, sqlx::Error> {
    let mut joined = Vec::new();
    for NativeLine { uuid, line } in lines {
        match uuid {
            Some(uuid) => push(&mut joined, uuid)?,
            None => joined.extend(NONE.to_le_bytes()),
        }
        push(&mut joined, line)?;
    }
    Ok(joined)
}

fn push(joined: &mut Vec<u8>, text: &str) -> Result<(), sqlx::Error> {
    let length = u32::try_from(text.len()).ok().filter(|length| *length != NONE);
    joined.extend(length.ok_or_else(|| wrong("body", "a line has 4 GiB"))?.to_le_bytes());
    joined.extend(text.as_bytes());
    Ok(())
}

/// The lines again.
pub(super) fn split(joined: &[u8]) -> Result<Vec<NativeLine>, sqlx::Error> {
    let mut rest = joined;
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let uuid = pull(&mut rest)?;
        let line = pull(&mut rest)?.ok_or_else(|| wrong("body", "a line is missing"))?;
        lines.push(NativeLine { uuid, line });
    }
    Ok(lines)
}

fn pull(rest: &mut &[u8]) -> Result<Option<String>, sqlx::Error> {
    let cut = || wrong("body", "a record is cut off");
    let (length, more) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
    let length = u32::from_le_bytes(*length);
    *rest = more;
    if length == NONE {
        return Ok(None);
    }
    let (text, more) =
        usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)).ok_or_else(cut)?;
    *rest = more;
    String::from_utf8(text.to_vec()).map(Some).map_err(|error| wrong("body", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn joined_lines_are_split_again(lines in prop::collection::vec((prop::option::of(".*"), ".*"), 0..5)) {
            let lines: Vec<_> = lines.into_iter().map(|(uuid, line)| NativeLine { uuid, line }).collect();
            prop_assert_eq!(split(&joined(&lines).unwrap()).unwrap(), lines);
        }

        #[test]
        fn what_is_no_record_is_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = split(&bytes);
        }

        #[test]
        fn a_record_that_is_cut_off_is_an_error(line in ".+", keep in 0.01f64..0.99) {
            let mut joined = joined(&[NativeLine { uuid: None, line }]).unwrap();
            joined.truncate(((joined.len() as f64 * keep) as usize).max(1));
            prop_assert!(split(&joined).is_err());
        }
    }
}

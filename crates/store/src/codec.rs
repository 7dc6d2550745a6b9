//! How content stands in its column: compressed where that makes it smaller. Each row has the number of its codec, so that
//! rows of several kinds lie side by side.

mod record;

pub(crate) use record::{pack_record, pack_records, unpack_record};

use crate::columns::{Cells, wrong};
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// As it is.
const RAW: i64 = 0;
/// One zstd frame that tells its content's size.
const ZSTD: i64 = 1;

/// Measured: more gives little and costs much.
const LEVEL: i32 = 3;
/// Below this a frame is larger than what is in it.
const SMALLEST: usize = 32;
/// No content has more bytes; a frame that says so is damaged.
const LARGEST: u64 = 1 << 30;

/// Content as its two columns hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) codec: i64,
    pub(crate) body: Vec<u8>,
}

/// Content that can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// A newer program wrote it, or nobody.
    #[error("codec {0} is unknown")]
    UnknownCodec(i64),
    /// It is not what its codec makes.
    #[error("the compressed content is damaged")]
    Damaged(#[source] std::io::Error),
    /// It doesn't tell its size, or one that nothing has.
    #[error("the compressed content has no size, or an impossible one")]
    Sizeless,
    /// What it was packed beside is not there.
    #[error("the message that it was packed beside is missing")]
    MessageMissing,
}

thread_local! {
    // Making these costs more than one small message does.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

/// Compresses `content`, or keeps it where that is no smaller.
pub(crate) fn pack(content: &[u8]) -> Packed {
    if content.len() >= SMALLEST {
        let frame =
            COMPRESSOR.with_borrow_mut(|zstd| zstd.as_mut().and_then(|zstd| zstd.compress(content).ok()));
        if let Some(frame) = frame.filter(|frame| frame.len() < content.len()) {
            return Packed { codec: ZSTD, body: frame };
        }
    }
    Packed { codec: RAW, body: content.to_vec() }
}

/// The content again.
pub(crate) fn unpack(codec: i64, body: Vec<u8>) -> Result<Vec<u8>, UnpackError> {
    match codec {
        RAW => Ok(body),
        ZSTD => {
            let size = content_size(&body)?;
            DECOMPRESSOR
                .with_borrow_mut(|zstd| match zstd {
                    Some(zstd) => zstd.decompress(&body, size),
                    None => zstd::bulk::decompress(&body, size),
                })
                .map_err(UnpackError::Damaged)
        }
        codec => Err(UnpackError::UnknownCodec(codec)),
    }
}

/// What a frame says of its content's size.
fn content_size(frame: &[u8]) -> Result<usize, UnpackError> {
    let size = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
    let size = size.filter(|size| *size <= LARGEST).ok_or(UnpackError::Sizeless)?;
    usize::try_from(size).map_err(|_| UnpackError::Sizeless)
}

/// The content of a row's two columns.
pub(crate) fn unpacked(cells: &impl Cells, codec: &str, body: &str) -> Result<Vec<u8>, sqlx::Error> {
    unpack(cells.int(codec)?, cells.bytes(body)?).map_err(|error| wrong(body, error))
}

/// The same, where there may be none.
pub(crate) fn maybe_unpacked(
    cells: &impl Cells,
    codec: &str,
    body: &str,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    match (cells.maybe_int(codec)?, cells.maybe_bytes(body)?) {
        (Some(codec), Some(packed)) => unpack(codec, packed).map(Some).map_err(|error| wrong(body, error)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(content in prop::collection::vec(any::<u8>(), 0..300), times in 1usize..50) {
            let content = content.repeat(times);
            let packed = pack(&content);
            prop_assert!(packed.body.len() <= content.len());
            prop_assert_eq!(unpack(packed.codec, packed.body).unwrap(), content);
        }

        #[test]
        fn damaged_content_is_an_error(codec in -1i64..6, body in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assume!(codec != RAW);
            prop_assert!(unpack(codec, body).is_err());
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_is_an_error() {
        let mut packed = pack(&[7; 10_000]);
        packed.body.truncate(packed.body.len() / 2);
        assert!(unpack(packed.codec, packed.body).is_err());
    }
}

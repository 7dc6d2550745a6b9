//! Packing an agent's own record. What it says is said in the message that it belongs to, and around that it says the same
//! in every line: so it is compressed against that message and against lines that are known beforehand. Alone, it would take
//! more room than the messages do.

use super::{LEVEL, Packed, UnpackError, content_size, pack, unpack};
use std::{collections::HashMap, io};
use zstd::zstd_safe::{CCtx, CParameter, DCtx, compress_bound, get_error_name};

/// One zstd frame with a checksum, against [`KNOWN`].
const BESIDE_KNOWN: i64 = 2;
/// The same, against [`KNOWN`] and the message's packed content.
const BESIDE_MESSAGE: i64 = 3;

/// Lines as agents write them. What is packed is read by this text and no other, so it never changes: better ones are another
/// file and another codec.
const KNOWN: &[u8] = include_bytes!("known_lines.txt");

/// How much of a message a record is packed beside: no match reaches further back than two of these.
const REACH: usize = 1 << 20;

/// Compresses `record`, which belongs to a message with this content.
pub(crate) fn pack_record(record: &[u8], message: Option<&[u8]>) -> Packed {
    let beside = beside(message);
    pack_beside(&mut context(), record, message.is_some(), &beside)
}

/// Compresses many, each with the content of the message that it belongs to: the same as one by one, in less time.
pub(crate) fn pack_records(records: &[(&[u8], Option<&[u8]>)]) -> Vec<Packed> {
    // All before the context, which refers to them as long as it lives; one for all records of a message, since both may be
    // large and many.
    let (mut texts, mut places) = (Vec::new(), HashMap::new());
    let text_of: Vec<usize> = records
        .iter()
        .map(|(_, message)| {
            *places.entry(message.map(<[u8]>::as_ptr_range)).or_insert_with(|| {
                texts.push(beside(*message));
                texts.len() - 1
            })
        })
        .collect();
    let mut zstd = context();
    let records = records.iter().zip(text_of);
    records
        .map(|((record, message), text)| pack_beside(&mut zstd, record, message.is_some(), &texts[text]))
        .collect()
}

/// The record again. `message` is the content of the message that it belongs to, if there is one.
pub(crate) fn unpack_record(
    codec: i64,
    body: Vec<u8>,
    message: Option<&[u8]>,
) -> Result<Vec<u8>, UnpackError> {
    let message = match codec {
        BESIDE_KNOWN => None,
        BESIDE_MESSAGE => Some(message.ok_or(UnpackError::MessageMissing)?),
        codec => return unpack(codec, body),
    };
    let mut record = Vec::with_capacity(content_size(&body)?);
    let beside = beside(message);
    let mut zstd = DCtx::create();
    zstd.ref_prefix(&beside).and_then(|_| zstd.decompress(&mut record, &body)).map_err(|code| {
        UnpackError::Damaged(io::Error::new(io::ErrorKind::InvalidData, get_error_name(code)))
    })?;
    Ok(record)
}

/// `None`: there is no memory for one.
fn context<'a>() -> Option<CCtx<'a>> {
    let mut zstd = CCtx::try_create()?;
    zstd.set_parameter(CParameter::CompressionLevel(LEVEL)).ok()?;
    // Beside another text than it was packed with, a frame would be read as something else: this tells.
    zstd.set_parameter(CParameter::ChecksumFlag(true)).ok()?;
    Some(zstd)
}

fn pack_beside<'a>(
    zstd: &mut Option<CCtx<'a>>,
    record: &[u8],
    is_of_message: bool,
    beside: &'a [u8],
) -> Packed {
    let frame = zstd.as_mut().and_then(|zstd| compress(zstd, record, beside));
    match frame {
        Some(frame) if frame.len() < record.len() => {
            Packed { codec: if is_of_message { BESIDE_MESSAGE } else { BESIDE_KNOWN }, body: frame }
        }
        _ => pack(record),
    }
}

fn compress<'a>(zstd: &mut CCtx<'a>, record: &[u8], beside: &'a [u8]) -> Option<Vec<u8>> {
    let mut frame = Vec::with_capacity(compress_bound(record.len()));
    zstd.ref_prefix(beside).ok()?;
    zstd.compress2(&mut frame, record).ok()?;
    frame.shrink_to_fit();
    Some(frame)
}

fn beside(message: Option<&[u8]>) -> Vec<u8> {
    let message = message.unwrap_or_default();
    [KNOWN, &message[..message.len().min(REACH)]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_packed_beside_a_message_is_unpacked_beside_it(
            record in prop::collection::vec(any::<u8>(), 0..300),
            message in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
            times in 1usize..20,
        ) {
            let record = [record.repeat(times), message.clone().unwrap_or_default()].concat();
            let packed = pack_record(&record, message.as_deref());
            prop_assert_eq!(unpack_record(packed.codec, packed.body, message.as_deref()).unwrap(), record);
        }
    }

    proptest! {
        #[test]
        fn many_are_packed_as_each_is_alone(
            said in prop::collection::vec(("[a-f ]{0,200}", prop::option::of(0usize..3)), 0..12),
            messages in prop::array::uniform3("[a-f ]{0,400}"),
        ) {
            let records: Vec<_> = said
                .iter()
                .map(|(record, of)| (record.as_bytes(), of.map(|of| messages[of].as_bytes())))
                .collect();
            let alone: Vec<_> = records.iter().map(|(record, message)| pack_record(record, *message)).collect();
            prop_assert_eq!(pack_records(&records), alone);
        }
    }

    #[test]
    fn what_the_message_says_takes_no_room() {
        let message: Vec<u8> =
            (0..20_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let record = [b"{\"parentUuid\":", message.as_slice()].concat();
        assert!(pack_record(&record, Some(&message)).body.len() < 100);
        assert!(pack_record(&record, None).body.len() > 50_000);
    }

    #[test]
    fn a_message_larger_than_its_reach_is_no_matter() {
        let message = b"0123456789abcdef".repeat(200_000);
        let packed = pack_record(&message, Some(&message));
        assert!(unpack_record(packed.codec, packed.body, Some(&message)).unwrap() == message);
    }

    #[test]
    fn beside_another_message_it_is_an_error_and_never_something_else() {
        let (message, other) = (b"one thing that is said".repeat(9), b"another thing, said too".repeat(9));
        let packed = pack_record(&message, Some(&message));
        assert!(unpack_record(packed.codec, packed.body.clone(), Some(&other)).is_err());
        let missing = unpack_record(packed.codec, packed.body, None);
        assert!(matches!(missing, Err(UnpackError::MessageMissing)), "{missing:?}");
    }

    /// Packed once and written down here: fails when the known lines change, and with them what is in every database.
    #[test]
    fn what_was_packed_before_is_read() {
        let line = br#"{"parentUuid":null,"isSidechain":false,"type":"user","message":{"role":"user"}}"#;
        let packed = [
            40, 181, 47, 253, 36, 79, 125, 0, 0, 16, 125, 125, 3, 64, 0, 18, 14, 159, 159, 61, 118, 62, 89,
            4, 235, 120, 48, 27,
        ];
        assert_eq!(
            unpack_record(BESIDE_KNOWN, packed.to_vec(), None).unwrap(),
            line,
            "{:?}",
            pack_record(line, None)
        );
    }
}

//! What holds of every file, whatever is in it.

use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

/// Lines of the recorded sessions, mixed, cut and damaged, with their links led elsewhere.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let names = ["cc_multi", "cc_interrupt", "cc_fork", "cc_synth_resume", "cc197_multi"];
    let pool: Vec<Vec<u8>> = names
        .iter()
        .flat_map(|name| lines(&fixture(name)).map(|(line, _)| line.to_vec()).collect::<Vec<_>>())
        .filter(|line| line.len() < 6000)
        .collect();
    let uuids: Vec<String> = pool
        .iter()
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok()?["uuid"].as_str().map(str::to_owned))
        .collect();
    let line = (0..pool.len(), any::<u16>(), any::<u8>(), 0..8u8, 0..uuids.len());
    let line = line.prop_map(move |(at, place, byte, how, uuid)| {
        let mut line = pool[at].clone();
        let place = usize::from(place) % line.len().max(1);
        match how {
            0 => line.truncate(place),
            1 if byte != b'\n' => line[place] = byte,
            2 => {
                if let Ok(mut value) = serde_json::from_slice::<Value>(&line) {
                    value["parentUuid"] = json!(uuids[uuid]);
                    line = value.to_string().into_bytes();
                }
            }
            3 => {
                if let Ok(mut value) = serde_json::from_slice::<Value>(&line) {
                    value["parentUuid"] = Value::Null;
                    line = value.to_string().into_bytes();
                }
            }
            _ => {}
        }
        line.push(b'\n');
        line
    });
    proptest::collection::vec(line, 0..80).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_told_holds_together(file in hostile()) {
        let told = told(&file);
        let mut ids = HashSet::new();
        for one in &told {
            match one {
                Told::Message(message) => prop_assert!(ids.insert(message.id), "told twice"),
                Told::Lines { message: Some(message), .. } => prop_assert!(ids.contains(message)),
                Told::Back { to: Some(to) } => prop_assert!(ids.contains(to)),
                Told::Lines { message: None, .. } | Told::Back { to: None } | Told::Turn { .. } => {}
            }
        }
        let readable = lines(&file)
            .filter(|(line, _)| !line.trim_ascii().is_empty())
            .count() as u64 - survey(&file, &[]).unreadable;
        if !ids.is_empty() {
            prop_assert_eq!(native(&told).len() as u64, readable);
        }
    }

    #[test]
    fn a_file_that_is_read_while_it_grows_tells_what_it_told_and_more(file in hostile(), at in 0.0..1.0f64) {
        let cut = lines(&file).map(|(_, end)| end).nth((at * lines(&file).count() as f64) as usize);
        if let Some(cut) = cut {
            let before = told(&file[..usize::try_from(cut).unwrap()]);
            let after = told_in_pieces(&file, &[cut]);
            prop_assert_eq!(&after[..before.len()], &before[..]);
        }
    }

    #[test]
    fn no_bytes_are_a_panic(file in proptest::collection::vec(any::<u8>(), 0..2000)) {
        told(&file);
    }
}

//! How values stand in columns, the same on both engines where these have types of their own.

use makima_model::{Timestamp, UnknownWord};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::{
    Decode, Encode, FromRow, Postgres, Row as _, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgRow, PgTypeInfo, PgValueRef},
    sqlite::{SqliteArgumentsBuffer, SqliteRow, SqliteTypeInfo, SqliteValueRef},
    types::{Json, Uuid},
};
use std::{borrow::Cow, str::FromStr};

/// Something that a row is read into.
pub(crate) trait Entity: Sized {
    /// Reads it by the columns' names.
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error>;
}

/// What `query_as` reads: an entity, from either engine's rows.
pub(crate) struct Of<T>(pub(crate) T);

impl<T: Entity> FromRow<'_, SqliteRow> for Of<T> {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        T::read(row).map(Self)
    }
}

impl<T: Entity> FromRow<'_, PgRow> for Of<T> {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        T::read(row).map(Self)
    }
}

/// The one entity that was asked for.
pub(crate) fn one<T>(row: Option<Of<T>>) -> Option<T> {
    row.map(|Of(entity)| entity)
}

/// All of them, in order.
pub(crate) fn all<T>(rows: Vec<Of<T>>) -> Vec<T> {
    rows.into_iter().map(|Of(entity)| entity).collect()
}

/// A row of either engine, by the names of its columns.
pub(crate) trait Cells {
    fn maybe_uuid(&self, name: &str) -> Result<Option<Uuid>, sqlx::Error>;
    fn maybe_text(&self, name: &str) -> Result<Option<String>, sqlx::Error>;
    fn maybe_int(&self, name: &str) -> Result<Option<i64>, sqlx::Error>;
    fn maybe_real(&self, name: &str) -> Result<Option<f64>, sqlx::Error>;
    fn maybe_at(&self, name: &str) -> Result<Option<Timestamp>, sqlx::Error>;
    fn maybe_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, sqlx::Error>;
    fn maybe_json<T: DeserializeOwned + 'static>(&self, name: &str) -> Result<Option<T>, sqlx::Error>;
    fn flag(&self, name: &str) -> Result<bool, sqlx::Error>;

    fn maybe_id<T: From<Uuid>>(&self, name: &str) -> Result<Option<T>, sqlx::Error> {
        Ok(self.maybe_uuid(name)?.map(T::from))
    }
    fn maybe_word<T: FromStr<Err = UnknownWord>>(&self, name: &str) -> Result<Option<T>, sqlx::Error> {
        let word = self.maybe_text(name)?;
        word.map(|word| word.parse()).transpose().map_err(|error| wrong(name, error))
    }
    fn id<T: From<Uuid>>(&self, name: &str) -> Result<T, sqlx::Error> {
        there(name, self.maybe_id(name)?)
    }
    fn word<T: FromStr<Err = UnknownWord>>(&self, name: &str) -> Result<T, sqlx::Error> {
        there(name, self.maybe_word(name)?)
    }
    fn text(&self, name: &str) -> Result<String, sqlx::Error> {
        there(name, self.maybe_text(name)?)
    }
    fn int(&self, name: &str) -> Result<i64, sqlx::Error> {
        there(name, self.maybe_int(name)?)
    }
    fn real(&self, name: &str) -> Result<f64, sqlx::Error> {
        there(name, self.maybe_real(name)?)
    }
    fn at(&self, name: &str) -> Result<Timestamp, sqlx::Error> {
        there(name, self.maybe_at(name)?)
    }
    fn bytes(&self, name: &str) -> Result<Vec<u8>, sqlx::Error> {
        there(name, self.maybe_bytes(name)?)
    }
    fn json<T: DeserializeOwned + 'static>(&self, name: &str) -> Result<T, sqlx::Error> {
        there(name, self.maybe_json(name)?)
    }
    /// A number that is never negative.
    fn size<T: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>>(
        &self,
        name: &str,
    ) -> Result<T, sqlx::Error> {
        T::try_from(self.int(name)?).map_err(|error| wrong(name, error))
    }
}

/// A column that can't be what it is.
pub(crate) fn wrong(name: &str, source: impl Into<BoxDynError>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: name.to_owned(), source: source.into() }
}

fn there<T>(name: &str, value: Option<T>) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| wrong(name, "it is empty"))
}

macro_rules! cells {
    ($row:ty) => {
        impl Cells for $row {
            fn maybe_uuid(&self, name: &str) -> Result<Option<Uuid>, sqlx::Error> {
                self.try_get(name)
            }
            fn maybe_text(&self, name: &str) -> Result<Option<String>, sqlx::Error> {
                self.try_get(name)
            }
            fn maybe_int(&self, name: &str) -> Result<Option<i64>, sqlx::Error> {
                self.try_get(name)
            }
            fn maybe_real(&self, name: &str) -> Result<Option<f64>, sqlx::Error> {
                self.try_get(name)
            }
            fn maybe_at(&self, name: &str) -> Result<Option<Timestamp>, sqlx::Error> {
                Ok(self.try_get::<Option<At>, _>(name)?.map(|At(at)| at))
            }
            fn maybe_bytes(&self, name: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
                self.try_get(name)
            }
            fn maybe_json<T: DeserializeOwned + 'static>(
                &self,
                name: &str,
            ) -> Result<Option<T>, sqlx::Error> {
                Ok(self.try_get::<Option<Json<T>>, _>(name)?.map(|Json(value)| value))
            }
            fn flag(&self, name: &str) -> Result<bool, sqlx::Error> {
                self.try_get(name)
            }
        }
    };
}
cells!(SqliteRow);
cells!(PgRow);

/// A time: text of one width on SQLite, so that it sorts, and PostgreSQL's own type there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At(pub(crate) Timestamp);

impl Type<Sqlite> for At {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for At {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <String as Encode<'_, Sqlite>>::encode(self.0.to_string(), buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for At {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(<&str as Decode<'_, Sqlite>>::decode(value)?.parse()?))
    }
}

type Utc = chrono::DateTime<chrono::Utc>;

impl Type<Postgres> for At {
    fn type_info() -> PgTypeInfo {
        <Utc as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for At {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <Utc as Encode<'_, Postgres>>::encode(self.0.utc(), buffer)
    }
}

impl<'r> Decode<'r, Postgres> for At {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(<Utc as Decode<'_, Postgres>>::decode(value)?.into()))
    }
}

/// Text from outside, as a text column takes it: PostgreSQL has no NUL in text, so it is shown as what can't be shown.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// The same, where there is one.
pub(crate) fn maybe_text(words: Option<&str>) -> Option<Cow<'_, str>> {
    words.map(text)
}

/// Words of ours as one text, for `', ' || $n LIKE '%, ' || column || ',%'`: the one form of "one of these" that both
/// engines have for a number of words that the statement doesn't know. None: no condition.
pub(crate) fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> Option<String> {
    let text: String = words.map(|word| format!("{word}, ")).collect();
    (!text.is_empty()).then_some(text)
}

/// Patterns of `LIKE … ESCAPE '\\'` that find what has `part` in it: as it is written, and in lower case, for `LOWER(column)`.
/// SQLite knows the case of ASCII alone, so other letters are found as they are written.
pub(crate) fn holding(part: &str) -> (String, String) {
    let mut pattern = String::from("%");
    for c in text(part).chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    let lower = pattern.to_lowercase();
    (pattern, lower)
}

/// A value as a JSON column takes it, for the same reason.
pub(crate) fn json(value: Value) -> Json<Value> {
    fn clean(value: Value) -> Value {
        match value {
            Value::String(words) => Value::String(text(&words).into_owned()),
            Value::Array(values) => values.into_iter().map(clean).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, value)| (text(&name).into_owned(), clean(value))).collect()
            }
            value => value,
        }
    }
    Json(clean(value))
}

/// What is made of words and numbers alone, as a JSON column takes it.
pub(crate) fn json_of(value: &impl serde::Serialize, name: &str) -> Result<Json<Value>, sqlx::Error> {
    serde_json::to_value(value).map(json).map_err(|error| wrong(name, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_shown_as_what_cannot_be_shown() {
        let value = serde_json::json!({"a\0": ["\0", {"b": "c\0d"}], "n": 1});
        let clean = serde_json::json!({"a\u{fffd}": ["\u{fffd}", {"b": "c\u{fffd}d"}], "n": 1});
        assert_eq!(json(value).0, clean);
        assert!(matches!(text("plain"), Cow::Borrowed("plain")));
    }
}

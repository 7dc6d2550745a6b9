//! Owners and principals: persons, and teams.

use crate::{
    StoreError, Tx,
    columns::{At, Cells, Entity, all, one, text},
    db::{affected, on},
    error::Act,
    search,
    statements::statements,
};
use makima_model::{OwnerId, Timestamp, UnknownWord};
use std::str::FromStr;

/// What a row of `users` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKind {
    /// A person.
    Person,
    /// A team.
    Team,
}

impl UserKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Team => "team",
        }
    }
}

impl FromStr for UserKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text {
            "person" => Ok(Self::Person),
            "team" => Ok(Self::Team),
            _ => Err(UnknownWord {
                what: "kind of a user",
                text: text.chars().take(64).collect(),
                known: "person, team".to_owned(),
            }),
        }
    }
}

/// A row of `users`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id, as an owner and as a principal.
    pub id: OwnerId,
    /// Its name, for people.
    pub name: String,
    /// What it stands for.
    pub kind: UserKind,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Entity for User {
    fn read(cells: &impl Cells) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: cells.id("id")?,
            name: cells.text("name")?,
            kind: cells.word("kind")?,
            created_at: cells.at("created_at")?,
        })
    }
}

statements! {
    CREATE = "INSERT INTO users (id, name, kind, created_at) VALUES ($1, $2, $3, $4)";
    BEGIN_SEQUENCE = "INSERT INTO owner_sequences (owner_id, seq) VALUES ($1, 0)";
    BY_ID = "SELECT * FROM users WHERE id = $1";
    ALL = "SELECT * FROM users ORDER BY created_at, id";
    FIRST = "SELECT * FROM users ORDER BY created_at, id LIMIT 1";
    HOLD = "UPDATE users SET name = name WHERE id = $1";
}

/// Makes a user.
pub async fn create(tx: &mut Tx, user: &User) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(CREATE)
        .bind(user.id.uuid())
        .bind(text(&user.name))
        .bind(user.kind.as_str())
        .bind(At(user.created_at))
        .execute(c)
        .await
        .map(affected))
    .act("make a user")?;
    on!(tx, |c| sqlx::query(BEGIN_SEQUENCE).bind(user.id.uuid()).execute(c).await.map(affected))
        .act("make a user")?;
    search::begin(tx, user.id).await
}

/// The user with this id.
pub async fn by_id(tx: &mut Tx, id: OwnerId) -> Result<Option<User>, StoreError> {
    let row =
        on!(tx, |c| sqlx::query_as(BY_ID).bind(id.uuid()).fetch_optional(c).await).act("read a user")?;
    Ok(one(row))
}

/// All users, oldest first: any owner.
pub async fn list(tx: &mut Tx) -> Result<Vec<User>, StoreError> {
    Ok(all(on!(tx, |c| sqlx::query_as(ALL).fetch_all(c).await).act("list the users")?))
}

/// The oldest user: any owner.
pub async fn first(tx: &mut Tx) -> Result<Option<User>, StoreError> {
    Ok(one(on!(tx, |c| sqlx::query_as(FIRST).fetch_optional(c).await).act("read the first user")?))
}

/// Lets nobody else [hold] this owner before the transaction ends: for what is counted and rests on the count. To be called
/// before anything else is changed.
///
/// [hold]: self::hold
pub async fn hold(tx: &mut Tx, id: OwnerId) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(HOLD).bind(id.uuid()).execute(c).await.map(affected)).act("hold an owner")?;
    Ok(())
}

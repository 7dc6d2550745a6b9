//! Every static statement, each written once, for both engines.
//!
//! A module declares its statements with [`statements!`]; [`all`] has them all, for the test that prepares each on both
//! engines. A module that is missing there is told by the compiler: its list is then dead code.

/// Declares the statements of a module: plain ones; `@lists` by time and `@numbered` lists by sequence, which are read
/// in both orders ([`Listed`]); `@inserts` of many rows ([`Insert`]); and `@dialects` of what the engines have no words for in
/// common ([`Dialect`]): SQLite's, then PostgreSQL's.
///
/// A list ends in its conditions. By time, `$1`, `$2` are the key and `$3` the limit; by sequence `$1` and `$2` are.
macro_rules! statements {
    (
        $($name:ident = $sql:expr;)*
        $(@lists { $($list:ident = $list_sql:expr;)* })?
        $(@numbered { $($numbered:ident by $by:literal = $numbered_sql:expr;)* })?
        $(@inserts { $($insert:ident = $insert_sql:expr;)* })?
        $(@dialects { $($dialect:ident = $sqlite_sql:expr, $postgres_sql:expr;)* })?
    ) => {
        $(const $name: &str = $sql;)*
        $($(
            const $list: $crate::statements::Listed = $crate::statements::Listed {
                newest: concat!($list_sql, " AND (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3"),
                oldest: concat!($list_sql, " AND (created_at, id) > ($1, $2) ORDER BY created_at, id LIMIT $3"),
            };
        )*)?
        $($(
            const $numbered: $crate::statements::Listed = $crate::statements::Listed {
                newest: concat!($numbered_sql, " AND ", $by, " < $1 ORDER BY ", $by, " DESC LIMIT $2"),
                oldest: concat!($numbered_sql, " AND ", $by, " > $1 ORDER BY ", $by, " LIMIT $2"),
            };
        )*)?
        $($(const $insert: $crate::statements::Insert = $crate::statements::Insert($insert_sql);)*)?
        $($(
            const $dialect: $crate::statements::Dialect =
                $crate::statements::Dialect { sqlite: $sqlite_sql, postgres: $postgres_sql };
        )*)?

        /// The statements of this module.
        pub(crate) fn statements() -> Vec<$crate::statements::Statement> {
            use $crate::statements::Statement;
            vec![
                $(Statement::Plain($name),)*
                $($(Statement::Plain($list.newest), Statement::Plain($list.oldest),)*)?
                $($(Statement::Plain($numbered.newest), Statement::Plain($numbered.oldest),)*)?
                $($(Statement::Insert($insert),)*)?
                $($(Statement::Dialect($dialect),)*)?
            ]
        }
    };
}
pub(crate) use statements;

use crate::{db::Engine, page::Order};

/// A statement of the registry.
pub(crate) enum Statement {
    Plain(&'static str),
    Insert(Insert),
    Dialect(Dialect),
}

impl Statement {
    fn text(&self, engine: Engine) -> String {
        match self {
            Self::Plain(text) => (*text).to_owned(),
            Self::Insert(insert) => insert.of(engine, 1),
            Self::Dialect(dialect) => dialect.of(engine).to_owned(),
        }
    }
}

/// A list's statement, in both orders.
pub(crate) struct Listed {
    pub(crate) newest: &'static str,
    pub(crate) oldest: &'static str,
}

impl Listed {
    pub(crate) fn in_order(&self, order: Order) -> &'static str {
        match order {
            Order::Newest => self.newest,
            Order::Oldest => self.oldest,
        }
    }
}

/// A statement that says the same on both engines, in the words of each.
pub(crate) struct Dialect {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl Dialect {
    pub(crate) fn of(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }
}

/// An insert of many rows: its text as far as the columns, as in `INSERT INTO t (a, b)`.
pub(crate) struct Insert(pub(crate) &'static str);

/// The most rows of one insert. Their parameters are far from the engines' limits (32,766 and 65,535).
const LARGEST: usize = 64;

impl Insert {
    /// The statement for this many rows. SQLite looks a parameter that has a name or a number up in the list of all of
    /// them, each time that one is bound: there they have none.
    pub(crate) fn of(&self, engine: Engine, rows: usize) -> String {
        let columns = 1 + self.0.matches(',').count();
        let mut text = String::with_capacity(self.0.len() + 8 + rows * columns * 5);
        text.push_str(self.0);
        text.push_str(" VALUES ");
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..columns {
                text.push_str(if column == 0 { "" } else { ", " });
                match engine {
                    Engine::Sqlite => text.push('?'),
                    Engine::Postgres => {
                        text.push('$');
                        text.push_str(&(row * columns + column + 1).to_string());
                    }
                }
            }
            text.push(')');
        }
        text
    }
}

/// The rows in portions of 64, 32, … 1: few sizes, so that each connection has the statements for all of them prepared.
pub(crate) fn portions<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = LARGEST.min(1 << rest.len().checked_ilog2()?);
        let (portion, more) = rest.split_at(size);
        rest = more;
        Some(portion)
    })
}

/// All of them, as the engine takes them.
pub fn all(engine: Engine) -> Vec<String> {
    let modules = [
        crate::blobs::statements(),
        crate::chats::statements(),
        crate::checkpoints::statements(),
        crate::commands::statements(),
        crate::contracts::statements(),
        crate::contracts::totals_statements(),
        crate::conversations::message_statements(),
        crate::conversations::place_statements(),
        crate::conversations::statements(),
        crate::counters::statements(),
        crate::daemons::statements(),
        crate::erase::statements(),
        crate::events::feed_statements(),
        crate::events::statements(),
        crate::events::timeline_statements(),
        crate::events::turn_statements(),
        crate::idempotency::statements(),
        crate::imports::statements(),
        crate::inbox::statements(),
        crate::keys::statements(),
        crate::native::reader_statements(),
        crate::operations::statements(),
        crate::outbox::record_statements(),
        crate::outbox::statements(),
        crate::questions::statements(),
        crate::runs::statements(),
        crate::search::find_statements(),
        crate::search::portion_statements(),
        crate::search::statements(),
        crate::snapshots::statements(),
        crate::tasks::placing_statements(),
        crate::tasks::statements(),
        crate::trash::statements(),
        crate::users::statements(),
    ];
    let served = modules.iter().flatten().map(|statement| statement.text(engine));
    served.chain(checks(engine)).collect()
}

/// Those of the checker of invariants, which reads everything.
pub fn checks(engine: Engine) -> Vec<String> {
    crate::verify::statements().iter().map(|statement| statement.text(engine)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_has_a_parameter_for_each_column_of_each_row() {
        let insert = Insert("INSERT INTO t (a, b)");
        assert_eq!(insert.of(Engine::Postgres, 2), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)");
        assert_eq!(insert.of(Engine::Sqlite, 2), "INSERT INTO t (a, b) VALUES (?, ?), (?, ?)");
    }

    #[test]
    fn portions_hold_every_row_once_in_order_and_come_in_few_sizes() {
        for length in [0, 1, 2, 63, 64, 65, 100, 1000] {
            let rows: Vec<usize> = (0..length).collect();
            assert_eq!(portions(&rows).flatten().copied().collect::<Vec<_>>(), rows);
            assert!(
                portions(&rows).all(|portion| portion.len().is_power_of_two() && portion.len() <= LARGEST)
            );
        }
    }
}

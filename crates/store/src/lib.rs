//! All SQL, over SQLite and PostgreSQL

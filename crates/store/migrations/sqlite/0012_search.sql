-- What is searched. An owner's things have numbers of one sequence, so that one number says up to which of them all is in here: `seq`.
-- `number` makes of each a number of its own among those of all owners: (number - 1) * 2^40 + its number. That is a document's `id`.
-- `erasures`: how often something of the owner's was erased or given away, so that what was read before that isn't written behind it.
CREATE TABLE search_owners (
    number INTEGER PRIMARY KEY,
    owner_id BLOB NOT NULL UNIQUE REFERENCES users (id),
    seq INTEGER NOT NULL,
    erasures INTEGER NOT NULL
) STRICT;
INSERT INTO search_owners (owner_id, seq, erasures) SELECT id, 0, 0 FROM users ORDER BY created_at, id;

-- What is known of each without reading it: no more, since there is one for each message. `contract_id`: only of what belongs to no
-- task. `tools`: with commas, in lower case. `moment`: microseconds since 1970; it is but compared.
CREATE TABLE search_documents (
    id INTEGER PRIMARY KEY,
    task_id BLOB,
    contract_id BLOB,
    checkpoint_id BLOB,
    role TEXT,
    tools TEXT,
    is_error INTEGER NOT NULL,
    moment INTEGER NOT NULL
) STRICT;

-- The words of each, by its id, which are told apart before they come here (`model/src/search/word.rs`): what has no space in it is one.
CREATE VIRTUAL TABLE search_words USING fts5 (
    words,
    content = '',
    contentless_delete = 1,
    tokenize = "ascii tokenchars '_'"
);

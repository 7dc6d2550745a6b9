//! What is searched: it has everything up to the number that it has come to, and nothing else.

use super::rule::rules;

const ANEW: &str = "searches find too little or too much, and nothing else is wrong: stop the server, delete all rows of `search_words` and \
    `search_documents`, set `seq` in `search_owners` to 0, and start it: it makes them anew; report it with this line";

/// The documents of owners, each with the number that it has among its owner's.
macro_rules! documents {
    () => {
        "search_documents AS document JOIN search_owners AS owner ON owner.number = (document.id >> 40) + 1"
    };
}

/// What has a number up to which all is indexed, and no document.
macro_rules! missing {
    ($table:literal, $seq:literal, $which:literal) => {
        concat!(
            "SELECT entry.id, entry.",
            $seq,
            " AS a, owner.seq AS b FROM ",
            $table,
            " AS entry JOIN search_owners AS owner ON owner.owner_id = entry.owner_id AND entry.",
            $seq,
            " <= owner.seq LEFT JOIN search_documents AS document \
            ON document.id = (owner.number - 1) * 1099511627776 + entry.",
            $seq,
            " WHERE document.id IS NULL AND ",
            $which
        )
    };
}

/// What documents are of.
macro_rules! things {
    () => {
        " LEFT JOIN conversation_messages AS message ON message.owner_id = owner.owner_id \
        AND message.feed_seq = document.id - (owner.number - 1) * 1099511627776 \
        LEFT JOIN history_events AS history ON history.owner_id = owner.owner_id \
        AND history.seq = document.id - (owner.number - 1) * 1099511627776 \
        LEFT JOIN task_events AS event ON event.owner_id = owner.owner_id \
        AND event.seq = document.id - (owner.number - 1) * 1099511627776"
    };
}

rules! {
    search_owner: "user", "nothing of it is indexed", ANEW,
        "SELECT users.id FROM users LEFT JOIN search_owners ON search_owners.owner_id = users.id \
        WHERE search_owners.owner_id IS NULL";
    search_ahead: "user", "all up to number {a} is said to be indexed, and the newest is {b}", ANEW,
        "SELECT owner.owner_id AS id, owner.seq AS a, sequence.seq AS b FROM search_owners AS owner \
        JOIN owner_sequences AS sequence ON sequence.owner_id = owner.owner_id WHERE owner.seq > sequence.seq";
    search_message: "message", "it can't be found: its number is {a}, and all up to {b} is said to be indexed", ANEW,
        missing!("conversation_messages", "feed_seq", "1 = 1");
    search_history: "event", "it can't be found: its number is {a}, and all up to {b} is said to be indexed", ANEW,
        missing!("history_events", "seq", "entry.event_type <> 'file'");
    search_event: "event", "it can't be found: its number is {a}, and all up to {b} is said to be indexed", ANEW,
        missing!("task_events", "seq", "(entry.event_type IN ('output', 'question', 'answer', 'published') \
            OR (entry.event_type = 'checkpoint' AND entry.event_data ->> 'id' IS NULL))");
    search_nothing: "user", "what is indexed under number {a} is not there", ANEW,
        concat!("SELECT owner.owner_id AS id, document.id AS a FROM ", documents!(), things!(),
            " WHERE message.id IS NULL AND history.id IS NULL AND event.id IS NULL");
    search_task: "user", "what is indexed under number {a} is another task's or contract's than it says", ANEW,
        concat!("SELECT owner.owner_id AS id, document.id AS a FROM ", documents!(), things!(),
            " WHERE COALESCE(message.id, history.id, event.id) IS NOT NULL AND (document.task_id IS DISTINCT FROM \
            COALESCE(message.task_id, history.task_id, event.task_id) OR document.contract_id IS DISTINCT FROM \
            CASE WHEN history.task_id IS NULL THEN history.contract_id END)");
    search_words_missing: "user", "the words of what is indexed under number {a} are not there", ANEW,
        concat!("SELECT owner.owner_id AS id, document.id AS a FROM ", documents!(),
            " LEFT JOIN search_words ON search_words.rowid = document.id WHERE search_words.rowid IS NULL");
    search_words_of_nothing: "user", "there are words under number {a}, and nothing is indexed under it", ANEW,
        "SELECT owner.owner_id AS id, search_words.rowid AS a FROM search_words \
        JOIN search_owners AS owner ON owner.number = (search_words.rowid >> 40) + 1 \
        LEFT JOIN search_documents AS document ON document.id = search_words.rowid WHERE document.id IS NULL";
}

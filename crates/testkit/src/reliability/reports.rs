//! Reports of users of other tools who lost work, each a promise here.

/// A report, and what answers it here.
#[derive(Debug)]
pub struct Report {
    /// By which number tests name it.
    pub number: usize,
    /// Where it was made.
    pub source: &'static str,
    /// What happened.
    pub story: &'static str,
    /// What it rests on here that it doesn't.
    pub answer: &'static str,
}

macro_rules! reports {
    ($($number:literal $source:literal $story:literal $answer:literal)*) => {
        /// All of them, ascending.
        pub const REPORTS: &[Report] =
            &[$(Report { number: $number, source: $source, story: $story, answer: $answer }),*];
    };
}

reports! {
    1 "github/copilot-cli#1675" "restoring a checkpoint cleaned away all untracked files" "safety checkpoints"
    2 "cline/cline#14367" "restoring took back an uncommitted `.gitignore` first, then cleaned away what it had ignored" "safety checkpoints: `collisions`, `leftUntouched`"
    3 "cline/cline#13550" "restoring took the user's commits off the branch" "safety checkpoints keep HEAD and branch"
    4 "pingdotgg/t3code#5512" "reverting in one thread deleted the work of others" "a worktree for each task, in a clone of our own"
    5 "google-gemini/gemini-cli#13331" "restoring deleted nearly all files" "exact trees, held against naive copies"
    6 "anomalyco/opencode#10287" "undo lost 1,300 lines, and the next prompt deleted what was reverted" "an append-only conversation, the operation log"
    7 "anthropics/claude-code#16023, #24852" "code was lost by a rewind, with no way forward again" "undo, and undo of undo"
    8 "anthropics/claude-code#18516, #91733" "rewinding code missed what shell commands and others had changed" "checkpoints of the whole worktree"
    9 "anomalyco/opencode#38672" "undo said that it succeeded and did nothing" "answers tell what was done"
    10 "esengine/DeepSeek-Reasonix#3598" "rewinding failed silently after a compaction" "points before a compaction"
    11 "anomalyco/opencode#15977, #9290; anthropics/claude-code#10107" "snapshots filled 300 to 533 GB" "positions instead of copies"
    12 "cline/cline#13131" "each turn was blocked for 90 s" "the bars of `docs/benchmarks.md`"
    13 "cline/cline#9590" "checkpoints renamed `.git` and broke the repository" "a clone of our own, a private index"
    14 "anthropics/claude-code#40319, #58554" "resuming loaded nothing, and said nothing" "resume"
    15 "anthropics/claude-code#42338" "resuming invalidated the prompt cache" "the agent's own record, byte for byte"
    16 "anthropics/claude-code#90534" "resuming fired old background shells before any input" "a resumed run starts nothing by itself"
    17 "anthropics/claude-code#52387, #39151" "the session file was corrupt after a kill, or by two writers" "the server is the record, one process a session"
    18 "anthropics/claude-code#79196, openai/codex#30932" "resuming grew the file 9 to 14 times, or ran out of memory" "streaming"
    19 "anthropics/claude-code#31992, #42219" "no resuming on another machine, for absolute paths" "resume on any daemon"
    20 "multica-ai/multica#8529, #4336" "tasks ran for ever when the report of their end was lost" "acknowledged frames, journals, silence that is noticed"
    21 "multica-ai/multica#7998" "a retry lost the working directory" "runs share the task's worktree"
    22 "monoes/monomind#247" "after a crash a cold session showed another run's log" "every line has its run's number"
    23 "anthropics/claude-code#58914, #74719, #94221" "764 stale worktrees stayed, or dirty and used ones were removed" "only what is proven safe is removed"
    24 "BloopAI/vibe-kanban#3406" "deleting a workspace wiped the repository" "a clone of our own; deleting is a trash"
    25 "BloopAI/vibe-kanban, its code" "files were reset before the agent was stopped; the conversation was dropped though the files were not" "stop first, all or nothing"
    26 "anthropics/claude-code#62476, #90866" "transcripts were silently deleted after 30 days" "nothing is removed that nobody asked to remove"
    27 "entireio/cli#666, anthropics/claude-code#57772" "transcripts with secrets were pushed to a remote" "nothing leaves without being asked"
    28 "anthropics/claude-code#24118, #18905, #83206" "lines of 12.8 M characters, 5 GB of progress entries, each image stored twice" "no limit of a line, content stored once"
}

//! The HTTP API, typed: what the command line and the server's own tests speak.

use crate::{
    ClientError,
    again::{Again, TOLD},
    messages::Parts,
};
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, stream};
use makima_model::{
    AttemptId, Chat, ChatConversationId, Clock, ContractId, DaemonId, ImportId, KeyId, OperationId, Phase,
    Point, SnapshotId, TaskId, Timestamp,
};
use makima_wire::{
    API, AnswerQuestion, AppendToImport, BranchList, ChangeContract, ChatConversation, ChatConversationList,
    ChatMessage, ChatMessageList, Checkpoint, CheckpointDiff, CheckpointList, Contract, ContractList,
    Conversation, ConversationMessage, CreateChatConversation, CreateCheckpoint, CreateContract,
    CreateImport, CreateKey, CreateSnapshot, CreateTask, CreatedKey, DaemonList, Deletion, DiffQuery,
    ErrorBody, FinishImport, Health, IDEMPOTENCY_KEY, Import, ImportList, Key, KeyList, List, ListContracts,
    ListHistory, ListImports, ListOperations, ListTasks, ListTimeline, Me, Operation, OperationList,
    ReadConversation, ReassignTask, RenameChatConversation, RestoreSnapshot, SayInChat, Search, SearchHits,
    SendMessage, SentMessage, SetPhase, SignInLink, Snapshot, SnapshotList, SnapshotState, Task,
    TaskEventList, TaskList, Timeline, UndoOperation,
};
use reqwest::{Method, RequestBuilder, Response};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::time::Instant;

/// A server, and the key to speak to it with.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: Option<String>,
    program: Option<String>,
    waits: fn(&ClientError),
    clock: Clock,
}

impl Client {
    /// The server at `url`, such as `http://127.0.0.1:7447`.
    pub fn new(url: &str, key: Option<String>) -> Result<Self, ClientError> {
        crate::tls::install();
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .build()
            .map_err(|source| ClientError::Unreachable { url: url.to_owned(), source })?;
        Ok(Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
            key,
            program: None,
            waits: |_| {},
            clock: Clock::system(),
        })
    }

    /// The same, saying to the server which program asks.
    pub fn called(self, program: &str) -> Self {
        Self { program: Some(program.to_owned()), ..self }
    }

    /// The same, telling why nothing comes yet, once for each request that is sent again until it is answered.
    pub fn telling(self, waits: fn(&ClientError)) -> Self {
        Self { waits, ..self }
    }

    /// The server's address, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who asks.
    pub async fn me(&self) -> Result<Me, ClientError> {
        self.get("/me").await
    }

    /// All keys of the owner.
    pub async fn keys(&self) -> Result<KeyList, ClientError> {
        self.get("/keys").await
    }

    /// Makes a key.
    pub async fn create_key(&self, name: &str) -> Result<CreatedKey, ClientError> {
        self.send(Method::POST, "/keys", Some(&CreateKey { name: name.to_owned() })).await
    }

    /// Revokes a key: it opens nothing any more.
    pub async fn revoke_key(&self, id: KeyId) -> Result<Key, ClientError> {
        self.send(Method::POST, &format!("/keys/{id}/revoke"), None::<&()>).await
    }

    /// Makes a link that signs a browser in, once.
    pub async fn create_sign_in_link(&self) -> Result<SignInLink, ClientError> {
        self.send(Method::POST, "/sign-in-links", None::<&()>).await
    }

    /// Makes a contract.
    pub async fn create_contract(&self, contract: &CreateContract) -> Result<Contract, ClientError> {
        self.send(Method::POST, "/contracts", Some(contract)).await
    }

    /// A page of contracts.
    pub async fn contracts(&self, list: &ListContracts) -> Result<ContractList, ClientError> {
        self.read(self.request(Method::GET, "/contracts").query(list)).await
    }

    /// A contract.
    pub async fn contract(&self, id: ContractId) -> Result<Contract, ClientError> {
        self.get(&format!("/contracts/{id}")).await
    }

    /// Changes a contract's name, description or status.
    pub async fn change_contract(
        &self,
        id: ContractId,
        change: &ChangeContract,
    ) -> Result<Contract, ClientError> {
        self.send(Method::PATCH, &format!("/contracts/{id}"), Some(change)).await
    }

    /// Takes a contract to another phase.
    pub async fn set_phase(&self, id: ContractId, phase: Phase) -> Result<Contract, ClientError> {
        self.send(Method::POST, &format!("/contracts/{id}/phase"), Some(&SetPhase { phase })).await
    }

    /// Makes a task.
    pub async fn create_task(&self, task: &CreateTask) -> Result<Task, ClientError> {
        self.send(Method::POST, "/mesh/tasks", Some(task)).await
    }

    /// A page of tasks.
    pub async fn tasks(&self, list: &ListTasks) -> Result<TaskList, ClientError> {
        self.read(self.request(Method::GET, "/mesh/tasks").query(list)).await
    }

    /// A task.
    pub async fn task(&self, id: TaskId) -> Result<Task, ClientError> {
        self.get(&format!("/mesh/tasks/{id}")).await
    }

    /// Stops a task's agent and keeps everything.
    pub async fn stop_task(&self, id: TaskId) -> Result<Task, ClientError> {
        self.send(Method::POST, &format!("/mesh/tasks/{id}/stop"), None::<&()>).await
    }

    /// Stops a task for good.
    pub async fn cancel_task(&self, id: TaskId) -> Result<Task, ClientError> {
        self.send(Method::POST, &format!("/mesh/tasks/{id}/cancel"), None::<&()>).await
    }

    /// Gives a task that has not started to another daemon, or to the least loaded one that can run it.
    pub async fn reassign_task(&self, id: TaskId, to: Option<DaemonId>) -> Result<Task, ClientError> {
        let body = ReassignTask { target_daemon_id: to };
        self.send(Method::POST, &format!("/mesh/tasks/{id}/reassign"), Some(&body)).await
    }

    /// Says something to a task's agent.
    pub async fn send_message(&self, id: TaskId, content: &str) -> Result<SentMessage, ClientError> {
        let body = SendMessage { content: content.to_owned() };
        self.send(Method::POST, &format!("/mesh/tasks/{id}/messages"), Some(&body)).await
    }

    /// Answers a task's question.
    pub async fn answer(&self, id: TaskId, answer: &AnswerQuestion) -> Result<Task, ClientError> {
        self.send(Method::POST, &format!("/mesh/tasks/{id}/answer"), Some(answer)).await
    }

    /// The whole conversation of a task.
    pub async fn conversation(&self, id: TaskId) -> Result<Conversation, ClientError> {
        self.get(&format!("/mesh/tasks/{id}/conversation")).await
    }

    /// Some of a task's conversation, or all of it as it was at a point.
    pub async fn read_conversation(
        &self,
        id: TaskId,
        wanted: &ReadConversation,
    ) -> Result<Conversation, ClientError> {
        let path = format!("/mesh/tasks/{id}/conversation");
        self.read(self.request(Method::GET, &path).query(wanted)).await
    }

    /// The same, a message at a time as they come: the answer without its messages, and these.
    pub async fn stream_conversation(
        &self,
        id: TaskId,
        wanted: &ReadConversation,
    ) -> Result<
        (Conversation, impl Stream<Item = Result<ConversationMessage, ClientError>> + Send + use<>),
        ClientError,
    > {
        let path = format!("/mesh/tasks/{id}/conversation");
        let response = self.exchange(self.request(Method::GET, &path).query(wanted)).await?;
        let mut parts = Parts::of(self.url.clone(), response);
        let head = parts.head().await?;
        let messages = stream::try_unfold(parts, |mut parts| async move {
            Ok(parts.message().await?.map(|message| (message, parts)))
        });
        Ok((head, messages))
    }

    /// A page of the branches of a task's conversation.
    pub async fn branches(&self, id: TaskId, list: &List) -> Result<BranchList, ClientError> {
        self.list(&format!("/mesh/tasks/{id}/conversation/branches"), list, &[]).await
    }

    /// A page of a task's output.
    pub async fn output(&self, id: TaskId, list: &List) -> Result<TaskEventList, ClientError> {
        self.list(&format!("/mesh/tasks/{id}/output"), list, &[]).await
    }

    /// A page of a task's events.
    pub async fn events(&self, id: TaskId, list: &List) -> Result<TaskEventList, ClientError> {
        self.list(&format!("/mesh/tasks/{id}/events"), list, &[]).await
    }

    /// A page of a task's checkpoints.
    pub async fn checkpoints(&self, id: TaskId, list: &List) -> Result<CheckpointList, ClientError> {
        self.list(&format!("/mesh/tasks/{id}/checkpoints"), list, &[]).await
    }

    /// What differs between a checkpoint and the one before it, or another moment. The point is one that names a checkpoint.
    pub async fn checkpoint_diff(
        &self,
        id: TaskId,
        checkpoint: &Point,
        how: &DiffQuery,
    ) -> Result<CheckpointDiff, ClientError> {
        let path = format!("/mesh/tasks/{id}/checkpoints/{checkpoint}/diff");
        self.read(self.request(Method::GET, &path).query(how)).await
    }

    /// Keeps a patch in the server's store, under its BLAKE3 in hex. The same again changes nothing.
    pub async fn put_patch(&self, hash: &str, patch: Vec<u8>) -> Result<(), ClientError> {
        let request = self.request(Method::PUT, &format!("/daemons/blobs/{hash}")).body(patch);
        self.exchange(request).await.map(drop)
    }

    /// Makes a checkpoint by hand.
    pub async fn create_checkpoint(
        &self,
        id: TaskId,
        body: &CreateCheckpoint,
    ) -> Result<Making<Checkpoint>, ClientError> {
        self.send(Method::POST, &format!("/mesh/tasks/{id}/checkpoints"), Some(body)).await
    }

    /// Has a task's conversation go on from a snapshot.
    pub async fn restore_snapshot(
        &self,
        task: TaskId,
        id: SnapshotId,
        how: RestoreSnapshot,
    ) -> Result<Operation, ClientError> {
        self.send(Method::POST, &format!("/mesh/tasks/{task}/snapshots/{id}/restore"), Some(&how)).await
    }

    /// Puts a task into the trash, or erases it.
    pub async fn delete_task(&self, id: TaskId, how: Deletion) -> Result<Operation, ClientError> {
        self.once(self.request(Method::DELETE, &format!("/mesh/tasks/{id}")).query(&how)).await
    }

    /// Puts a contract and its tasks into the trash, or erases them.
    pub async fn delete_contract(&self, id: ContractId, how: Deletion) -> Result<Operation, ClientError> {
        self.once(self.request(Method::DELETE, &format!("/contracts/{id}")).query(&how)).await
    }

    /// A page of operations.
    pub async fn operations(&self, list: &ListOperations) -> Result<OperationList, ClientError> {
        self.read(self.request(Method::GET, "/operations").query(list)).await
    }

    /// An operation.
    pub async fn operation(&self, id: OperationId) -> Result<Operation, ClientError> {
        self.get(&format!("/operations/{id}")).await
    }

    /// Undoes an operation.
    pub async fn undo_operation(
        &self,
        id: OperationId,
        how: UndoOperation,
    ) -> Result<Operation, ClientError> {
        self.send(Method::POST, &format!("/operations/{id}/undo"), Some(&how)).await
    }

    /// A page of a task's snapshots.
    pub async fn snapshots(&self, id: TaskId, list: &List) -> Result<SnapshotList, ClientError> {
        self.list(&format!("/mesh/tasks/{id}/snapshots"), list, &[]).await
    }

    /// Keeps where a task's conversation stands now.
    pub async fn create_snapshot(&self, id: TaskId, body: &CreateSnapshot) -> Result<Snapshot, ClientError> {
        self.send(Method::POST, &format!("/mesh/tasks/{id}/snapshots"), Some(body)).await
    }

    /// A snapshot, and the conversation as it was.
    pub async fn snapshot(&self, task: TaskId, id: SnapshotId) -> Result<SnapshotState, ClientError> {
        self.get(&format!("/mesh/tasks/{task}/snapshots/{id}")).await
    }

    /// A page of what was said in the conversation of a chat that goes on.
    pub async fn chat_messages(&self, chat: Chat, list: &List) -> Result<ChatMessageList, ClientError> {
        self.list(&chat_path(chat), list, &[]).await
    }

    /// Says something in a chat.
    pub async fn say_in_chat(&self, chat: Chat, body: &SayInChat) -> Result<ChatMessage, ClientError> {
        self.send(Method::POST, &chat_path(chat), Some(body)).await
    }

    /// A page of a chat's conversations.
    pub async fn chat_conversations(
        &self,
        chat: Chat,
        list: &List,
    ) -> Result<ChatConversationList, ClientError> {
        self.list(&format!("{}/conversations", chat_path(chat)), list, &[]).await
    }

    /// Begins a conversation of a chat, which goes on from then.
    pub async fn create_chat_conversation(
        &self,
        chat: Chat,
        body: &CreateChatConversation,
    ) -> Result<ChatConversation, ClientError> {
        self.send(Method::POST, &format!("{}/conversations", chat_path(chat)), Some(body)).await
    }

    /// Gives a conversation of a chat another name.
    pub async fn rename_chat_conversation(
        &self,
        chat: Chat,
        id: ChatConversationId,
        name: &str,
    ) -> Result<ChatConversation, ClientError> {
        let body = RenameChatConversation { name: name.to_owned() };
        self.send(Method::PATCH, &format!("{}/conversations/{id}", chat_path(chat)), Some(&body)).await
    }

    /// Takes up a conversation of a chat again.
    pub async fn activate_chat_conversation(
        &self,
        chat: Chat,
        id: ChatConversationId,
    ) -> Result<ChatConversation, ClientError> {
        let path = format!("{}/conversations/{id}/activate", chat_path(chat));
        self.send(Method::POST, &path, None::<&()>).await
    }

    /// A page of imports.
    pub async fn imports(&self, list: &ListImports) -> Result<ImportList, ClientError> {
        self.read(self.request(Method::GET, "/imports").query(list)).await
    }

    /// Begins to import a session.
    pub async fn create_import(&self, import: &CreateImport) -> Result<Import, ClientError> {
        self.send(Method::POST, "/imports", Some(import)).await
    }

    /// Appends more of a session to its import. It is taken once however often it is sent: by how much of the file is there.
    pub async fn append_to_import(&self, id: ImportId, more: &AppendToImport) -> Result<Import, ClientError> {
        self.until_answered(self.request(Method::POST, &format!("/imports/{id}/entries")).json(more)).await
    }

    /// Says that all of a session's file is there.
    pub async fn finish_import(&self, id: ImportId, end: &FinishImport) -> Result<Import, ClientError> {
        self.send(Method::POST, &format!("/imports/{id}/finish"), Some(end)).await
    }

    /// All daemons.
    pub async fn daemons(&self) -> Result<DaemonList, ClientError> {
        self.get("/mesh/daemons").await
    }

    /// Whether the server is up and its database answers.
    pub async fn ready(&self) -> Result<(), ClientError> {
        let request = self.http.get(format!("{}/readyz", self.url)).timeout(Duration::from_secs(10));
        self.exchange(request).await.map(|_| ())
    }

    /// Who answers there: the server's version, and the time by its clock. Needs no key.
    pub async fn health(&self) -> Result<ServerHealth, ClientError> {
        let request = self.http.get(format!("{}/healthz", self.url)).timeout(Duration::from_secs(10));
        let response = self.exchange(request).await?;
        let date = response.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let date = date.map(|date| date.with_timezone(&Utc).into());
        let Health { version, .. } = self.body(response).await?;
        Ok(ServerHealth { version, date })
    }

    /// A page of the timeline.
    pub async fn timeline(&self, list: &ListTimeline) -> Result<Timeline, ClientError> {
        self.read(self.request(Method::GET, "/timeline").query(list)).await
    }

    /// A page of what is found.
    pub async fn search(&self, wanted: &Search) -> Result<SearchHits, ClientError> {
        self.read(self.request(Method::GET, "/search").query(wanted)).await
    }

    /// A page of what happened to a contract.
    pub async fn contract_history(
        &self,
        id: ContractId,
        list: &ListHistory,
    ) -> Result<Timeline, ClientError> {
        self.read(self.request(Method::GET, &format!("/contracts/{id}/history")).query(list)).await
    }

    /// The live feed of one task, or of everything, from after the event `after`, or from now on.
    ///
    /// Ends when the server does; go on with the last id that was seen.
    pub async fn feed(
        &self,
        task: Option<TaskId>,
        after: Option<i64>,
    ) -> Result<impl Stream<Item = Result<FeedEvent, ClientError>> + Send + use<>, ClientError> {
        self.feed_of(task.map(|task| ("task_id", task.to_string())), after).await
    }

    /// The same of a contract and its tasks.
    pub async fn contract_feed(
        &self,
        contract: ContractId,
        after: Option<i64>,
    ) -> Result<impl Stream<Item = Result<FeedEvent, ClientError>> + Send + use<>, ClientError> {
        self.feed_of(Some(("contract_id", contract.to_string())), after).await
    }

    async fn feed_of(
        &self,
        what: Option<(&str, String)>,
        after: Option<i64>,
    ) -> Result<impl Stream<Item = Result<FeedEvent, ClientError>> + Send + use<>, ClientError> {
        let mut request = self.request(Method::GET, "/events").query(what.as_slice());
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = self.exchange(request).await?;
        let url = self.url.clone();
        let bytes = response.bytes_stream();
        Ok(crate::sse::events(bytes)
            .map(move |event| event.map_err(|source| ClientError::Unreachable { url: url.clone(), source })))
    }

    /// Any GET below the API's path.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(Method::GET, path, None::<&()>).await
    }

    async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        list: &List,
        filters: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        self.read(self.request(Method::GET, path).query(list).query(filters)).await
    }

    /// Any request below the API's path. What changes something is sent again where its answer is lost, and is carried out once.
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, ClientError> {
        let changes = method != Method::GET;
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        if changes { self.once(request).await } else { self.read(request).await }
    }

    /// Sends a request under a key of its own until it is answered.
    async fn once<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let key: AttemptId = self.clock.new_id();
        self.until_answered(request.header(IDEMPOTENCY_KEY, key.to_string())).await
    }

    /// Sends a request until it is answered: one that does no harm when it is carried out twice.
    async fn until_answered<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let mut again = Again::new(Instant::now());
        loop {
            // Bodies are held whole: there is always a copy.
            let Some(copy) = request.try_clone() else { return self.read(request).await };
            match self.read(copy).await {
                Ok(answer) => return Ok(answer),
                Err(error) => match again.after(&error, Instant::now()) {
                    Some(pause) => {
                        if pause == TOLD {
                            (self.waits)(&error);
                        }
                        tokio::time::sleep(pause).await;
                    }
                    None => return Err(error),
                },
            }
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}{API}{path}", self.url));
        if let Some(program) = &self.program {
            request = request.header(reqwest::header::USER_AGENT, program);
        }
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let response = self.exchange(request).await?;
        self.body(response).await
    }

    async fn body<T: DeserializeOwned>(&self, response: Response) -> Result<T, ClientError> {
        let address = response.url().to_string();
        let bytes = response
            .bytes()
            .await
            .map_err(|source| ClientError::Unreachable { url: self.url.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|source| ClientError::Strange {
            url: self.url.clone(),
            address,
            source,
        })
    }

    pub(crate) async fn exchange(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request
            .send()
            .await
            .map_err(|source| ClientError::Unreachable { url: self.url.clone(), source })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = response.bytes().await.unwrap_or_default();
        Err(match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(body) => ClientError::Refused { url: self.url.clone(), status, body },
            Err(_) => ClientError::NotMakima { url: self.url.clone(), status },
        })
    }
}

/// Something that was asked for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Making<T> {
    /// It is made.
    Made(T),
    /// It takes longer than a request may: the operation goes on.
    GoesOn(Box<Operation>),
}

impl<T> Making<T> {
    /// What was made, if it is.
    pub fn made(self) -> Option<T> {
        match self {
            Self::Made(made) => Some(made),
            Self::GoesOn(_) => None,
        }
    }
}

/// Who answers at a server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHealth {
    /// The server's version.
    pub version: String,
    /// The time by its clock, to the second; `None` where it doesn't tell.
    pub date: Option<Timestamp>,
}

fn chat_path(chat: Chat) -> String {
    match chat {
        Chat::Mesh => "/mesh/chat".to_owned(),
        Chat::Contract(id) => format!("/contracts/{id}/chat"),
    }
}

/// One event of the live feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEvent {
    /// Its number, to go on after; `None` for what is live only.
    pub id: Option<i64>,
    /// `history`, `task`, `message` or `delta`.
    pub event: String,
    /// JSON: [`makima_wire::FeedData`].
    pub data: String,
}

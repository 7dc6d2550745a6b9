//! What the owner says about all tasks, and about contracts.

use crate::{lab::*, on_both};
use makima_client::ClientError;
use makima_model::{Chat, ChatContext, ContractId, MessageRole, Phase};
use makima_wire::{
    Code, CreateChatConversation, CreateContract, CreateTask, EntryType, FeedData, List, Order, SayInChat,
    Task,
};
use reqwest::Method;
use serde_json::{Value, json};

/// Both kinds of ada's chats.
async fn both(lab: &Lab) -> [Chat; 2] {
    [Chat::Mesh, Chat::Contract(contract(lab, "Faster start").await)]
}

async fn contract(lab: &Lab, name: &str) -> ContractId {
    let wanted =
        CreateContract { name: name.into(), repository: "/srv/project".into(), ..CreateContract::default() };
    lab.client.create_contract(&wanted).await.unwrap().id
}

async fn task_of(lab: &Lab, chat: Chat) -> Task {
    let wanted = CreateTask {
        plan: "x".into(),
        repository: Some("/srv/project".into()),
        contract_id: chat.contract(),
        ..CreateTask::default()
    };
    lab.client.create_task(&wanted).await.unwrap()
}

fn words(content: &str) -> SayInChat {
    SayInChat { content: content.into(), ..SayInChat::default() }
}

fn named(name: &str) -> CreateChatConversation {
    CreateChatConversation { name: Some(name.into()) }
}

fn path(chat: Chat) -> String {
    chat.contract().map_or("/mesh/chat".to_owned(), |id| format!("/contracts/{id}/chat"))
}

async fn refused<T: std::fmt::Debug>(answer: impl Future<Output = Result<T, ClientError>>) -> Code {
    let error = answer.await.unwrap_err();
    error.code().unwrap_or_else(|| panic!("{error:?}"))
}

on_both! {
    async fn the_first_message_begins_the_conversation_that_goes_on(engine) {
        let lab = Lab::new(engine).await;
        for chat in both(&lab).await {
            let all = List::default();
            let before = lab.client.chat_messages(chat, &all).await.unwrap();
            assert_eq!((before.messages.len(), before.total_count, before.cursor), (0, 0, None));
            assert_eq!(lab.client.chat_conversations(chat, &all).await.unwrap().total_count, 0);
            let task = task_of(&lab, chat).await;
            let first = lab.client.say_in_chat(chat, &words("hello \u{1f980}\nthere")).await.unwrap();
            assert_eq!((first.role, first.content.as_str()), (MessageRole::User, "hello \u{1f980}\nthere"));
            assert_eq!((first.context_type, first.context_task_id), (chat.context(), None));
            let about = SayInChat { context_task_id: Some(task.id), ..words("why?") };
            let second = lab.client.say_in_chat(chat, &about).await.unwrap();
            assert_eq!((second.context_type, second.context_task_id), (ChatContext::Task, Some(task.id)));
            assert_eq!(second.conversation_id, first.conversation_id);

            let conversations = lab.client.chat_conversations(chat, &all).await.unwrap();
            assert_eq!(conversations.total_count, 1);
            let conversation = &conversations.conversations[0];
            assert_eq!((conversation.id, conversation.is_active), (first.conversation_id, true));
            assert_eq!((conversation.contract_id, conversation.updated_at), (chat.contract(), second.created_at));
            let name = if chat == Chat::Mesh { "Conversation 1" } else { "Faster start" };
            assert_eq!(conversation.name, name);
            let said = lab.client.chat_messages(chat, &all).await.unwrap();
            assert_eq!((said.messages, said.total_count), (vec![second.clone(), first.clone()], 2));
            let ascending = List { order: Some(Order::Asc), ..List::default() };
            assert_eq!(lab.client.chat_messages(chat, &ascending).await.unwrap().messages, [first, second]);
        }
    }

    async fn one_conversation_goes_on_and_the_others_are_kept(engine) {
        let lab = Lab::new(engine).await;
        for chat in both(&lab).await {
            let one = lab.client.create_chat_conversation(chat, &named(" One ")).await.unwrap();
            assert_eq!((one.name.as_str(), one.is_active, one.contract_id), ("One", true, chat.contract()));
            let said = lab.client.say_in_chat(chat, &words("in one")).await.unwrap();
            let two = lab.client.create_chat_conversation(chat, &CreateChatConversation::default()).await.unwrap();
            assert_eq!((two.name.as_str(), two.is_active), ("Conversation 2", true));
            assert_eq!(lab.client.chat_messages(chat, &List::default()).await.unwrap().total_count, 0);
            lab.client.say_in_chat(chat, &words("in two")).await.unwrap();

            let again = lab.client.activate_chat_conversation(chat, one.id).await.unwrap();
            assert!(again.is_active && again.id == one.id);
            assert_eq!(lab.client.activate_chat_conversation(chat, one.id).await.unwrap(), again);
            assert_eq!(lab.client.chat_messages(chat, &List::default()).await.unwrap().messages, [said]);
            let renamed = lab.client.rename_chat_conversation(chat, two.id, "2nd").await.unwrap();
            assert_eq!((renamed.name.as_str(), renamed.is_active), ("2nd", false));
            let listed = lab.client.chat_conversations(chat, &List::default()).await.unwrap();
            let names: Vec<(&str, bool)> =
                listed.conversations.iter().map(|row| (row.name.as_str(), row.is_active)).collect();
            assert_eq!((names, listed.total_count), (vec![("2nd", false), ("One", true)], 2));
        }
    }

    async fn those_who_speak_first_at_once_speak_in_one_conversation(engine) {
        let lab = Lab::new(engine).await;
        for chat in both(&lab).await {
            let texts: Vec<SayInChat> = (0..8).map(|n| words(&format!("message {n}"))).collect();
            let said = futures::future::join_all(texts.iter().map(|text| lab.client.say_in_chat(chat, text))).await;
            let first = said[0].as_ref().unwrap().conversation_id;
            assert!(said.iter().all(|message| message.as_ref().unwrap().conversation_id == first));
            assert_eq!(lab.client.chat_conversations(chat, &List::default()).await.unwrap().total_count, 1);
            assert_eq!(lab.client.chat_messages(chat, &List::default()).await.unwrap().total_count, 8);
        }
    }

    async fn messages_are_listed_in_pages_while_more_is_said(engine) {
        let lab = Lab::new(engine).await;
        for chat in both(&lab).await {
            let mut made = Vec::new();
            for n in 0..5 {
                made.push(lab.client.say_in_chat(chat, &words(&format!("message {n}"))).await.unwrap().id);
            }
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let list = List { limit: Some(2), cursor, ..List::default() };
                let page = lab.client.chat_messages(chat, &list).await.unwrap();
                assert_eq!(page.total_count, 5 + seen.len() as i64 / 2);
                seen.extend(page.messages.into_iter().map(|message| message.id));
                lab.client.say_in_chat(chat, &words("in between")).await.unwrap();
                cursor = page.cursor;
                if cursor.is_none() {
                    break;
                }
            }
            made.reverse();
            assert_eq!(seen, made);
        }
    }

    async fn the_timeline_tells_what_was_said(engine) {
        let lab = Lab::new(engine).await;
        let [mesh, contract] = both(&lab).await;
        lab.client.set_phase(contract.contract().unwrap(), Phase::Plan).await.unwrap();
        let task = task_of(&lab, contract).await;
        let mut feed = Box::pin(lab.client.feed(None, None).await.unwrap());
        for (chat, long) in [(mesh, "x".repeat(10_000)), (contract, "y".repeat(10_001))] {
            let about = SayInChat { context_task_id: Some(task.id), ..words(&long) };
            let said = lab.client.say_in_chat(chat, &about).await.unwrap();
            let told = loop {
                let event = take(&mut feed, 1).await.remove(0);
                match serde_json::from_str(&event.data).unwrap() {
                    FeedData::History(entry) if entry.entry_type == EntryType::ChatMessage => break entry,
                    _ => {}
                }
            };
            // What is said about all tasks is in no timeline that agents read.
            let (of_contract, of_task, phase) = match chat {
                Chat::Mesh => (None, None, None),
                Chat::Contract(id) => (Some(id), Some(task.id), Some(Phase::Plan)),
            };
            assert_eq!((told.contract_id, told.task_id, told.phase), (of_contract, of_task, phase));
            assert_eq!((told.conversation_id, told.message_id), (Some(said.conversation_id), Some(said.id)));
            assert_eq!((told.role, told.content.as_deref()), (Some(MessageRole::User), Some(&long[..10_000])));
            assert_eq!(told.truncated, long.len() > 10_000);
            let data = json!({ "contextType": "task", "contextTaskId": task.id });
            assert_eq!((told.event_type.as_str(), told.event_data), ("chat_message", Some(data)));
        }
    }

    async fn what_can_not_be_said_is_not_kept(engine) {
        let lab = Lab::new(engine).await;
        let chats = both(&lab).await;
        let other = Chat::Contract(contract(&lab, "Other").await);
        let foreign = task_of(&lab, other).await;
        let id = foreign.id;
        for chat in chats {
            let begun = lab.client.create_chat_conversation(chat, &named("One")).await.unwrap();
            let (say, list) = (path(chat), format!("{}/conversations", path(chat)));
            let one = format!("{list}/{}", begun.id);
            let usual = chat.context();
            let unusual = if chat == Chat::Mesh { "contract" } else { "mesh" };
            let cases = [
                (Method::POST, &say, json!({}), Code::BadRequest),
                (Method::POST, &say, json!({ "content": "x", "role": "assistant" }), Code::BadRequest),
                (Method::POST, &say, json!({ "content": 7 }), Code::BadRequest),
                (Method::POST, &say, json!({ "content": "x", "contextType": "world" }), Code::BadRequest),
                (Method::POST, &say, json!({ "content": "x", "contextTaskId": "x" }), Code::BadRequest),
                (Method::POST, &say, json!({ "content": " \n" }), Code::Unprocessable),
                (Method::POST, &say, json!({ "content": "a\0b" }), Code::Unprocessable),
                (Method::POST, &say, json!({ "content": "x".repeat(1_000_001) }), Code::Unprocessable),
                (Method::POST, &say, json!({ "content": "x", "contextType": "task" }), Code::Unprocessable),
                (Method::POST, &say, json!({ "content": "x", "contextType": unusual }), Code::Unprocessable),
                (Method::POST, &say, json!({ "content": "x", "contextType": usual, "contextTaskId": id }), Code::Unprocessable),
                (Method::POST, &say, json!({ "content": "x", "contextTaskId": begun.id }), Code::NotFound),
                (Method::POST, &list, json!({ "isActive": false }), Code::BadRequest),
                (Method::POST, &list, json!({ "name": "" }), Code::Unprocessable),
                (Method::POST, &list, json!({ "name": "a\u{7}" }), Code::Unprocessable),
                (Method::POST, &list, json!({ "name": "x".repeat(201) }), Code::Unprocessable),
                (Method::PATCH, &one, json!({}), Code::BadRequest),
                (Method::PATCH, &one, json!({ "name": "a\nb" }), Code::Unprocessable),
                (Method::PATCH, &one, json!({ "name": "x", "isActive": true }), Code::BadRequest),
                (Method::PATCH, &format!("{list}/none"), json!({ "name": "x" }), Code::BadRequest),
                (Method::PATCH, &format!("{list}/{id}"), json!({ "name": "x" }), Code::NotFound),
                (Method::POST, &format!("{list}/none/activate"), json!({}), Code::BadRequest),
                (Method::POST, &format!("{list}/{id}/activate"), json!({}), Code::NotFound),
            ];
            for (method, path, body, code) in cases {
                let answer = lab.client.send::<Value>(method.clone(), path, Some(&body)).await;
                let told: String = body.to_string().chars().take(80).collect();
                assert_eq!(answer.unwrap_err().code(), Some(code), "{method} {path} {told}");
            }
            let of_other = SayInChat { context_task_id: Some(id), ..words("x") };
            if chat == Chat::Mesh {
                lab.client.say_in_chat(chat, &of_other).await.unwrap();
            } else {
                assert_eq!(refused(lab.client.say_in_chat(chat, &of_other)).await, Code::Unprocessable);
            }
            let said = lab.client.chat_messages(chat, &List::default()).await.unwrap();
            assert_eq!(said.total_count, i64::from(chat == Chat::Mesh));
            let listed = lab.client.chat_conversations(chat, &List::default()).await.unwrap();
            assert_eq!((listed.total_count, listed.conversations[0].name.as_str()), (1, "One"));
            assert!(listed.conversations[0].is_active);
        }
    }

    async fn a_chat_of_one_is_not_there_for_another(engine) {
        let lab = Lab::new(engine).await;
        let [mesh, contract] = both(&lab).await;
        let eve = lab.stranger().await;
        let task = task_of(&lab, contract).await;
        let all = List::default();
        let [of_mesh, of_contract] = [mesh, contract].map(|chat| {
            let client = lab.client.clone();
            async move {
                client.say_in_chat(chat, &words("secret")).await.unwrap();
                client.chat_conversations(chat, &List::default()).await.unwrap().conversations[0].id
            }
        });
        let (of_mesh, of_contract) = (of_mesh.await, of_contract.await);
        assert_eq!(eve.chat_messages(mesh, &all).await.unwrap().total_count, 0);
        assert_eq!(eve.chat_conversations(mesh, &all).await.unwrap().total_count, 0);
        let about = SayInChat { context_task_id: Some(task.id), ..words("x") };
        assert_eq!(refused(eve.say_in_chat(mesh, &about)).await, Code::NotFound);
        let strange = Chat::Contract(lab.clock.new_id());
        for (client, chat) in [(&eve, contract), (&lab.client, strange)] {
            assert_eq!(refused(client.chat_messages(chat, &all)).await, Code::NotFound);
            assert_eq!(refused(client.chat_conversations(chat, &all)).await, Code::NotFound);
            assert_eq!(refused(client.say_in_chat(chat, &words("x"))).await, Code::NotFound);
            assert_eq!(refused(client.create_chat_conversation(chat, &named("x"))).await, Code::NotFound);
        }
        for (client, chat, id) in [
            (&eve, mesh, of_mesh),
            (&eve, contract, of_contract),
            (&lab.client, mesh, of_contract),
            (&lab.client, contract, of_mesh),
        ] {
            assert_eq!(refused(client.rename_chat_conversation(chat, id, "x")).await, Code::NotFound);
            assert_eq!(refused(client.activate_chat_conversation(chat, id)).await, Code::NotFound);
        }
        // None of it has changed what goes on.
        for (chat, id) in [(mesh, of_mesh), (contract, of_contract)] {
            let listed = lab.client.chat_conversations(chat, &all).await.unwrap();
            assert_eq!((listed.total_count, listed.conversations[0].id), (1, id));
            assert!(listed.conversations[0].is_active && listed.conversations[0].name != "x");
        }
        assert_eq!(eve.chat_conversations(mesh, &all).await.unwrap().total_count, 0);
    }
}

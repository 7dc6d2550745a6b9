//! Chats.

use crate::lab::{Lab, all, walk};
use futures::future::join_all;
use makima_model::{Chat, ChatContext, ChatConversationId, MessageRole, OwnerId, TaskId};
use makima_store::{ChatConversation, ChatMessage, Order, chats};

/// Both kinds of an owner's chats.
async fn both(lab: &Lab, owner: OwnerId) -> [Chat; 2] {
    [Chat::Mesh, Chat::Contract(lab.contract(owner).await.id)]
}

fn new(lab: &Lab, owner: OwnerId, name: &str, is_active: bool) -> ChatConversation {
    let (id, now) = (lab.clock.new_id(), lab.now());
    ChatConversation { id, owner, name: name.into(), is_active, created_at: now, updated_at: now }
}

async fn begin(lab: &Lab, owner: OwnerId, chat: Chat, name: &str, is_active: bool) -> ChatConversation {
    let mut tx = lab.begin().await;
    assert!(chats::lock(&mut tx, owner, chat).await.unwrap());
    let conversation = new(lab, owner, name, is_active);
    chats::begin(&mut tx, chat, &conversation).await.unwrap();
    tx.commit().await.unwrap();
    conversation
}

async fn say(
    lab: &Lab,
    chat: Chat,
    conversation: &ChatConversation,
    content: &str,
    about: Option<TaskId>,
) -> ChatMessage {
    let message = ChatMessage {
        id: lab.clock.new_id(),
        owner: conversation.owner,
        conversation: conversation.id,
        role: MessageRole::User,
        content: content.into(),
        context: if about.is_some() { ChatContext::Task } else { chat.context() },
        context_task: about,
        created_at: lab.now(),
    };
    let mut tx = lab.begin().await;
    chats::say(&mut tx, chat, &message).await.unwrap();
    tx.commit().await.unwrap();
    message
}

async fn active(lab: &Lab, owner: OwnerId, chat: Chat) -> Option<ChatConversationId> {
    chats::active(&mut lab.read().await, owner, chat).await.unwrap().map(|conversation| conversation.id)
}

on_both_engines! {
    async fn what_is_said_in_a_chat_is_read_back(lab: Lab) {
        let owner = lab.owner().await;
        let task = lab.task(owner).await;
        for chat in both(&lab, owner).await {
            let conversation = begin(&lab, owner, chat, "One", true).await;
            let mut said = Vec::new();
            for n in 0..5 {
                let content = format!("message {n} \0 {}", "long ".repeat(n * 50));
                said.push(say(&lab, chat, &conversation, &content, (n == 2).then_some(task.id)).await);
            }
            let walked = walk(Order::Oldest, 2, 5, async |seek| {
                chats::messages(&mut lab.read().await, owner, chat, conversation.id, seek).await.unwrap()
            });
            assert_eq!(walked.await, said);
            said.reverse();
            let mut tx = lab.read().await;
            assert_eq!(chats::messages(&mut tx, owner, chat, conversation.id, all()).await.unwrap().rows, said);
            let now = chats::active(&mut tx, owner, chat).await.unwrap().unwrap();
            assert_eq!(now, ChatConversation { updated_at: said[0].created_at, ..conversation });
        }
    }

    async fn one_conversation_of_a_chat_goes_on(lab: Lab) {
        let owner = lab.owner().await;
        for chat in both(&lab, owner).await {
            assert_eq!(active(&lab, owner, chat).await, None);
            let first = begin(&lab, owner, chat, "One", true).await;
            let second = begin(&lab, owner, chat, "Two", true).await;
            let third = begin(&lab, owner, chat, "Three", false).await;
            assert_eq!(active(&lab, owner, chat).await, Some(second.id));

            let at = lab.now();
            let mut tx = lab.begin().await;
            let taken_up = chats::activate(&mut tx, owner, chat, first.id, at).await.unwrap();
            let renamed = chats::rename(&mut tx, owner, chat, third.id, "3 \0", at).await.unwrap();
            tx.commit().await.unwrap();
            let first = ChatConversation { updated_at: at, ..first };
            let second = ChatConversation { is_active: false, ..second };
            let third = ChatConversation { name: "3 \u{fffd}".into(), updated_at: at, ..third };
            assert_eq!((taken_up.as_ref(), renamed.as_ref()), (Some(&first), Some(&third)));
            let walked = walk(Order::Newest, 2, 3, async |seek| {
                chats::list(&mut lab.read().await, owner, chat, seek).await.unwrap()
            });
            assert_eq!(walked.await, [third, second, first]);
            assert_eq!(chats::how_many(&mut lab.read().await, owner, chat).await.unwrap(), 3);
        }
    }

    async fn of_many_who_take_up_conversations_at_once_one_prevails(lab: Lab) {
        let owner = lab.owner().await;
        for chat in both(&lab, owner).await {
            let old = begin(&lab, owner, chat, "old", true).await;
            let work = |n: usize| {
                let (lab, old) = (&lab, old.id);
                async move {
                    let mut tx = lab.begin().await;
                    assert!(chats::lock(&mut tx, owner, chat).await.unwrap());
                    if n.is_multiple_of(2) {
                        chats::begin(&mut tx, chat, &new(lab, owner, "new", true)).await.unwrap();
                    } else {
                        chats::activate(&mut tx, owner, chat, old, lab.now()).await.unwrap();
                    }
                    tx.commit().await.unwrap();
                }
            };
            join_all((0..12).map(work)).await;
            let rows = chats::list(&mut lab.read().await, owner, chat, all()).await.unwrap().rows;
            assert_eq!(rows.len(), 7);
            assert_eq!(rows.iter().filter(|conversation| conversation.is_active).count(), 1);
        }
    }

    async fn a_chat_is_its_owners_alone(lab: Lab) {
        let (owner, other) = (lab.owner().await, lab.owner().await);
        let [mesh, contract] = both(&lab, owner).await;
        for (chat, foreign) in [(mesh, contract), (contract, mesh)] {
            let conversation = begin(&lab, owner, chat, "One", true).await;
            say(&lab, chat, &conversation, "hello", None).await;
            let mut tx = lab.begin().await;
            for (owner, chat) in [(other, chat), (owner, foreign)] {
                let id = conversation.id;
                assert_eq!(chats::activate(&mut tx, owner, chat, id, lab.now()).await.unwrap(), None);
                assert_eq!(chats::rename(&mut tx, owner, chat, id, "x", lab.now()).await.unwrap(), None);
                assert_eq!(chats::messages(&mut tx, owner, chat, id, all()).await.unwrap().rows, []);
            }
            assert_eq!(chats::active(&mut tx, other, chat).await.unwrap(), None);
            assert_eq!(chats::list(&mut tx, other, chat, all()).await.unwrap().rows, []);
            assert_eq!(chats::how_many(&mut tx, other, chat).await.unwrap(), 0);
        }
        let mut tx = lab.begin().await;
        assert!(!chats::lock(&mut tx, other, contract).await.unwrap());
        assert!(!chats::lock(&mut tx, lab.clock.new_id(), Chat::Mesh).await.unwrap());
    }
}

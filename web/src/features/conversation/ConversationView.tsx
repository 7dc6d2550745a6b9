import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { memo, useCallback, useMemo, useState } from 'react'
import type { Checkpoint, Message, Task } from '~/api/client'
import type { Draft } from '~/api/feed'
import { Problem } from '~/api/problem'
import { checkpointsQuery, conversationQuery } from '~/api/queries'
import { AnswerBox } from '~/features/questions/AnswerBox'
import { isLive } from '~/features/tasks/TaskStatus'
import { Store, useStore } from '~/lib/store'
import { LiveList } from '~/ui/LiveList'
import { Skeleton } from '~/ui/Skeleton'
import { Trouble } from '~/ui/Trouble'
import { CallLine } from './CallLine'
import { CheckpointLine, DraftLine, ThoughtLine, TurnLine, UnsaidLine, WorkingLine } from './LineView'
import { type Line, linesOf } from './lines'
import { Said } from './Said'
import { SendBox } from './SendBox'

/** Messages that were sent from this page and not said yet, by task. */
const unsaid = new Store<ReadonlyMap<string, readonly Unsaid[]>>(new Map())

interface Unsaid {
  id: string
  content: string
}

/** A row of the list: a line of the conversation, or what stands below its last. */
type Row =
  | Line
  | { kind: 'draft'; key: string; draft: Draft }
  | { kind: 'working'; key: string; what: string; since: string }
  | { kind: 'unsaid'; key: string; content: string }

const NO_CHECKPOINTS: Checkpoint[] = []

/** The conversation of a task, live, with the question that waits and a box to say something. */
export function ConversationView({ task }: { task: Task }) {
  const conversation = useQuery(conversationQuery(task.id))
  const pages = useInfiniteQuery(checkpointsQuery(task.id)).data?.pages
  const checkpoints = useMemo(() => pages?.flatMap(page => page.checkpoints) ?? NO_CHECKPOINTS, [pages])
  const problem = conversation.error && Problem.from(conversation.error)
  if (problem && !conversation.data) {
    return (
      <div className="p-4">
        <Trouble
          what="The conversation can’t be shown"
          why={problem.message}
          requestId={problem.requestId}
          onRetry={() => void conversation.refetch()}
        />
      </div>
    )
  }
  return (
    <div className="flex h-full min-h-0 flex-col">
      {conversation.data ? (
        <Messages task={task} messages={conversation.data.messages} checkpoints={checkpoints} />
      ) : (
        <div className="flex-1">
          <Skeleton rows={8} />
        </div>
      )}
      {task.pendingQuestion && <AnswerBox task={task} question={task.pendingQuestion} />}
      <SendBox
        task={task}
        onSent={(id, content) => {
          const all = new Map(unsaid.get())
          all.set(task.id, [...(all.get(task.id) ?? []), { id, content }])
          unsaid.set(all)
        }}
      />
    </div>
  )
}

function Messages({ task, messages, checkpoints }: { task: Task; messages: Message[]; checkpoints: Checkpoint[] }) {
  const { live } = useRouter().options.context
  const draft = useStore(live.draft(task.id))
  const waiting = useStore(unsaid).get(task.id)
  const lines = useMemo(() => linesOf(messages, checkpoints), [messages, checkpoints])
  const rows = useMemo(() => withEnd(lines, messages, task, draft, waiting), [lines, messages, task, draft, waiting])
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const toggle = useCallback((key: string) => {
    setOpen(before => {
      const after = new Set(before)
      if (!after.delete(key)) after.add(key)
      return after
    })
  }, [])
  if (rows.length === 0) {
    return (
      <div className="flex-1 px-4 py-3 text-ink-2">
        <p>{task.statusReason ?? 'Nothing was said yet.'}</p>
        <p className="text-ink-3">What the agent says and does appears here as it happens.</p>
      </div>
    )
  }
  return (
    <LiveList label="Conversation" rows={rows} count={messages.length} noun="message">
      {row => <RowView key={row.key} row={row} task={task} open={open.has(row.key)} toggle={toggle} />}
    </LiveList>
  )
}

function withEnd(lines: Line[], messages: Message[], task: Task, draft?: Draft, waiting?: readonly Unsaid[]): Row[] {
  const rows: Row[] = [...lines]
  const last = messages.at(-1)
  if (draft) rows.push({ kind: 'draft', key: draft.messageId, draft })
  else if (task.status === 'running') {
    rows.push({
      kind: 'working',
      key: 'working',
      what: 'Working',
      since: last?.timestamp ?? task.updatedAt ?? task.createdAt,
    })
  } else if (task.status === 'starting') {
    const what = 'Preparing the worktree and the agent'
    rows.push({ kind: 'working', key: 'working', what, since: task.updatedAt ?? task.createdAt })
  }
  for (const { id, content } of waiting ?? []) {
    if (!messages.some(message => message.id === id)) rows.push({ kind: 'unsaid', key: `unsaid ${id}`, content })
  }
  return rows
}

interface RowProps {
  row: Row
  task: Task
  open: boolean
  toggle: (key: string) => void
}

/** Drawn anew only when it has changed: the list asks for every row in view at every step of a scroll. */
const RowView = memo(function RowView({ row, task, open, toggle }: RowProps) {
  const onToggle = () => toggle(row.key)
  const agent = task.agent ?? 'agent'
  switch (row.kind) {
    case 'turn':
      return <TurnLine line={row} />
    case 'said':
      return <Said message={row.message} agent={agent} />
    case 'thought':
      return <ThoughtLine text={row.text} open={open} onToggle={onToggle} />
    case 'call':
      return (
        <CallLine
          call={row.call}
          first={row.first}
          last={row.last}
          worktree={task.worktreePath}
          doing={task.pendingQuestion ? 'asking' : isLive(task.status) ? 'working' : undefined}
          open={open}
          onToggle={onToggle}
        />
      )
    case 'checkpoint':
      return <CheckpointLine checkpoint={row.checkpoint} open={open} onToggle={onToggle} />
    case 'draft':
      return <DraftLine draft={row.draft} agent={agent} />
    case 'working':
      return <WorkingLine what={row.what} since={row.since} />
    case 'unsaid':
      return <UnsaidLine text={row.content} />
  }
})

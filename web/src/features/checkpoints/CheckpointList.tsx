import { useInfiniteQuery, useMutation } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { GitCommitHorizontal } from 'lucide-react'
import { answer, api, type Checkpoint, type Task } from '~/api/client'
import { Problem } from '~/api/problem'
import { checkpointsQuery } from '~/api/queries'
import { counted } from '~/lib/amount'
import { clock, moment } from '~/lib/time'
import { Button } from '~/ui/Button'
import { Copy } from '~/ui/Copy'
import { Empty } from '~/ui/Empty'
import { Skeleton } from '~/ui/Skeleton'
import { Trouble } from '~/ui/Trouble'
import { FileList } from './FileList'

/** The checkpoints of a task, newest first, each with what it changed. */
export function CheckpointList({ task }: { task: Task }) {
  const list = useInfiniteQuery(checkpointsQuery(task.id))
  const checkpoints = list.data?.pages.flatMap(page => page.checkpoints)
  const problem = list.error && Problem.from(list.error)
  return (
    <div className="h-full overflow-y-auto px-4 py-3">
      <MakeCheckpoint task={task} />
      {problem && !checkpoints && (
        <Trouble
          what="The checkpoints can’t be shown"
          why={problem.message}
          requestId={problem.requestId}
          onRetry={() => void list.refetch()}
        />
      )}
      {!checkpoints && !problem && <Skeleton rows={5} />}
      {checkpoints?.length === 0 && (
        <Empty title="No checkpoints yet">
          One is made at the end of each turn that changed a file, and whenever you ask for one: a commit that holds the
          worktree as it was, and the place in the conversation.
        </Empty>
      )}
      <ol>
        {checkpoints?.map(checkpoint => (
          <Row key={checkpoint.id} checkpoint={checkpoint} />
        ))}
      </ol>
      {list.hasNextPage && (
        <Button className="mt-3" disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Show older
        </Button>
      )}
    </div>
  )
}

function MakeCheckpoint({ task }: { task: Task }) {
  const { client } = useRouter().options.context
  const make = useMutation({
    mutationFn: () =>
      answer(api.POST('/api/v1/mesh/tasks/{id}/checkpoints', { params: { path: { id: task.id } }, body: {} })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['checkpoints', task.id] }),
  })
  const problem = make.error && Problem.from(make.error)
  if (!task.worktreePath) return null
  return (
    <div className="mb-3 flex flex-col gap-2">
      <div>
        <Button disabled={make.isPending} onClick={() => make.mutate()}>
          {make.isPending ? 'Making a checkpoint' : 'Make checkpoint'}
        </Button>
      </div>
      {problem && <Trouble what="No checkpoint was made" why={problem.message} requestId={problem.requestId} />}
    </div>
  )
}

function Row({ checkpoint }: { checkpoint: Checkpoint }) {
  return (
    <li className="border-line border-t py-2">
      <div className="flex flex-wrap items-center gap-x-2.5">
        <GitCommitHorizontal size={14} aria-hidden className="text-ink-2" />
        <h2 className="font-semibold">Checkpoint {checkpoint.checkpointNumber}</h2>
        <span className="min-w-0 truncate text-ink-2">{checkpoint.message}</span>
        <span className="flex-1" />
        <span className="text-ink-3">
          {checkpoint.kind === 'manual' ? 'made by hand' : 'end of a turn'}, after{' '}
          {counted(checkpoint.messageCount, 'message')}
        </span>
        <time dateTime={checkpoint.createdAt} title={moment(checkpoint.createdAt)} className="mono text-ink-2">
          {clock(checkpoint.createdAt)}
        </time>
        <span className="inline-flex items-center">
          <code className="text-ink-3">{checkpoint.commitSha.slice(0, 8)}</code>
          <Copy text={checkpoint.commitSha} what="commit" />
        </span>
      </div>
      <div className="sm:pl-4">
        <FileList checkpoint={checkpoint} />
      </div>
    </li>
  )
}

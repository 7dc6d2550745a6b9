import { Link } from '@tanstack/react-router'
import { CircleQuestionMark } from 'lucide-react'
import type { Contract, Task } from '~/api/client'
import { Problem } from '~/api/problem'
import { gist } from '~/features/conversation/call'
import { useAnswer } from '~/features/tasks/actions'
import { plain } from '~/lib/plain'
import { Ago } from '~/ui/Ago'
import { Button, buttonLook } from '~/ui/Button'
import { Trouble } from '~/ui/Trouble'

/** What waits for an answer of the owner, with the contract of each where contracts are given. A permission is answered in place; a question where its conversation is. */
export function Waiting({ tasks, contracts }: { tasks: readonly Task[]; contracts?: readonly Contract[] }) {
  return (
    <ol className="border-line-strong border-t bg-surface">
      {tasks.map(task => (
        <Row
          key={task.id}
          task={task}
          of={contracts && (contracts.find(({ id }) => id === task.contractId)?.name ?? 'Loose task')}
        />
      ))}
    </ol>
  )
}

function Row({ task, of }: { task: Task; of?: string }) {
  const answer = useAnswer()
  const question = task.pendingQuestion
  const problem = answer.error && Problem.from(answer.error)
  if (!question) return null
  const say = (words: 'allow' | 'deny') => answer.mutate({ id: task.id, questionId: question.id, answer: words })
  return (
    <li className="border-line border-b px-2 py-1.5">
      <div className="grid grid-cols-[16px_minmax(0,1fr)_auto] items-center gap-x-3 sm:grid-cols-[16px_minmax(0,1fr)_auto_auto] md:grid-cols-[16px_minmax(0,1fr)_minmax(0,220px)_56px_auto]">
        <CircleQuestionMark size={16} role="img" aria-label="waits" className="mt-0.5 self-start text-waiting" />
        <div className="min-w-0">
          <Link
            to="/tasks/$id/conversation"
            params={{ id: task.id }}
            data-row
            className="block truncate font-semibold hover:underline hover:underline-offset-3"
          >
            <What task={task} />
          </Link>
          <p className="truncate text-ink-2">
            {task.name} {question.kind === 'permission' ? 'asks for permission' : 'asks'}
            {question.choices && question.choices.length > 0 && `: ${plain(question.choices.join(' · '))}`}
          </p>
        </div>
        <div className="hidden min-w-0 md:block">
          <p className="truncate">{of}</p>
          <p className="truncate text-ink-2">{task.agent}</p>
        </div>
        <span className="hidden text-right whitespace-nowrap text-ink-2 sm:block">
          <Ago at={task.updatedAt ?? task.createdAt} />
        </span>
        {question.kind === 'permission' ? (
          <div className="flex gap-2">
            <Button small disabled={answer.isPending} onClick={() => say('deny')}>
              Deny
            </Button>
            <Button small disabled={answer.isPending} onClick={() => say('allow')}>
              Allow once
            </Button>
          </div>
        ) : (
          <Link to="/tasks/$id/conversation" params={{ id: task.id }} className={buttonLook('plain', true)}>
            Answer
          </Link>
        )}
      </div>
      {problem && (
        <div className="mt-1.5">
          <Trouble what="The answer was not taken" why={problem.message} requestId={problem.requestId} />
        </div>
      )}
    </li>
  )
}

function What({ task }: { task: Task }) {
  const question = task.pendingQuestion
  if (question?.kind !== 'permission' || !question.toolName) return plain(question?.text ?? '')
  return (
    <>
      {question.toolName === 'Bash' ? 'Run' : question.toolName}{' '}
      <code>{plain(gist(question.toolName, question.toolInput, task.worktreePath))}</code>?
    </>
  )
}

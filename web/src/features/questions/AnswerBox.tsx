import { CircleQuestionMark } from 'lucide-react'
import { useState } from 'react'
import { useHotkeys } from 'react-hotkeys-hook'
import type { Question, Task } from '~/api/client'
import { Problem } from '~/api/problem'
import { given, relative } from '~/features/conversation/call'
import { useAnswer } from '~/features/tasks/actions'
import { plain } from '~/lib/plain'
import { Button } from '~/ui/Button'
import { Kbd } from '~/ui/Kbd'
import { Trouble } from '~/ui/Trouble'

/** What the agent of a task waits for, and how to answer it. */
export function AnswerBox({ task, question }: { task: Task; question: Question }) {
  const answer = useAnswer()
  const problem = answer.error && Problem.from(answer.error)
  const say = (words: string, message?: string) =>
    answer.mutate({ id: task.id, questionId: question.id, answer: words, message })
  const Answers = question.kind === 'permission' ? Permission : Words
  return (
    <section
      aria-label="Question of the agent"
      className="mx-4 mb-3 flex max-h-[50vh] flex-col gap-2 overflow-y-auto rounded-4 border border-waiting bg-raised px-3 py-2.5"
    >
      <div className="flex items-start gap-2 font-semibold text-waiting">
        <CircleQuestionMark size={16} aria-hidden className="mt-0.5 shrink-0" />
        <p className="wrap-anywhere">{headline(question)}</p>
      </div>
      <Asked question={question} worktree={task.worktreePath} />
      <Answers key={question.id} question={question} busy={answer.isPending} say={say} />
      {problem && <Trouble what="The answer was not taken" why={problem.message} requestId={problem.requestId} />}
    </section>
  )
}

/** What is asked, in a sentence. */
export function headline(question: Question): string {
  if (question.kind === 'question') return plain(question.text)
  if (question.toolName === 'Bash') return 'May this command run?'
  return question.toolName ? `May ${question.toolName} do this?` : plain(question.text)
}

function Asked({ question, worktree }: { question: Question; worktree?: string | null }) {
  if (question.kind !== 'permission' || question.toolInput === undefined || question.toolInput === null) return null
  const { text } = given(question.toolName ?? '', question.toolInput)
  return (
    <pre
      role="group"
      aria-label="What it asks for"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
      tabIndex={0}
      className="max-h-60 min-h-7 overflow-auto rounded-2 bg-sunken px-2.5 py-1 whitespace-pre-wrap wrap-anywhere"
    >
      {plain(relative(text, worktree))}
    </pre>
  )
}

interface Answering {
  question: Question
  busy: boolean
  say: (answer: string, message?: string) => void
}

const FIELD = 'h-7 min-w-40 flex-1 rounded-4 border border-edge bg-surface px-2'

function Permission({ busy, say }: Answering) {
  const [why, setWhy] = useState('')
  const allow = () => say('allow')
  const deny = () => say('deny', why.trim() || undefined)
  useHotkeys('a', allow, { enabled: !busy, useKey: true })
  useHotkeys('d', deny, { enabled: !busy, useKey: true })
  return (
    <form
      className="flex flex-wrap items-center gap-2"
      onSubmit={event => {
        event.preventDefault()
        deny()
      }}
    >
      <Button kind="primary" disabled={busy} onClick={allow}>
        Allow once <Kbd strong>a</Kbd>
      </Button>
      <Button type="submit" disabled={busy}>
        Deny <Kbd>d</Kbd>
      </Button>
      <input
        aria-label="Why it is denied, or what to do instead"
        placeholder="When denied: why, or what to do instead"
        value={why}
        onChange={event => setWhy(event.target.value)}
        className={FIELD}
      />
    </form>
  )
}

function Words({ question, busy, say }: Answering) {
  const [words, setWords] = useState('')
  return (
    <form
      className="flex flex-wrap items-center gap-2"
      onSubmit={event => {
        event.preventDefault()
        if (words.trim()) say(words)
      }}
    >
      {question.choices?.map(choice => (
        <Button key={choice} disabled={busy} onClick={() => say(choice)}>
          {plain(choice)}
        </Button>
      ))}
      <input
        aria-label="Answer in your own words"
        placeholder="Answer in your own words"
        value={words}
        onChange={event => setWords(event.target.value)}
        className={FIELD}
      />
      <Button type="submit" kind="primary" disabled={busy || !words.trim()}>
        Answer
      </Button>
    </form>
  )
}

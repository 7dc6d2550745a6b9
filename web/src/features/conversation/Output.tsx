import { useMemo, useState } from 'react'
import { counted } from '~/lib/amount'
import { bounded, plain } from '~/lib/plain'
import { Button } from '~/ui/Button'
import { classes } from '~/ui/classes'

const FIRST = 24
const MOST = 2000

interface Props {
  /** What it is, for who can't see where it stands. */
  label: string
  text: string
  diff?: boolean
  failed?: boolean
}

/** Text of a program: never HTML, no more of it than can be read, more when asked for. */
export function Output({ label, text, diff = false, failed = false }: Props) {
  const [whole, setWhole] = useState(false)
  const clean = useMemo(() => plain(text), [text])
  const shown = useMemo(() => bounded(clean, whole ? MOST : FIRST), [clean, whole])
  if (!clean) return <p className="px-2.5 text-ink-3">No output</p>
  return (
    <div>
      <pre
        role="group"
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
        tabIndex={0}
        className={classes(
          'max-h-[420px] overflow-auto border-l-2 px-2.5 py-1 leading-[18px] text-ink-2',
          failed ? 'border-failed bg-failed-wash' : 'border-line-strong bg-sunken',
        )}
      >
        {diff ? <Marked text={shown.text} /> : shown.text}
      </pre>
      {shown.more > 0 && (
        <p className="flex items-center gap-2 pt-1 text-ink-3">
          {counted(shown.more, 'more line')}
          {!whole && (
            <Button small kind="bare" onClick={() => setWhole(true)}>
              Show {shown.more + FIRST > MOST ? `up to line ${MOST.toLocaleString('en-US')}` : 'all'}
            </Button>
          )}
        </p>
      )}
    </div>
  )
}

function Marked({ text }: { text: string }) {
  return text.split('\n').map((line, n) => {
    const tone = line.startsWith('+') ? 'bg-add-bg text-ink' : line.startsWith('-') ? 'bg-del-bg text-ink' : undefined
    return (
      // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other name
      <div key={n} className={classes('-mx-2.5 min-h-[18px] px-2.5', tone)}>
        {line}
      </div>
    )
  })
}

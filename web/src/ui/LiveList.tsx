import { ArrowDown } from 'lucide-react'
import { type ReactElement, useEffect, useRef, useState } from 'react'
import { Virtualizer } from 'virtua'
import { counted } from '../lib/amount'
import { Button } from './Button'
import { useFollowing } from './useFollowing'

interface Props<T> {
  label: string
  rows: readonly T[]
  /** How many there are of what `N new` counts. */
  count: number
  noun: string
  children: (row: T, index: number) => ReactElement
}

/**
 * A long list that grows at its end. Who reads the end stays there; who has scrolled away stays where they are, and is told
 * how much is new.
 */
export function LiveList<T>({ label, rows, count, noun, children }: Props<T>) {
  const scroller = useRef<HTMLElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const { away, toEnd } = useFollowing(scroller, content)
  const [seen, setSeen] = useState(count)

  useEffect(() => {
    if (!away) setSeen(count)
  }, [away, count])

  const fresh = away ? Math.max(0, count - seen) : 0
  const told = fresh > 0 ? counted(fresh, `new ${noun}`) : ''
  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={scroller}
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
        tabIndex={0}
        className="h-full overflow-y-auto overflow-x-hidden -outline-offset-2 [overflow-anchor:none]"
      >
        <div ref={content} className="pb-3">
          <Virtualizer data={rows as T[]} scrollRef={scroller} bufferSize={400}>
            {children}
          </Virtualizer>
        </div>
      </section>
      {away && (
        <Button small className="absolute right-4 bottom-2 shadow-float" onClick={toEnd}>
          {told || 'To the end'}
          <ArrowDown size={14} aria-hidden />
        </Button>
      )}
      <output className="sr-only">{told}</output>
    </div>
  )
}

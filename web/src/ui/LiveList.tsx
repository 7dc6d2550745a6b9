import { ArrowDown } from 'lucide-react'
import { type ReactElement, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { Virtualizer, type VirtualizerHandle } from 'virtua'
import { counted } from '../lib/amount'
import { Button } from './Button'

interface Props<T> {
  label: string
  rows: readonly T[]
  /** How many there are of what `N new` counts. */
  count: number
  noun: string
  children: (row: T, index: number) => ReactElement
}

/** So many pixels from the end count as at the end. */
const NEAR = 24

/**
 * A long list that grows at its end. Who reads the end stays there; who has scrolled away stays where they are, and is told
 * how much is new.
 */
export function LiveList<T>({ label, rows, count, noun, children }: Props<T>) {
  const list = useRef<VirtualizerHandle>(null)
  const scroller = useRef<HTMLDivElement>(null)
  const content = useRef<HTMLDivElement>(null)
  const following = useRef(true)
  const last = useRef({ scrollTop: 0, scrollHeight: 0 })
  const [away, setAway] = useState(false)
  const [seen, setSeen] = useState(count)

  const toEnd = useCallback(() => {
    list.current?.scrollToIndex(rows.length - 1, { align: 'end' })
    // The list's own padding stands below its last row.
    const box = scroller.current
    if (box) box.scrollTop = box.scrollHeight
  }, [rows.length])

  // Only who scrolls decides whether they follow. That rows are measured or grow moves the list too, and changes its height.
  const onScroll = useCallback(() => {
    const box = scroller.current
    if (!box) return
    const { scrollTop, scrollHeight, clientHeight } = box
    const wentUp = scrollTop < last.current.scrollTop && scrollHeight === last.current.scrollHeight
    last.current = { scrollTop, scrollHeight }
    if (scrollHeight - scrollTop - clientHeight < NEAR) following.current = true
    else if (wentUp) following.current = false
    setAway(!following.current)
  }, [])

  const follow = useCallback(() => {
    if (following.current) toEnd()
  }, [toEnd])

  // biome-ignore lint/correctness/useExhaustiveDependencies: each change of the rows is one to follow
  useLayoutEffect(follow, [rows, follow])

  // Rows are measured when they are drawn, and grow: the end is where it is only after that.
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      const box = scroller.current
      if (box && following.current) box.scrollTop = box.scrollHeight
    })
    for (const element of [scroller.current, content.current]) if (element) observer.observe(element)
    return () => observer.disconnect()
  }, [])

  useEffect(() => {
    if (!away) setSeen(count)
  }, [away, count])

  const fresh = away ? Math.max(0, count - seen) : 0
  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={scroller}
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard
        tabIndex={0}
        onScroll={onScroll}
        className="h-full overflow-y-auto overflow-x-hidden -outline-offset-2 [overflow-anchor:none]"
      >
        <div ref={content} className="pb-3">
          <Virtualizer ref={list} data={rows as T[]} scrollRef={scroller} bufferSize={400}>
            {children}
          </Virtualizer>
        </div>
      </section>
      {away && (
        <Button
          small
          className="absolute right-4 bottom-2 shadow-float"
          onClick={() => {
            following.current = true
            setAway(false)
            toEnd()
          }}
        >
          {fresh > 0 ? `${counted(fresh, `new ${noun}`, `new ${noun}s`)}` : 'To the end'}
          <ArrowDown size={14} aria-hidden />
        </Button>
      )}
      <output className="sr-only">{fresh > 0 ? counted(fresh, `new ${noun}`, `new ${noun}s`) : ''}</output>
    </div>
  )
}

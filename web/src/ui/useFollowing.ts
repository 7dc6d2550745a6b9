import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from 'react'

/** So many pixels from the end count as at the end. */
const NEAR = 24
/** A scroll so soon after a wheel, a touch or a key is that person's; one so soon after rows were measured is theirs. */
const SOON = 400

interface Following {
  /** Whether the reader is somewhere else than at the end. */
  away: boolean
  /** Goes to the end, and follows it from there on. */
  toEnd: () => void
}

/**
 * Keeps a box that scrolls at the end of its content while that grows, as long as its reader is there. Rows of a virtual list
 * are measured when they are drawn, which moves the box too: only what a person does takes them away from the end, and nothing
 * takes them back to it.
 */
export function useFollowing(
  scroller: RefObject<HTMLElement | null>,
  content: RefObject<HTMLElement | null>,
): Following {
  const following = useRef(true)
  const [away, setAway] = useState(false)

  const set = useCallback((follows: boolean) => {
    following.current = follows
    setAway(!follows)
  }, [])

  const jump = useCallback(() => {
    const box = scroller.current
    if (box) box.scrollTop = box.scrollHeight
  }, [scroller])

  useLayoutEffect(() => {
    const box = scroller.current
    const inner = content.current
    if (!box || !inner) return
    let top = box.scrollTop
    let dragged = false
    let moved = Number.NEGATIVE_INFINITY
    let opened = Number.NEGATIVE_INFINITY
    let grown = performance.now()
    const soon = (then: number) => performance.now() - then < SOON
    const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < NEAR

    const onMove = () => {
      moved = performance.now()
    }
    const onClick = () => {
      opened = performance.now()
    }
    // The bar at the side is the box itself.
    const onPress = (event: Event) => {
      dragged = event.target === box
    }
    const onRelease = () => {
      dragged = false
    }
    const onScroll = () => {
      const wentUp = box.scrollTop < top
      top = box.scrollTop
      if (isAtEnd()) set(true)
      // The browser's own search, or a jump, is nobody's hand; while rows are measured it could as well be them.
      else if (dragged || soon(moved) || (wentUp && !soon(grown))) set(false)
    }
    const observer = new ResizeObserver(() => {
      grown = performance.now()
      if (!following.current || isAtEnd()) return
      // Who unfolds something reads it where it is.
      if (soon(opened)) set(false)
      else jump()
    })
    observer.observe(box)
    observer.observe(inner)
    const listeners: [string, (event: Event) => void][] = [
      ['wheel', onMove],
      ['touchmove', onMove],
      ['keydown', onMove],
      ['click', onClick],
      ['pointerdown', onPress],
      ['pointerup', onRelease],
      ['scroll', onScroll],
    ]
    for (const [name, listener] of listeners) box.addEventListener(name, listener, { passive: true })
    jump()
    return () => {
      observer.disconnect()
      for (const [name, listener] of listeners) box.removeEventListener(name, listener)
    }
  }, [scroller, content, set, jump])

  const toEnd = useCallback(() => {
    set(true)
    jump()
  }, [set, jump])
  return { away, toEnd }
}

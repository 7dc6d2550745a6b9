import { useHotkeys } from 'react-hotkeys-hook'

/** `j` and `k` go from one row to the next: every link marked `data-row`, in the order of the page. */
export function useRowKeys(): void {
  useHotkeys('j', () => step(1), { useKey: true })
  useHotkeys('k', () => step(-1), { useKey: true })
}

function step(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('a[data-row]')]
  const at = rows.indexOf(document.activeElement as HTMLElement)
  const next = at < 0 ? (by > 0 ? rows[0] : rows.at(-1)) : rows[at + by]
  next?.focus()
  next?.scrollIntoView({ block: 'nearest' })
}

import type { ReactNode } from 'react'

/** Where nothing is yet: what will appear here, and how. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="border-line-strong border-t border-b border-b-line px-2 py-3">
      <p className="font-semibold">{title}</p>
      <div className="max-w-[76ch] text-ink-2">{children}</div>
    </div>
  )
}

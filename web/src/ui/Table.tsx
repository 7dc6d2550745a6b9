import type { ReactNode } from 'react'
import { classes } from './classes'

/** A dense table whose rows are links: `covers-row` on the link of a row makes all of it one. */
export function Table({ label, head, children }: { label: string; head: ReactNode; children: ReactNode }) {
  return (
    <table className="w-full table-fixed border-collapse" aria-label={label}>
      <thead>
        <tr className="h-6 border-line-strong border-b text-12 text-ink-3">{head}</tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  )
}

interface HeadProps {
  children: ReactNode
  className?: string
  /** Numbers stand at the right. */
  end?: boolean
}

/** The head of a column; its class gives the width, and from which width of the page it is shown. */
export function Head({ children, className, end }: HeadProps) {
  return (
    <th scope="col" className={classes('px-2 font-normal', end && 'text-right', className)}>
      {children}
    </th>
  )
}

export function TableRow({ children }: { children: ReactNode }) {
  return (
    <tr className="relative h-7 border-line border-b transition-colors duration-120 hover:bg-hover has-[a:focus-visible]:bg-selected">
      {children}
    </tr>
  )
}

/** One cell, cut where it is too long. */
export function Cell({
  children,
  className,
  end,
  mono,
}: {
  children: ReactNode
  className?: string
  end?: boolean
  mono?: boolean
}) {
  return <td className={classes('truncate px-2', mono && 'mono', end && 'text-right', className)}>{children}</td>
}

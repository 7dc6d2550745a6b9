/** A key to press; strong on the primary button. */
export function Kbd({ children, strong = false }: { children: string; strong?: boolean }) {
  const tone = strong ? 'border-current' : 'border-line-strong text-ink-3'
  return (
    <kbd
      className={`hidden h-4 min-w-4 rounded-[3px] border px-1 text-center font-normal text-[10px]/[14px] sm:inline-block ${tone}`}
    >
      {children}
    </kbd>
  )
}

/** Whether the keyboard is Apple's: its command key is another's control key. */
export const APPLE = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? '')

/** The key that goes with another, as it is written on the keyboard. */
export const COMMAND = APPLE ? '⌘' : 'Ctrl '

/** A key to press. */
export function Kbd({ children }: { children: string }) {
  return (
    <kbd className="inline-block h-4 min-w-4 rounded-2 border border-current px-1 text-center text-[10px]/[14px] opacity-85">
      {children}
    </kbd>
  )
}

/** Whether the keyboard is Apple's: its command key is another's control key. */
export const APPLE = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? '')

/** The key that goes with another, as it is written on the keyboard. */
export const COMMAND = APPLE ? '⌘' : 'Ctrl '

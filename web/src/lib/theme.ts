import { Store, useStore } from './store'

/** The theme as it was chosen. */
export type Theme = 'system' | 'light' | 'dark'

const KEY = 'makima.theme'

function stored(): Theme {
  try {
    const theme = localStorage.getItem(KEY)
    return theme === 'light' || theme === 'dark' ? theme : 'system'
  } catch {
    return 'system'
  }
}

const theme = new Store<Theme>(stored())

/** Chooses a theme, now and for the next visit. public/theme.js sets it before the first paint. */
export function chooseTheme(next: Theme): void {
  const root = document.documentElement
  if (next === 'system') delete root.dataset.theme
  else root.dataset.theme = next
  try {
    if (next === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, next)
  } catch {
    // Without storage it is chosen for this page.
  }
  theme.set(next)
}

/** The chosen theme. */
export function useTheme(): Theme {
  return useStore(theme)
}

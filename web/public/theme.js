// Before the first paint, so that no page flashes in the other theme. A file, since no script may stand in a page.
try {
  const theme = localStorage.getItem('makima.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Without storage the theme is the system's.
}

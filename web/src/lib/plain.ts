// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** Text as a person reads it: what moves a terminal's cursor or colours it is taken out. */
export function plain(text: string): string {
  return text.replace(ESCAPES, '').replace(/\r\n/g, '\n').replace(CONTROLS, '')
}

/** What of a text is shown, and how many lines are left out. */
export interface Shown {
  text: string
  more: number
}

/** At most so many lines and characters of a text. */
export function bounded(text: string, maxLines: number, maxCharacters = maxLines * 200): Shown {
  const ends: number[] = []
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) ends.push(at)
  const total = text.endsWith('\n') ? ends.length : ends.length + 1
  const end = total > maxLines ? (ends[maxLines - 1] ?? text.length) : text.length
  if (end <= maxCharacters) return { text: text.slice(0, end), more: Math.max(0, total - maxLines) }
  const cut = text.slice(0, maxCharacters)
  const shown = ends.filter(at => at < maxCharacters).length
  return { text: `${cut}…`, more: Math.max(1, total - shown - 1) }
}

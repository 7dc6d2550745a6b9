/** A repository in short: the last two parts of its path or address, without what all of them end with. */
export function repositoryName(repository: string): string {
  const path = repository.replace(/\/+$/, '').replace(/\.git$/, '')
  const parts = path.split(/[/:]/).filter(Boolean)
  return parts.slice(-2).join('/') || repository
}

// @vitest-environment jsdom
import { screen, waitFor, within } from '@testing-library/react'
import { expect, test } from 'vitest'
import { contract } from '~/test/samples'
import { visit, withServer } from '~/test/world'

withServer()

/** A contract whose edit is open. */
async function editing() {
  const opened = visit(`/contracts/${contract().id}`, { contracts: [contract({ name: 'One', description: 'First' })] })
  await opened.user.click(await screen.findByRole('button', { name: 'Edit' }))
  const dialog = within(await screen.findByRole('dialog', { name: 'Edit contract' }))
  const name = await dialog.findByRole<HTMLInputElement>('textbox', { name: 'Name' })
  const goal = dialog.getByRole<HTMLTextAreaElement>('textbox', { name: 'Goal' })
  const save = () => opened.user.click(dialog.getByRole('button', { name: 'Save' }))
  return { ...opened, dialog, name, goal, save }
}

test('a contract is changed in what was typed, and shown as it is then', async () => {
  const { world, user, name, save } = await editing()
  await user.clear(name)
  await user.type(name, 'Two')
  await save()
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  expect(world.asked).toEqual([{ path: `/api/v1/contracts/${contract().id}`, body: { name: 'Two' } }])
  expect(await screen.findByRole('heading', { name: 'Two' })).toBeTruthy()
})

test('what somebody else has changed meanwhile is told, and nothing that was typed is lost', async () => {
  const { world, user, dialog, name, goal, save } = await editing()
  await user.clear(name)
  await user.type(name, 'Mine')
  world.contracts = [contract({ name: 'Theirs', description: 'Theirs too' })]
  world.version = 7
  await save()
  const alert = await dialog.findByRole('alert')
  expect(alert.textContent).toContain('changed by somebody else')
  expect(alert.textContent).toContain('Its name is now “Theirs”')
  expect([name.value, goal.value]).toEqual(['Mine', 'Theirs too'])
  expect(world.contracts[0]?.name).toBe('Theirs')
  // Now that it is known, it may be replaced.
  await save()
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  expect(world.contracts[0]).toMatchObject({ name: 'Mine', description: 'Theirs too' })
})

test('what somebody else has changed beside it is no quarrel, but is told', async () => {
  const { world, user, dialog, goal, save } = await editing()
  await user.type(goal, ' of all')
  world.contracts = [contract({ name: 'Theirs', description: 'First' })]
  world.version = 2
  await save()
  expect((await dialog.findByRole('alert')).textContent).toContain('nobody else has touched that')
  await save()
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  expect(world.contracts[0]).toMatchObject({ name: 'Theirs', description: 'First of all' })
})

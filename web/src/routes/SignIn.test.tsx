// @vitest-environment jsdom
import { screen, waitFor } from '@testing-library/react'
import { beforeEach, expect, test } from 'vitest'
import { task } from '~/test/samples'
import { visit, withServer } from '~/test/world'

withServer()
beforeEach(() => localStorage.clear())

test('a link signs in, once, and its token is in no address', async () => {
  const { world, router } = visit('/sign-in#good', { signedIn: false })
  await screen.findByRole('heading', { name: 'Contracts and tasks' })
  expect(router.state.location.href).toBe('/')
  expect(world.asked).toEqual([{ path: '/api/v1/session', body: { token: 'good' } }])
})

test('a link that was used says so, and how to get another', async () => {
  const { router } = visit('/sign-in#old', { signedIn: false })
  expect((await screen.findByRole('alert')).textContent).toContain('The link was used, or is too old')
  expect(screen.getByText('makima open')).toBeTruthy()
  expect(router.state.location.href).toBe('/sign-in')
})

test('who isn’t signed in is led to the sign-in, and from there to where they wanted to', async () => {
  const wanted = task()
  const first = visit(`/tasks/${wanted.id}/checkpoints`, { signedIn: false, tasks: [wanted] })
  await screen.findByRole('heading', { name: 'Sign in' })
  expect(first.router.state.location.search).toEqual({ to: `/tasks/${wanted.id}/checkpoints` })
  // The link is opened in another tab, which knows nothing of this one.
  const second = visit('/sign-in#good', { signedIn: false, tasks: [wanted] })
  await waitFor(() => expect(second.router.state.location.pathname).toBe(`/tasks/${wanted.id}/checkpoints`))
})

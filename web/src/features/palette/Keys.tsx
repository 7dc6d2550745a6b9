import { Dialog, DialogBody } from '~/ui/Dialog'
import { COMMAND, Kbd } from '~/ui/Kbd'
import { closeOverlay } from './open'

const KEYS: { where: string; keys: [string[], string][] }[] = [
  {
    where: 'Everywhere',
    keys: [
      [[`${COMMAND}K`], 'Search or jump to'],
      [['?'], 'These keys'],
      [['Esc'], 'Close what is open'],
    ],
  },
  {
    where: 'Lists',
    keys: [
      [['/'], 'Filter'],
      [['j'], 'Next row'],
      [['k'], 'Row before'],
      [['↵'], 'Open the row'],
    ],
  },
  {
    where: 'A task',
    keys: [
      [['a'], 'Allow once, what the agent asks for'],
      [['d'], 'Deny it'],
      [[`${COMMAND}↵`], 'Send the message'],
      [['y'], 'Copy the address of the page'],
    ],
  },
]

/** The keys that there are. */
export function Keys() {
  return (
    <Dialog title="Keys" description="Off while you write." onClose={closeOverlay}>
      <DialogBody>
        {KEYS.map(({ where, keys }) => (
          <section key={where}>
            <h3 className="mb-1 font-semibold">{where}</h3>
            <dl>
              {keys.map(([pressed, does]) => (
                <div key={does} className="flex h-7 items-center border-line border-b">
                  <dd className="order-2 flex-1">{does}</dd>
                  <dt className="order-1 w-20 text-ink-2">
                    {pressed.map(key => (
                      <Kbd key={key}>{key}</Kbd>
                    ))}
                  </dt>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </DialogBody>
    </Dialog>
  )
}

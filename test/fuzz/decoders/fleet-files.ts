import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enrolmentSchema } from '../../../edge-daemon/identity/files.ts'
import { readController } from '../../../src/controller/config.ts'
import { ledgerEntrySchema } from '../../../src/controller/ledger.ts'
import { parseOperators } from '../../../src/controller/operators.ts'
import { readIdentityFolder } from '../../../src/identity/identity-folder.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import type { Decoder } from '../decoder.ts'

const CONTROLLER = `publicUrl: https://c.example:5444
pki: { dir: /srv/pki }
limits:
  headTimeout: 5s
`
const isSyntax = (error: Error): boolean => error instanceof SyntaxError

/** Files that say who belongs to a fleet: at a controller, a node and an operator. */
export async function fleetFileDecoders(): Promise<Decoder[]> {
  const authority = await FleetAuthority.create()
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-fuzz-fleet-'))
  process.once('exit', () => {
    authority[Symbol.dispose]()
    rmSync(dir, { recursive: true, force: true })
  })
  const operator = await authority.operator('mia')
  const operators = readFileSync(new URL('../../unit/controller/fixtures/good.yaml', import.meta.url), 'utf8')
  const digest = Buffer.alloc(32, 1).toString('base64url')
  const ofFolder = (file: 'key.pem' | 'cert.pem' | 'trust.json' | 'deny.json'): Decoder => ({
    name: `operator-folder-${file}`,
    samples: [readFileSync(join(operator.dir, file), 'utf8')],
    decode: (text: string) => {
      for (const name of ['key.pem', 'cert.pem', 'trust.json', 'deny.json']) {
        const held = name === file ? text : readFileSync(join(operator.dir, name), 'utf8')
        writeFileSync(join(dir, name), held)
        chmodSync(join(dir, name), 0o600)
      }
      return readIdentityFolder(dir)
    },
    isTaken: (read: unknown) => read !== null,
    share: 0.5,
    grows: false,
  })
  return [
    {
      name: 'operators-file',
      samples: [operators],
      decode: (text: string) => {
        const read = parseOperators(text, 'operators.yaml')
        for (const { sinceMs } of read.values()) {
          if (sinceMs !== null && !Number.isFinite(sinceMs)) throw new RangeError('a time that is none was taken')
        }
        return read
      },
      isTaken: (read: ReadonlyMap<string, unknown>) => read.size > 0,
    },
    {
      name: 'controller-configuration',
      samples: [CONTROLLER],
      decode: (text: string) => readController('controller.yaml', text),
      isTaken: () => true,
    },
    {
      name: 'journal-of-joins',
      samples: [
        JSON.stringify({ e: 'token', hash: digest, site: 's', node: 'n', at: 1, expiresAt: 2 }),
        JSON.stringify({ e: 'joined', hash: digest, site: 's', node: 'n', key: digest, at: 1 }),
      ],
      decode: (line: string) => ledgerEntrySchema.safeParse(JSON.parse(line)).success,
      isTaken: (taken: boolean) => taken,
      declares: isSyntax,
    },
    {
      name: 'enrolment-of-a-node',
      samples: [JSON.stringify({ v: 1, fleet: 'acme', controllers: ['https://c.example:5444'], natsServers: [] })],
      decode: (text: string) => enrolmentSchema.safeParse(JSON.parse(text)).success,
      isTaken: (taken: boolean) => taken,
      declares: isSyntax,
    },
    ...(['key.pem', 'cert.pem', 'trust.json', 'deny.json'] as const).map(ofFolder),
  ]
}

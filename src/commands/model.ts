import type { KeyObject } from 'node:crypto'
import { packageKeyId, signPackage } from '../../identity/package-signature.ts'
import { readTrust } from '../../packages/trust.ts'
import { readPackageFile, verifyFolder } from '../../packages/verify-folder.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { type FoundPackage, findPackages } from '../packages/find-packages.ts'
import { type ConfigWish, packConfig } from '../packages/pack-config.ts'
import { packModel, writePackageFile } from '../packages/pack-folder.ts'
import { type LabelledWish, packLabelled } from '../packages/pack-labelled.ts'
import type { PassphraseSource } from '../pki/passphrase.ts'
import { formatBytes, UNKNOWN } from '../ui/format.ts'
import { makeSigningKey, openSigningKey } from './model-key.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** What `edgedeck model …` is asked to do with packages on this machine. */
export type ModelTask =
  | { readonly what: 'pack'; readonly folder: string; readonly out: string | null; readonly key: string | null }
  | (ConfigWish & { readonly what: 'pack-config'; readonly key: string | null })
  | (LabelledWish & { readonly what: 'pack-labelled'; readonly key: string | null })
  | { readonly what: 'sign'; readonly folder: string; readonly key: string }
  | { readonly what: 'list'; readonly folder: string; readonly trust: readonly string[]; readonly format: OutputFormat }
  | { readonly what: 'new-key'; readonly name: string; readonly isSealed: boolean }

type Say = (text: string) => void

const COLUMNS: readonly PrintedColumn<FoundPackage>[] = [
  { title: 'NAME', text: ({ name }) => name ?? UNKNOWN },
  { title: 'VERSION', text: ({ version }) => version ?? UNKNOWN },
  { title: 'KIND', text: ({ kind }) => kind ?? UNKNOWN },
  { title: 'SIZE', align: 'right', text: ({ bytes }) => formatBytes(bytes) },
  { title: 'VARIANTS', text: ({ variants }) => variants.join(',') || UNKNOWN },
  { title: 'SIGNED BY', text: signersText },
  { title: 'DIGEST', text: ({ digest }) => digest?.slice(0, 12) ?? UNKNOWN },
  { title: 'FOLDER', text: ({ folder }) => untrusted(folder) },
  { title: 'NOTE', text: ({ fault }) => (fault === null ? '' : untrusted(fault)) },
]

/**
 * Carry out one command of `edgedeck model`. Resolves with whether all that was looked at is whole.
 * @throws EdgeError `MODEL_INVALID`, `PACKAGE_INVALID`, `PACKAGE_MISSING`, `OUTPUT_REFUSED`, `PKI_UNUSABLE`,
 * `PASSPHRASE_WRONG`
 */
export async function runModel(task: ModelTask, passphrase: PassphraseSource, io: CommandIo): Promise<boolean> {
  const say: Say = (text) => void io.stderr.write(`edgedeck: ${untrusted(text)}\n`)
  switch (task.what) {
    case 'new-key': {
      const made = await makeSigningKey(task.name, task.isSealed ? passphrase : null)
      say(`${made.keyFile} signs packages: keep it, and a copy, where only who releases models gets at it`)
      say(`${made.publicFile} is for the nodes: models.trust takes the file, or this word`)
      io.stdout.write(`${made.word}\n`)
      return true
    }
    case 'pack': {
      // The key first: a wrong passphrase leaves nothing behind.
      const key = task.key === null ? null : await openSigningKey(task.key, passphrase)
      const { folder, item, digest } = await packModel(task.folder, task.out)
      say(`${item.name}@${item.version} is packed in ${folder}`)
      if (key !== null) await sign(folder, key, say)
      else say(`nobody has signed it: edgedeck model sign ${folder} --key FILE`)
      io.stdout.write(`${digest}\n`)
      return true
    }
    case 'pack-config': {
      const key = task.key === null ? null : await openSigningKey(task.key, passphrase)
      const folder = await packConfig(task)
      say(`${task.name}@${task.version} is packed in ${folder}`)
      await finish(folder, key, { say, io })
      return true
    }
    case 'pack-labelled': {
      const key = task.key === null ? null : await openSigningKey(task.key, passphrase)
      const { folder, pictures, classes } = await packLabelled(task)
      say(`${task.name}@${task.version}, ${pictures} pictures of ${classes} classes, is packed in ${folder}`)
      await finish(folder, key, { say, io })
      return true
    }
    case 'sign': {
      io.stdout.write(`${await sign(task.folder, await openSigningKey(task.key, passphrase), say)}\n`)
      return true
    }
    case 'list': {
      const trust = await readTrust(task.trust, { what: '--trust', code: 'USAGE' })
      const found = await findPackages(task.folder, trust)
      io.stdout.write(task.format === 'table' ? printTable(COLUMNS, found) : printJson(found, task.format))
      return found.every(({ fault }) => fault === null)
    }
  }
}

/** Sign a package that was just made, where there is a key, and print its digest. */
async function finish(
  folder: string,
  key: KeyObject | null,
  { say, io }: { readonly say: Say; readonly io: CommandIo },
): Promise<void> {
  if (key === null) say(`nobody has signed it: edgedeck model sign ${folder} --key FILE`)
  const digest = key === null ? (await verifyFolder({ folder, trust: null })).digest : await sign(folder, key, say)
  io.stdout.write(`${digest}\n`)
}

/** Sign a package of any kind, verified as a whole before. @returns its digest */
async function sign(folder: string, key: KeyObject, say: Say): Promise<string> {
  const { digest, statement } = await verifyFolder({ folder, trust: null })
  writePackageFile(folder, signPackage(await readPackageFile(folder), key))
  say(`${statement.name}@${statement.version} is signed by the key ${packageKeyId(key).slice(0, 16)}`)
  return digest
}

function signersText({ signatures }: FoundPackage): string {
  if (signatures.length === 0) return 'nobody'
  return signatures.map(({ key, isTrusted }) => `${key.slice(0, 16)}${isTrusted ? '' : '?'}`).join(',')
}

import { describe, expect, test } from 'vitest'
import { corpusOf, SEED, tryGrowth, tryMany, tryOne } from './decoder.ts'
import { busDecoders } from './decoders/bus.ts'
import { changeDecoders } from './decoders/changes.ts'
import { commandOutputDecoders } from './decoders/command-output.ts'
import { fileDecoders } from './decoders/files.ts'
import { fleetFileDecoders } from './decoders/fleet-files.ts'
import { frameDecoders } from './decoders/frames.ts'
import { identityDecoders } from './decoders/identity.ts'
import { kubeDecoders } from './decoders/kube.ts'
import { logLineDecoders } from './decoders/log-lines.ts'
import { packageDecoders } from './decoders/packages.ts'
import { pictureDecoders } from './decoders/pictures.ts'
import { recordingDecoders } from './decoders/recordings.ts'
import { rolloutDecoders } from './decoders/rollout.ts'
import { sshDecoders } from './decoders/ssh.ts'
import { storeDecoders } from './decoders/store.ts'

const decoders = [
  ...frameDecoders(),
  ...busDecoders(),
  ...rolloutDecoders(),
  ...fileDecoders(),
  ...storeDecoders(),
  ...logLineDecoders(),
  ...commandOutputDecoders(),
  ...sshDecoders(),
  ...kubeDecoders(),
  ...recordingDecoders(),
  ...packageDecoders(),
  ...changeDecoders(),
  ...(await pictureDecoders()),
  ...(await identityDecoders()),
  ...(await fleetFileDecoders()),
]

/** Every decoder of what others wrote keeps these laws; the seed is in the name, so that a failing run can be run again. */
describe.each(decoders)(`$name (seed ${SEED})`, (decoder) => {
  test('takes its samples and refuses what is known to be bad', async () => {
    for (const sample of decoder.samples) expect(await tryOne(decoder, sample)).toEqual({ taken: true, broke: null })
    for (const { file, input, isBad } of corpusOf(decoder.name)) {
      expect({ file, ...(await tryOne(decoder, input)) }).toEqual({ file, taken: !isBad, broke: null })
    }
  })

  test('throws nothing that it does not declare', async () => {
    const { faults, cases } = await tryMany(decoder)
    expect(faults).toEqual([])
    expect(cases).toBeGreaterThan(0)
  })

  if (decoder.grows === false) return
  test('takes time in proportion to its input', async () => {
    expect(await tryGrowth(decoder)).toEqual([])
  })
})

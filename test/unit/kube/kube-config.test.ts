import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { loadKubeCluster } from '../../../src/kube/kube-config.ts'

const dir = mkdtempSync(join(tmpdir(), 'edgedeck-kubeconfig-'))
afterAll(() => rmSync(dir, { recursive: true }))

const ANY = { config: null, context: null, namespace: null }

function write(
  name: string,
  { server, user = {}, namespace }: { server: string; user?: object; namespace?: string },
): string {
  const file = join(dir, name)
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server } }],
    users: [{ name: 'u', user }],
    contexts: [{ name, context: { cluster: 'c', user: 'u', ...(namespace === undefined ? {} : { namespace }) } }],
    'current-context': name,
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}

const place = (env: Record<string, string> = {}) => ({ env, home: join(dir, 'nobody'), baseDir: dir })
const failureOf = (run: () => unknown): EdgeError => {
  try {
    run()
  } catch (error) {
    if (error instanceof EdgeError) return error
  }
  throw new Error('it did not fail')
}

describe('a kubeconfig', () => {
  it('is the one of the context, else those of KUBECONFIG, of which the first that has a name is right', () => {
    const one = write('one', { server: 'https://one:6443/', namespace: 'vision' })
    const two = write('two', { server: 'https://two:6443' })
    expect(loadKubeCluster({ ...ANY, config: 'two' }, place({ KUBECONFIG: one }))).toMatchObject({
      context: 'two',
      server: 'https://two:6443',
      namespace: null,
    })
    const both = place({ KUBECONFIG: [join(dir, 'missing'), one, two].join(delimiter) })
    expect(loadKubeCluster(ANY, both)).toMatchObject({
      context: 'one',
      server: 'https://one:6443',
      namespace: 'vision',
    })
    // Both files have a cluster "c".
    expect(loadKubeCluster({ ...ANY, context: 'two' }, both)).toMatchObject({ server: 'https://one:6443' })
  })

  it('that is missing, damaged or has no such context says so, and what to do', () => {
    const broken = join(dir, 'broken')
    writeFileSync(broken, 'clusters: [')
    const one = write('one', { server: 'https://one:6443' })
    const failures = [
      failureOf(() => loadKubeCluster(ANY, place())),
      failureOf(() => loadKubeCluster({ ...ANY, config: 'missing' }, place())),
      failureOf(() => loadKubeCluster(ANY, place({ KUBECONFIG: join(dir, 'missing') }))),
      failureOf(() => loadKubeCluster({ ...ANY, config: broken }, place())),
      failureOf(() => loadKubeCluster({ ...ANY, config: one, context: 'three' }, place())),
    ]
    expect(failures.map(({ code }) => code)).toEqual(failures.map(() => 'KUBE_CONFIG_UNUSABLE'))
    expect(failures.every(({ next }) => next.length > 0)).toBe(true)
    expect(failures[4]?.next).toEqual(['write one of them as kube.context: one'])
  })

  it('that is damaged, and a program that writes no credentials, are told without the token in them', async () => {
    const broken = join(dir, 'token')
    writeFileSync(broken, 'users:\n- name: u\n  user:\n    token: s3cret-token: x\n')
    const raw = ['-e', 'process.stdout.write("s3cret-token")']
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: raw }
    const plugin = write('raw', { server: 'https://one:6443', user: { exec } })
    const failures = [
      failureOf(() => loadKubeCluster({ ...ANY, config: broken }, place())),
      await loadKubeCluster({ ...ANY, config: plugin }, place())
        .requestOptions()
        .catch((error) => error),
    ]
    expect(failures.map(({ code }) => code)).toEqual(['KUBE_CONFIG_UNUSABLE', 'KUBE_CONFIG_UNUSABLE'])
    expect(failures[0].message).toContain('bad indentation')
    expect(failures.map(({ message }) => message).join()).not.toContain('s3cret')
  })

  it('may name a program for credentials, which is told that nobody is there to answer it', async () => {
    const token =
      'process.stdout.write(JSON.stringify({status: {token: JSON.parse(process.env.KUBERNETES_EXEC_INFO).spec.interactive + "-token"}}))'
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: ['-e', token] }
    const file = write('plugin', { server: 'https://one:6443', user: { exec } })
    const options = await loadKubeCluster({ ...ANY, config: file }, place()).requestOptions()
    expect(options.headers).toMatchObject({ Authorization: 'Bearer false-token' })
    const failing = write('failing', {
      server: 'https://one:6443',
      user: { exec: { ...exec, args: ['-e', 'process.exit(1)'] } },
    })
    await expect(loadKubeCluster({ ...ANY, config: failing }, place()).requestOptions()).rejects.toMatchObject({
      code: 'KUBE_CONFIG_UNUSABLE',
      message: expect.stringContaining(process.execPath),
    })
  })
})

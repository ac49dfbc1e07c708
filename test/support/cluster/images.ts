import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Images that a cluster of tests has; there is no registry to pull others from. */
export const IMAGES = {
  /** Busybox: `sh` and the small tools, no `bash`. */
  busybox: 'localhost/busybox:1',
  /** Bash and busybox. */
  bash: 'localhost/bash:1',
  /** One program that sleeps; no shell. */
  bare: 'localhost/bare:1',
} as const

/** Make the images in a folder, each a file in the form of `docker save`. */
export function makeImages(dir: string): void {
  const root = (name: string): string => {
    const folder = join(dir, name)
    mkdirSync(join(folder, 'bin'), { recursive: true })
    mkdirSync(join(folder, 'tmp'))
    return folder
  }
  const bare = root('bare')
  // Busybox is what its name says: under this one it can only sleep.
  copyFileSync('/bin/busybox', join(bare, 'bin', 'sleep'))
  pack({ name: IMAGES.bare, root: bare, entrypoint: ['/bin/sleep', '1000d'] })

  const busybox = root('busybox')
  addBusybox(busybox)
  pack({ name: IMAGES.busybox, root: busybox, entrypoint: ['/bin/sleep', '1000d'] })

  const bash = root('bash')
  addBusybox(bash)
  addWithLibraries(bash, '/bin/bash')
  pack({ name: IMAGES.bash, root: bash, entrypoint: ['/bin/sleep', '1000d'] })
}

function addBusybox(root: string): void {
  copyFileSync('/bin/busybox', join(root, 'bin', 'busybox'))
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n')
  for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet))
}

function addWithLibraries(root: string, program: string): void {
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+/g) ?? []
  for (const file of [program, ...libraries]) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    copyFileSync(file, join(root, file))
  }
}

interface Image {
  readonly name: string
  /** Folder of its files. */
  readonly root: string
  readonly entrypoint: readonly string[]
}

function pack({ name, root, entrypoint }: Image): void {
  const layerFile = `${root}.layer.tar`
  tar(layerFile, root, '.')
  const layerDigest = sha256(readFileSync(layerFile))
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Entrypoint: entrypoint, Env: ['PATH=/bin:/usr/bin', 'TERM=xterm'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerDigest}`] },
  })
  const parts = `${root}.parts`
  mkdirSync(parts)
  copyFileSync(layerFile, join(parts, 'layer.tar'))
  const configName = `${sha256(config)}.json`
  writeFileSync(join(parts, configName), config)
  const manifest = [{ Config: configName, RepoTags: [name], Layers: ['layer.tar'] }]
  writeFileSync(join(parts, 'manifest.json'), JSON.stringify(manifest))
  tar(`${root}.tar`, parts, 'manifest.json', configName, 'layer.tar')
}

function tar(file: string, folder: string, ...what: readonly string[]): void {
  execFileSync('tar', ['--owner=0', '--group=0', '-C', folder, '-cf', file, ...what])
}

function sha256(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

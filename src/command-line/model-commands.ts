import type { Command } from 'commander'
import type { ModelTask } from '../commands/model.ts'
import { addModelList, type ModelListRequest } from './model-list-command.ts'
import { addModelPush, type ModelPushCommand } from './model-push-command.ts'

/** What `edgedeck model …` is asked about packages on this machine. */
export interface ModelRequest {
  readonly kind: 'model'
  readonly task: ModelTask
  readonly passphraseFile: string | null
}

/** Add the commands that make packages of models, sign them and look at them. */
export function addModelCommands(
  program: Command,
  accept: (
    request: ModelRequest | ModelListRequest | ModelPushCommand | { readonly kind: 'text'; readonly text: string },
  ) => void,
): void {
  const model = program
    .command('model')
    .description('Pack models, sign them, and see what packages there are.')
    .helpCommand(false)
  model.action(() => accept({ kind: 'text', text: model.helpInformation() }))

  const secret = (command: Command): Command =>
    command.option('--passphrase-file <file>', 'passphrase of the key on its first line; else it is asked for')
  const give = (task: ModelTask, { passphraseFile = null }: { passphraseFile?: string | null } = {}): void =>
    accept({ kind: 'model', task, passphraseFile })

  secret(model.command('pack'))
    .description('Make a package of a model folder; prints its digest.')
    .argument('<FOLDER>', 'with manifest.json and all that it names')
    .option('--out <folder>', 'where the package goes, ./NAME-VERSION when not given; FOLDER itself packs it in place')
    .option('--key <file>', 'sign it too')
    .action((folder: string, options: { out?: string; key?: string; passphraseFile?: string }) => {
      const { out = null, key = null } = options
      give({ what: 'pack', folder, out, key }, options)
    })

  secret(model.command('sign'))
    .description('Sign a package, after every file of it was verified; prints its digest.')
    .argument('<PACKAGE>', 'its folder')
    .requiredOption('--key <file>', 'private key, as "model keys new" makes it')
    .action((folder: string, options: { key: string; passphraseFile?: string }) => {
      give({ what: 'sign', folder, key: options.key }, options)
    })

  addModelList(model, program, accept)
  addModelPush(model, program, accept)

  const config = program
    .command('config')
    .description('Pack settings that nodes take while they run: what is abnormal, and from when on an alert is one.')
    .helpCommand(false)
  config.action(() => accept({ kind: 'text', text: config.helpInformation() }))
  secret(config.command('pack'))
    .description('Make a package of a YAML file with settings; it is signed, pushed and rolled out as a model is.')
    .argument('<FILE>', 'settings under filter and alerts, as in edge-daemon.yaml')
    .requiredOption('--name <name>', 'what it is called')
    .requiredOption('--release <version>', 'its version; --version does as well here')
    .option('--out <folder>', 'where the package goes, ./NAME-VERSION when not given')
    .option('--key <file>', 'sign it too')
    .action((file: string, options: NamedOptions) => {
      const { name, release: version, out = null, key = null } = options
      give({ what: 'pack-config', file, name, version, out, key }, options)
    })

  const labelled = program
    .command('labelled')
    .description('Pack pictures of which somebody knows what they show, to try models on.')
    .helpCommand(false)
  labelled.action(() => accept({ kind: 'text', text: labelled.helpInformation() }))
  secret(labelled.command('pack'))
    .description('Make a package of labelled pictures; a strategy names it by its digest (shadow.labelled).')
    .argument('<FOLDER>', 'with a folder a class, and pictures in each')
    .requiredOption('--name <name>', 'what it is called')
    .requiredOption('--release <version>', 'its version; --version does as well here')
    .option('--out <folder>', 'where the package goes, ./NAME-VERSION when not given')
    .option('--key <file>', 'sign it too')
    .action((folder: string, options: NamedOptions) => {
      const { name, release: version, out = null, key = null } = options
      give({ what: 'pack-labelled', folder, name, version, out, key }, options)
    })

  const keys = model.command('keys').description('Keys that sign packages.').helpCommand(false)
  keys.action(() => accept({ kind: 'text', text: keys.helpInformation() }))
  secret(keys.command('new'))
    .description('Make NAME.key, which signs, and NAME.pub, which nodes trust; prints the public key.')
    .argument('<NAME>', 'of the two files')
    .option('--no-passphrase', 'leave the key unsealed, for a machine that signs by itself')
    .action((name: string, options: { passphrase: boolean; passphraseFile?: string }) => {
      give({ what: 'new-key', name, isSealed: options.passphrase }, options)
    })
}

interface NamedOptions {
  readonly name: string
  readonly release: string
  readonly out?: string
  readonly key?: string
  readonly passphraseFile?: string
}

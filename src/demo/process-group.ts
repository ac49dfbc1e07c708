import { readdirSync, readFileSync } from 'node:fs'

/** Signal a process and, where it leads a group, all of its group. A process that is gone already is fine. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal)
    } catch {
      // Gone, or no leader of a group.
    }
  }
}

/**
 * Processes that were started with a configuration file in `folder` (`--config F` or `-c F`); this process is not among
 * them. Empty where there is no `/proc`.
 */
export function processesConfiguredIn(folder: string): number[] {
  let names: string[]
  try {
    names = readdirSync('/proc')
  } catch {
    return []
  }
  return names
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => commandLine(name).some((word, i, words) => isConfigIn(folder, words[i - 1], word)))
    .map(Number)
}

function commandLine(name: string): string[] {
  try {
    return readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

function isConfigIn(folder: string, flag: string | undefined, file: string): boolean {
  return (flag === '--config' || flag === '-c') && file.startsWith(`${folder}/`)
}

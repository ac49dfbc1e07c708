import { spawnSync } from 'node:child_process'

/**
 * Let the terminal of this process's input write what it is given and nothing else, or see to line ends again. Node's raw
 * mode leaves that to the terminal (ONLCR), and a program that moves down by a line feed, as those that take the whole
 * screen do, would land in the first column. Without `stty` it stays as it is.
 */
export function writeAsGiven(raw: boolean): void {
  spawnSync('stty', [raw ? '-opost' : 'opost'], { stdio: [0, 'ignore', 'ignore'], timeout: 2000 })
}

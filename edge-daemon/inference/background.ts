/**
 * How much of the node a process takes: as any other; `low`, a little also while the node is busy; `idle`, only what nobody
 * else wants, and so nothing at all while every core is busy.
 */
export const PRIORITIES = ['idle', 'low', 'normal'] as const
/** @see PRIORITIES */
export type Priority = (typeof PRIORITIES)[number]

/**
 * Steps back as far as this machine allows, then becomes the program: the idle class of the disk, the first to go when
 * memory runs out, gone with the daemon even from within a run that never ends, and SCHED_IDLE or a low nice value. What a
 * machine does not have is passed over. A shell does it, since threads that a process has already would keep the
 * priority they began with.
 */
const STEP_BACK = `
priority=$1
shift
exec 4>&2 2>/dev/null
ionice -c 3 -p $$ >&2
echo 1000 > /proc/$$/oom_score_adj
setpriv --pdeathsig KILL true && set -- setpriv --pdeathsig KILL "$@"
case $priority in
  idle) chrt --idle --pid 0 $$ >&2 || renice -n 19 -p $$ >&2 ;;
  low) renice -n 10 -p $$ >&2 ;;
esac
exec "$@" 2>&4 4>&-
`

/** A program and its arguments. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
}

/** The same program, run behind what serves. Its process id is the one that is spawned. */
export function inBackground({ program, args }: Command, priority: Priority): Command {
  return { program: '/bin/sh', args: ['-c', STEP_BACK, 'sh', priority, program, ...args] }
}

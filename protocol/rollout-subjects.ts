import { changeId } from './change.ts'

/** Subjects of the journals of rollouts, one for each; held by the stream `ROLLOUT`. */
export const ROLLOUT_SUBJECTS = ['rollout.*'] as const
/** Subjects of who drives which rollout; held by the stream `ROLLOUT_LEASE`. */
export const LEASE_SUBJECTS = ['rollout-lease.*'] as const

/** Subject of the journal of a rollout; its id is a subject token already. */
export function rolloutSubject(rollout: string): string {
  return `rollout.${rollout}`
}

/** Subject that says who drives a rollout. */
export function leaseSubject(rollout: string): string {
  return `rollout-lease.${rollout}`
}

/** Inverse of {@link rolloutSubject}; null for another subject. */
export function readRolloutSubject(subject: string): string | null {
  const [, id = ''] = /^rollout\.([^.]+)$/.exec(subject) ?? []
  return changeId.safeParse(id).success ? id : null
}

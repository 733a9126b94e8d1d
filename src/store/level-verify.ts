import type { Session } from './level-session.ts'
import type { Finding } from './store.ts'

export async function* verifySession(_session: Session, _jobId?: string): AsyncIterable<Finding> {}

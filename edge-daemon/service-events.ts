import type { ServiceEvent } from './inference/inference-service.ts'
import type { InferenceMeters } from './inference/meters.ts'
import type { Logger } from './logs/logger.ts'

/** Log what the inference service tells of its children, and count those that had to be started again. */
export function tellService(event: ServiceEvent, { log, meters }: { log: Logger; meters: InferenceMeters }): void {
  if (event.event === 'model.ready') {
    const { generation, pid, model, why } = event
    if (why === 'restart') meters.childRestarted()
    log.info(event.event, `${model} is served by generation ${generation}`, { generation, pid, model })
  } else if (event.event === 'model.restart_failed') {
    log.error(event.event, event.error.toLine())
  } else if (event.event === 'model.died') {
    const { event: name, generation, reason, failed } = event
    log.error(name, `the process of the model ended: ${reason}`, { generation, reason, failed })
  } else if (event.event === 'model.loads_loudly') {
    const why = 'this node may not lift it again (LimitNICE=+0 in its unit lets it)'
    log.info(event.event, `a model that is loaded takes its share of the cores from the one that serves: ${why}`)
  } else {
    const { event: name, ...fields } = event
    log.error(name, 'the model hangs and is killed', fields)
  }
}

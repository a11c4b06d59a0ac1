// Options of a load: requests begin at a rate that does not wait for answers, and the thresholds
// are the same for all.
import { profiles } from './profiles.js';

// The name of the load that is run, for whoever draws errands.
export let mix;

export function load(name) {
  const profile = profiles[name];
  const peak = Math.max(...profile.stages.map((stage) => stage.to));
  mix = profile.mix;
  return {
    scenarios: {
      [name]: {
        executor: 'ramping-arrival-rate',
        startRate: profile.stages[0].from,
        timeUnit: '1s',
        preAllocatedVUs: Math.ceil(peak / 4),
        maxVUs: 256,
        stages: profile.stages.map((stage) => ({
          target: stage.to,
          duration: `${stage.seconds}s`,
        })),
      },
    },
    thresholds: {
      http_req_duration: [`p(95)<${profiles.thresholds.p95}`, `p(99)<${profiles.thresholds.p99}`],
      errors: [`rate<${profiles.thresholds.errors}`],
      success: [`rate>${profiles.thresholds.success}`],
      // Those that could not begin, because every user was still waiting, are errors too.
      dropped_iterations: [`rate<${profiles.thresholds.errors * peak}`],
    },
    summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'],
    // No URLs: of each order there would be series of its own.
    systemTags: ['name', 'method', 'status', 'scenario', 'expected_response'],
  };
}

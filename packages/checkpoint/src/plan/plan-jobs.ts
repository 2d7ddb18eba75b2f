import type { MethodTable } from "@weft/tensor-core";
import { type JobPlan, planJob, signature } from "./job-plan.js";
import { sectionsOf } from "./sections.js";
import { isCopy, type TensorJob } from "./tensor-job.js";
import type { Claims } from "./tile-graph.js";

/** The plans of tensors and of their sections, by `signature`: those of one kind have one plan. */
export type JobPlans = ReadonlyMap<string, JobPlan>;

/** One section of each kind that is computed, not copied. */
export function kindsOf(jobs: readonly TensorJob[]): ReadonlyMap<string, TensorJob> {
  const computed = jobs.flatMap(sectionsOf).filter((job) => !isCopy(job) && job.bytes > 0);
  return new Map(computed.map((job) => [signature(job), job]));
}

/**
 * Plans every kind of tensor once.
 * @param tileBytes aim for the larger of a tile's input and output
 * @param stats whether the size of each change is found, too
 */
export function planJobs(
  kinds: ReadonlyMap<string, TensorJob>,
  methods: MethodTable,
  tileBytes: number,
  stats: boolean,
  claims: Claims,
): JobPlans {
  return new Map([...kinds].map(([key, job]) => [key, planJob(job, methods, tileBytes, stats, claims)]));
}

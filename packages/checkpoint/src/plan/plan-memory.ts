import { CapabilityError, type MethodTable } from "@weft/tensor-core";
import { formatBytes } from "../format-bytes.js";
import type { JobPlan } from "./job-plan.js";
import { type JobPlans, kindsOf, planJobs } from "./plan-jobs.js";
import { sectionsOf } from "./sections.js";
import type { TensorJob } from "./tensor-job.js";
import type { Claims } from "./tile-graph.js";
import { signature } from "./job-plan.js";

/** Threads and tile size of a run, and how its threads compute. */
export interface Resources {
  /** Threads. */
  readonly jobs: number;
  readonly tileBytes: number;
  /** Tensors that are computed in one piece, because rows of the result need other rows: their size, not the tile's, decides what memory they take. */
  readonly onePiece: readonly string[];
  readonly plans: JobPlans;
}

/** What a process of Node takes with the program loaded, and what each worker adds before it holds any tensor; measured. */
export const PROCESS_BYTES = 80e6;
export const WORKER_BYTES = 30e6;
/** Tiles: smaller ones spend their time on system calls, larger ones leave the cache. */
const TILES: readonly number[] = [2 << 20, 1 << 20, 512 << 10, 256 << 10, 128 << 10, 64 << 10];
/** What a worker takes for the smallest tiles: below it there is nothing to save. */
const LEAST = 4 << 20;

export interface MemoryOptions {
  readonly maxMemory: number;
  /** Most threads. */
  readonly jobs: number;
  /** Whether the size of each change is found, too. */
  readonly stats: boolean;
  readonly claims: Claims;
  /** Bytes that a thread holds beside what the plans of tensors say. */
  readonly beside?: number;
}

/**
 * Threads and tile size for a budget of memory: as many threads as it allows, then the largest tiles. What a worker takes is known from the plans
 * of the tensors.
 * @throws CapabilityError kind `memory-limit` if the program itself or a tensor needs more than the budget
 */
export function planMemory(jobs: readonly TensorJob[], methods: MethodTable, options: MemoryOptions): Resources {
  const { maxMemory, stats, claims, beside = 0 } = options;
  if (maxMemory < PROCESS_BYTES + WORKER_BYTES + LEAST) throw beyond(LEAST, (needed) => `the program itself takes ${needed}`, maxMemory);
  const kinds = kindsOf(jobs);
  const planned = new Map<number, JobPlans>();
  const plansFor = (tileBytes: number): JobPlans => {
    const plans = planned.get(tileBytes) ?? planJobs(kinds, methods, tileBytes, stats, claims);
    planned.set(tileBytes, plans);
    return plans;
  };
  for (let n = options.jobs; n >= 1; n--) {
    const each = (maxMemory - PROCESS_BYTES) / n - WORKER_BYTES - beside;
    if (each < LEAST) continue;
    for (const tileBytes of TILES) {
      const plans = plansFor(tileBytes);
      if (2 * tileBytes > each || [...plans.values()].some(({ bytes }) => bytes > each)) continue;
      const inOnePiece = (job: TensorJob): boolean => sectionsOf(job).some((section) => plans.get(signature(section))?.onePiece);
      const onePiece = [...plans.values()].some((plan) => plan.onePiece) ? jobs.filter(inOnePiece).map(({ name }) => name) : [];
      return { jobs: n, tileBytes, onePiece, plans };
    }
  }
  throw tooLarge(kinds, plansFor(TILES.at(-1)!), maxMemory, beside);
}

function tooLarge(kinds: ReadonlyMap<string, TensorJob>, plans: JobPlans, maxMemory: number, beside: number): CapabilityError {
  const [key, { bytes, onePiece }] = [...plans].reduce<readonly [string, JobPlan]>(
    (a, b) => (b[1].bytes > a[1].bytes ? b : a),
    [...plans][0]!,
  );
  const job = kinds.get(key)!;
  const methods = [...new Set(job.steps.map(({ method }) => method))].join(" and ");
  const how = onePiece ? "in one piece, as its rows depend on each other" : "with its parameters";
  return beyond(
    bytes + beside,
    (needed) => `${job.name}: ${methods} changes this tensor ${how}, which takes ${needed}`,
    maxMemory,
    job.name,
  );
}

/** @param bytes that a worker takes, beside what it and the program take anyway */
function beyond(bytes: number, say: (needed: string) => string, maxMemory: number, tensor?: string): CapabilityError {
  const needed = Math.ceil((PROCESS_BYTES + WORKER_BYTES + bytes) / 1e6) * 1e6;
  return new CapabilityError(`${say(formatBytes(needed))}; --max-memory allows ${formatBytes(maxMemory)}`, {
    kind: "memory-limit",
    ...(tensor !== undefined && { tensor }),
    hint: `pass --max-memory ${needed / 1e6}MB`,
  });
}

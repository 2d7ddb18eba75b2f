import { CapabilityError, type MethodTable } from "@weft/tensor-core";
import { formatBytes } from "../format-bytes.js";
import type { Item } from "./item.js";
import { type ItemPlan, planItem, signature } from "./item-plan.js";
import { createTileBackend } from "./tile-backend.js";
import { sectionsOf } from "./sections.js";

/** Threads and tile size of a run. */
export interface Resources {
  readonly jobs: number;
  readonly tileBytes: number;
  /** Tensors that are computed in one piece, because rows of the result need other rows: their size, not the tile's, decides what memory they take. */
  readonly onePiece: readonly string[];
}

/** What a process of Node takes with the program loaded, and what each worker adds before it holds any tensor; measured. */
const PROCESS_BYTES = 80e6;
const WORKER_BYTES = 30e6;
/** Tiles: smaller ones spend their time on system calls, larger ones leave the cache. */
const TILES: readonly number[] = [2 << 20, 1 << 20, 512 << 10, 256 << 10, 128 << 10, 64 << 10];
/** What a worker takes for the smallest tiles: below it there is nothing to save. */
const LEAST = 4 << 20;

/**
 * Threads and tile size for a budget of memory: as many threads as it allows, then the largest tiles. What a worker takes is known from the plans
 * of the items.
 * @param stats whether the size of each change is found, too
 * @throws CapabilityError kind `memory-limit` if the program itself or a tensor needs more than the budget
 */
export async function planMemory(
  items: readonly Item[],
  methods: MethodTable,
  maxMemory: number,
  jobs: number,
  stats: boolean,
): Promise<Resources> {
  if (maxMemory < PROCESS_BYTES + WORKER_BYTES + LEAST) throw beyond(LEAST, (needed) => `the program itself takes ${needed}`, maxMemory);
  const kinds = new Map<string, Item>();
  for (const item of items.flatMap(sectionsOf)) if (item.steps.length > 0 && item.bytes > 0) kinds.set(signature(item), item);
  const backend = await createTileBackend();
  const planned = new Map<number, readonly (readonly [Item, ItemPlan])[]>();
  const plansFor = (tileBytes: number): readonly (readonly [Item, ItemPlan])[] => {
    const known =
      planned.get(tileBytes) ??
      [...kinds.values()].map((item) => [item, planItem(item, methods, tileBytes, stats, (call) => backend.claims(call))] as const);
    planned.set(tileBytes, known);
    return known;
  };
  try {
    for (let n = jobs; n >= 1; n--) {
      const each = (maxMemory - PROCESS_BYTES) / n - WORKER_BYTES;
      if (each < LEAST) continue;
      for (const tileBytes of TILES) {
        const plans = plansFor(tileBytes);
        if (2 * tileBytes > each || plans.some(([, { bytes }]) => bytes > each)) continue;
        const whole = new Set(plans.filter(([, { onePiece }]) => onePiece).map(([item]) => signature(item)));
        const inOnePiece = (item: Item): boolean => whole.size > 0 && sectionsOf(item).some((section) => whole.has(signature(section)));
        return { jobs: n, tileBytes, onePiece: items.filter(inOnePiece).map(({ name }) => name) };
      }
    }
    throw tooLarge(plansFor(TILES.at(-1)!), maxMemory);
  } finally {
    backend.dispose();
  }
}

function tooLarge(plans: readonly (readonly [Item, ItemPlan])[], maxMemory: number): CapabilityError {
  const [item, { bytes, onePiece }] = plans.reduce((a, b) => (b[1].bytes > a[1].bytes ? b : a));
  const methods = [...new Set(item.steps.map(({ method }) => method))].join(" and ");
  const how = onePiece ? "in one piece, as its rows depend on each other" : "with its parameters";
  return beyond(bytes, (needed) => `${item.name}: ${methods} changes this tensor ${how}, which takes ${needed}`, maxMemory, item.name);
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

import type { WeightSource } from "@weft/io-safetensors";
import { combineModules, type CombinationType, type ConvertModule, type Loss, type Summand, type TargetName } from "@weft/convert";
import { CancelledError } from "@weft/tensor-core";
import { type Command, type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { modulesOfAdapter, targetOf } from "../files/adapter-modules.js";
import { checkOutput, filesOf, openAdapters, openCheckpoint } from "@weft/checkpoint/node";
import { parseScaledPath } from "../files/scaled-path.js";
import { savedText, saveAdapter } from "../files/saved-adapter.js";
import { formatSeconds } from "../progress.js";

export interface CombineCommandOptions {
  readonly adapter: readonly string[];
  readonly alpha?: number;
  readonly adapterName?: string;
  readonly out: string;
  readonly combine: CombinationType;
  readonly rank?: number;
  readonly density?: number;
  readonly sign?: "total" | "frequency";
  readonly clamp?: number;
  readonly seed?: number;
  readonly block?: readonly BlockWeight[];
  readonly to?: TargetName;
  readonly base?: string;
  readonly allowLoss?: boolean;
}

/** A factor for the modules whose path has this part: `layers.3`, `attn`. */
export interface BlockWeight {
  readonly part: string;
  readonly weight: number;
}

/** `weft combine -a A:0.7 -a B:0.3 -o OUT`: several adapters as one, without their base. */
export const combine: Command<CombineCommandOptions, []> = async (_, options, context) => {
  const started = performance.now();
  checkOutput(options.out, [...options.adapter.map((text) => parseScaledPath(text).path), options.base], context.options.force);
  const opened: WeightSource[] = [];
  try {
    const base = options.base === undefined ? undefined : await openCheckpoint(options.base);
    if (base) opened.push(base);
    const { summands, losses, to, baseName, metadata } = await openAll(options, base, opened, context);
    if (context.signal.aborted) throw new CancelledError("stopped");
    const { rank, density, sign, clamp, seed } = options;
    const modules = await combineModules(summands, {
      combinationType: options.combine,
      ...(rank !== undefined && { rank }),
      ...(density !== undefined && { density }),
      ...(sign && { majoritySignMethod: sign }),
      ...(clamp !== undefined && { svdClamp: clamp }),
      ...(seed !== undefined && { seed }),
    });
    const ranks = [...new Set(modules.map((module) => module.rank!))].sort((a, b) => a - b);
    const totals = { out: options.out, combine: options.combine, adapters: summands.length, modules: modules.length, ranks };
    const text = (): string => `${modules.length} modules of ${summands.length} adapters, ${options.combine}, rank ${ranks.join(", ")}`;
    if (context.options.dryRun) {
      context.out.result({ dryRun: true, ...totals }, () => `${text()}\nwould write ${options.out}`);
      return EXIT.done;
    }
    const save = { to, out: options.out, ...(base && { base }), baseName, allowLoss: options.allowLoss ?? false, losses, metadata };
    const files = await saveAdapter(modules, { ...save, inputs: filesOf(opened) }, context);
    const seconds = Number(((performance.now() - started) / 1000).toFixed(3));
    context.out.result({ files, ...totals, seconds }, () => [...savedText(files), `${text()}, in ${formatSeconds(seconds)}`].join("\n"));
    return EXIT.done;
  } finally {
    await Promise.all(opened.map((source) => source.close()));
  }
};

interface Opened {
  readonly summands: readonly Summand[];
  readonly losses: readonly Loss[];
  /** The first adapter's, where it is not named. */
  readonly to: TargetName;
  readonly baseName: string | null;
  readonly metadata: ReadonlyMap<string, string>;
}

/** What of kohya's metadata is of the adapter that it comes from alone. */
const OWN = ["ss_network_dim", "ss_network_alpha", "ss_network_module", "ss_network_args"];

async function openAll(
  options: CombineCommandOptions,
  base: WeightSource | undefined,
  opened: WeightSource[],
  context: Context,
): Promise<Opened> {
  const summands: Summand[] = [];
  const losses: Loss[] = [];
  let first: Omit<Opened, "summands" | "losses"> | undefined;
  const adapters = await openAdapters(options.adapter.map(parseScaledPath), (await context.methods()).table, options);
  opened.push(...adapters.map(({ adapter }) => adapter.weights));
  for (const { path, adapter, scale } of adapters) {
    if (!first) {
      const metadata = new Map(adapter.weights.metadata);
      for (const key of OWN) metadata.delete(key);
      const { baseModelNameOrPath: baseName = null } = adapter.config.values as { readonly baseModelNameOrPath?: string | null };
      first = { to: targetOf(adapter, options.to), baseName, metadata };
    }
    const own = modulesOfAdapter(adapter, first.to, base, context);
    const whole = own.losses.filter((loss) => loss.whole);
    if (whole.length > 0 && scale !== 1)
      context.out.warn(
        scale === 0
          ? `${path}: its factor is 0, so ${whole[0]!.module} and the like are left out`
          : `${path}: the factor ${scale} does not count for ${whole[0]!.module} and the like: the adapter brings them whole`,
      );
    losses.push(...own.losses.filter((loss) => scale !== 0 || !loss.whole));
    summands.push({ modules: own.modules, weight: scale, ...(options.block && { blockWeight: blockWeights(options.block, own.modules) }) });
  }
  return { summands, losses, ...first! };
}

/** The factor of the last entry that names a module, else 1. @throws UsageError for an entry that names none */
function blockWeights(blocks: readonly BlockWeight[], modules: readonly ConvertModule[]): (module: ConvertModule) => number {
  const names = (part: string, { path }: ConvertModule): boolean => `.${path}.`.includes(`.${part}.`);
  const idle = blocks.find(({ part }) => !modules.some((module) => names(part, module)));
  if (idle)
    throw new UsageError(`--block ${idle.part}=${idle.weight}: no module has this in its path`, `paths are like ${modules[0]?.path}`);
  return (module) => blocks.findLast(({ part }) => names(part, module))?.weight ?? 1;
}

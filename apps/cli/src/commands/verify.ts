import { join } from "node:path";
import { type Command, type Context, EXIT } from "../context.js";
import {
  changedOthers,
  isPipeline,
  localPath,
  type MergeSettings,
  openCheckpoint,
  otherFiles,
  pipelineParts,
  prepareMerge,
  runWorkers,
} from "@weft/checkpoint/node";
import { printable } from "../output.js";
import { Progress } from "../progress.js";
import { type MergeOptions, resourcesOf, settingsOf } from "./merge.js";

export interface VerifyOptions extends Pick<
  MergeOptions,
  "adapter" | "alpha" | "adapterName" | "dtype" | "maxMemory" | "safe" | "autocastAdapterDtype" | "untie"
> {
  readonly base: string;
}

/** Lines of differences for people; --json lists all. */
const SHOWN = 20;

interface Difference {
  readonly name: string;
  readonly what: string;
}

/** What comparing a merge with its result gave. */
interface Compared {
  readonly tensors: number;
  readonly different: readonly Difference[];
}

/**
 * `weft verify MERGED --base BASE -a ADAPTER …`: merges again in memory and compares bit for bit; of a pipeline the models that the adapters are for, and
 * the bytes of all other files. Exit code 4 if anything differs.
 */
export const verify: Command<VerifyOptions> = async ([path], options, context) => {
  const settings = settingsOf(options.base, options);
  const { tensors, different } = isPipeline(options.base)
    ? await comparePipeline(path, settings, options, context)
    : await compareMerge(path, settings, options, context);
  const equal = different.length === 0;
  context.out.result({ equal, tensors, different }, () =>
    equal
      ? `✓ all ${tensors} tensors are what merging gives, bit for bit`
      : [
          ...different.slice(0, SHOWN).map(({ name, what }) => `${printable(name)} ${what}`),
          `${different.length} of ${tensors} tensors differ`,
        ].join("\n"),
  );
  return equal ? EXIT.done : EXIT.unlike;
};

async function comparePipeline(path: string, settings: MergeSettings, options: VerifyOptions, context: Context): Promise<Compared> {
  const { base } = settings;
  const parts = await pipelineParts(settings, await context.methods());
  const others = changedOthers(base, otherFiles(base, new Set(parts.keys())), path);
  const different: Difference[] = others.map((name) => ({ name, what: "is not the base's" }));
  let tensors = 0;
  for (const [part, own] of parts) {
    const compared = await compareMerge(join(path, part), own, options, context);
    tensors += compared.tensors;
    different.push(...compared.different.map(({ name, what }) => ({ name: `${part}: ${name}`, what })));
  }
  return { tensors, different };
}

async function compareMerge(path: string, settings: MergeSettings, options: VerifyOptions, context: Context): Promise<Compared> {
  const { out, signal } = context;
  const merged = await openCheckpoint(localPath(path));
  const prepared = await prepareMerge(settings, await context.methods(), signal).catch(async (error: unknown) => {
    await merged.close();
    throw error;
  });
  try {
    const different: Difference[] = [];
    const items = prepared.plan.items.filter(({ name, dtype, shape }) => {
      const there = merged.has(name) ? merged.info(name) : undefined;
      if (!there) different.push({ name, what: "is missing" });
      else if (there.dtype !== dtype || there.shape.join() !== shape.join())
        different.push({ name, what: `is ${there.dtype} [${there.shape.join(", ")}], expected ${dtype} [${shape.join(", ")}]` });
      else return true;
      return false;
    });
    const expected = new Set(prepared.plan.items.map(({ name }) => name));
    for (const name of merged.names()) if (!expected.has(name)) different.push({ name, what: "is not part of the merge" });
    const progress = new Progress(
      out,
      "verify",
      items.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    const { jobs, tileBytes } = await resourcesOf(prepared, { maxMemory: options.maxMemory }, context);
    await runWorkers({
      items,
      methodFiles: prepared.methods.files,
      outputs: [],
      compareWith: items.map(({ name }) => ({ file: merged.info(name).file, offset: merged.info(name).offset })),
      jobs,
      tileBytes,
      allowNonFinite: true,
      stats: false,
      signal,
      onItem(index, _result, difference) {
        if (difference)
          different.push({
            name: items[index]!.name,
            what: `has other values: ${difference.bytes} bytes differ, the first at byte ${difference.first}`,
          });
      },
      onProgress: (bytes) => progress.update(bytes),
    }).finally(() => progress.end());
    different.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { tensors: prepared.plan.items.length, different };
  } finally {
    await Promise.all([merged.close(), prepared.close()]);
  }
}

import { statSync } from "node:fs";
import type { WeightSource } from "@weft/io-safetensors";
import { nothingLeft, type TargetName } from "@weft/convert";
import { checkOutput, ggufModelShape, openAdapterAt, openCheckpoint, openGgufAdapter, writeGgufAdapter } from "@weft/checkpoint/node";
import type { Context } from "../context.js";
import { UsageError } from "../failure.js";
import { modulesOfAdapter } from "../files/adapter-modules.js";
import { savedText, saveAdapter } from "../files/saved-adapter.js";
import type { ConvertCommandOptions } from "./convert.js";

/** What a GGUF adapter is made with. */
type GgufAdapterOptions = Pick<ConvertCommandOptions, "out" | "base" | "from" | "alpha" | "adapterName" | "allowLoss">;

/** An adapter of any dialect as a GGUF file, which llama.cpp puts on the model that `--base` names. */
export async function convertToGguf(path: string, options: GgufAdapterOptions, context: Context): Promise<void> {
  const { out, base } = options;
  if (!out.endsWith(".gguf")) throw new UsageError(`${out}: a GGUF file is written, whose name ends in .gguf`);
  if (base === undefined)
    throw new UsageError(
      "a GGUF adapter needs --base",
      "name the model: a GGUF file, or a folder with its config.json; its heads decide the order of rows",
    );
  checkOutput(out, [path, base], context.options.force);
  const opened: WeightSource[] = [];
  try {
    const adapter = await openAdapterAt(path, (await context.methods()).table, options);
    opened.push(adapter.weights);
    const checkpoint = base.endsWith(".gguf") ? undefined : await openCheckpoint(base);
    if (checkpoint) opened.push(checkpoint);
    const { modules, losses } = modulesOfAdapter(adapter, "peft", checkpoint, context, { turned: true });
    if (modules.length === 0) throw nothingLeft(losses, "a GGUF file");
    const [lost] = losses;
    if (lost && !options.allowLoss) throw new UsageError(lost.message, "--allow-loss leaves it out");
    for (const { message } of losses) context.out.warn(`lost: ${message}`);
    const shape = await ggufModelShape(base);
    if (context.options.dryRun) {
      context.out.result({ dryRun: true, modules: modules.length, file: out }, () => `would write ${out}  ${2 * modules.length} tensors`);
      return;
    }
    const rounded = await writeGgufAdapter(out, modules, shape, context.signal);
    for (const label of rounded.slice(0, 5))
      context.out.warn(`${label}: its scale is not that of the file by a power of two, so lora_b was rounded`);
    const { size: bytes } = statSync(out);
    context.out.result({ files: [{ name: out, bytes }], modules: modules.length, rounded: rounded.length }, () =>
      [...savedText([{ name: out, bytes }]), `${modules.length} modules, ${adapter.dialect} → gguf`].join("\n"),
    );
  } finally {
    await Promise.all(opened.map((source) => source.close()));
  }
}

/** A GGUF file's LoRA in a dialect. */
export async function convertFromGguf(path: string, to: TargetName, options: ConvertCommandOptions, context: Context): Promise<void> {
  const { out, base } = options;
  checkOutput(out, [path, base], context.options.force);
  const modules = await openGgufAdapter(path, base);
  if (context.options.dryRun) {
    context.out.result({ dryRun: true, modules: modules.length, to }, () => `would write ${out}: ${modules.length} modules`);
    return;
  }
  const settings = {
    to,
    out,
    baseName: null,
    allowLoss: options.allowLoss ?? false,
    losses: [],
    metadata: new Map<string, string>(),
    inputs: [path],
  };
  const files = await saveAdapter(modules, settings, context);
  context.out.result({ files, modules: modules.length }, () => [...savedText(files), `${modules.length} modules, gguf → ${to}`].join("\n"));
}

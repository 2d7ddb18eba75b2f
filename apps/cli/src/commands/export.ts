import type { WeightSource } from "@weft/io-safetensors";
import { type Command, EXIT } from "../context.js";
import { asLora } from "../export/as-lora.js";
import { evenOut } from "../export/even-out.js";
import { pathsInBase } from "../export/paths-in-base.js";
import { assertServed, type ExportTarget, SERVERS } from "../export/servers.js";
import { modulesOfAdapter } from "../files/adapter-modules.js";
import { savedText, saveAdapter } from "../files/saved-adapter.js";
import { checkOutput, filesOf, openAdapterAt, openCheckpoint } from "@weft/checkpoint/node";

export interface ExportCommandOptions {
  readonly target: ExportTarget;
  readonly out: string;
  readonly alpha?: number;
  readonly adapterName?: string;
  readonly base?: string;
  readonly baseName?: string;
  readonly allowLoss?: boolean;
}

/** `weft export LORA --target SERVER -o OUT`: an adapter as a server loads it, or why it would not. */
export const exportAdapter: Command<ExportCommandOptions> = async ([path], options, context) => {
  const { target, out } = options;
  if (target === "onnx") {
    const { exportOnnx } = await import("./export-onnx.js");
    await exportOnnx(path, options, context);
    return EXIT.done;
  }
  if (target === "llama-server") {
    const { convertToGguf } = await import("./convert-gguf-adapter.js");
    await convertToGguf(path, options, context);
    return EXIT.done;
  }
  const server = SERVERS[target];
  checkOutput(out, [path, options.base], context.options.force);
  const opened: WeightSource[] = [];
  try {
    const adapter = await openAdapterAt(path, (await context.methods()).table, options);
    opened.push(adapter.weights);
    const base = options.base === undefined ? undefined : await openCheckpoint(options.base);
    if (base) opened.push(base);
    const { modules: given, losses } = modulesOfAdapter(adapter, "peft", base, context);
    const plain = given.map(asLora);
    assertServed(adapter, plain, server);
    const { modules: even, changed } = await evenOut(plain);
    const modules = base ? await pathsInBase(even, adapter, base) : even;
    const rank = modules[0]!.rank!;
    const advice = server.advice(rank, modules);
    const summary = { target, rank, modules: modules.length, evenedOut: changed, advice };
    const text = (): string[] => [
      `${modules.length} modules, rank ${rank}, for ${server.name}${changed > 0 ? `; ${changed} of them got the rank and scale of the others (${server.name} reads one for all)` : ""}`,
      ...advice,
    ];
    if (context.options.dryRun) {
      context.out.result({ dryRun: true, ...summary }, () => [...text(), `would write ${out}`].join("\n"));
      return EXIT.done;
    }
    const own = (adapter.config.values as { readonly baseModelNameOrPath?: string | null }).baseModelNameOrPath ?? null;
    const save = {
      to: "peft",
      out,
      ...(base && { base }),
      baseName: options.baseName ?? own,
      allowLoss: options.allowLoss ?? false,
      losses,
    } as const;
    const files = await saveAdapter(modules, { ...save, metadata: new Map(), inputs: filesOf(opened) }, context);
    context.out.result({ files, ...summary }, () => [...savedText(files), ...text()].join("\n"));
    return EXIT.done;
  } finally {
    await Promise.all(opened.map((source) => source.close()));
  }
};

import { randomBytes } from "node:crypto";
import { basename, resolve } from "node:path";
import { type AdaptedCausalLM, TextGenerator } from "@weft/generation";
import { PeftModel } from "@weft/registry";
import { createServer } from "@weft/server";
import { type Command, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import type { Activations, DeviceName } from "../models/device-names.js";
import { addAdapter, openModel } from "../models/open-model.js";
import { aborted } from "../signals.js";

export interface ServeCommandOptions {
  readonly model: string;
  readonly adapter: readonly (readonly [name: string, path: string])[];
  readonly modelName?: string;
  readonly host: string;
  readonly port: number;
  /** False for none. */
  readonly token?: string | boolean;
  readonly allowHost: readonly string[];
  readonly adapterFolder: readonly string[];
  readonly maxBatch: number;
  readonly maxWaiting: number;
  /** In seconds. */
  readonly grace: number;
  readonly context?: number;
  readonly device: DeviceName;
  readonly activations: Activations;
}

/** `weft serve -m MODEL [-a NAME=ADAPTER[:scale]]`: until SIGINT or SIGTERM. */
export const serve: Command<ServeCommandOptions, []> = async (_args, options, context) => {
  const { out, signal } = context;
  const { model, host, port, maxBatch, maxWaiting, context: contextLength } = options;
  const modelName = options.modelName ?? basename(resolve(model)).replace(/\.gguf$/i, "");
  const names = options.adapter.map(([name]) => name);
  const twice = names.find((name, i) => name === modelName || names.indexOf(name) < i);
  if (twice !== undefined) throw new UsageError(`two models are called ${twice}`, "give each -a NAME=PATH another name, or --model-name");
  const token = tokenOf(options);
  const { base, files, device } = await openModel(
    { model, adapter: [], device: options.device, activations: options.activations },
    context,
  );
  try {
    const peft = new PeftModel(base, (await context.methods()).table) as AdaptedCausalLM;
    for (const [name, path] of options.adapter) await addAdapter(peft, path, name, context);
    // Without a number of tokens an answer takes what the context has room for, as in OpenAI's API.
    const defaults = { ...files.defaults, maxNewTokens: undefined };
    const generator = new TextGenerator(peft, {
      ...files,
      defaults,
      adapters: names,
      maxBatch,
      maxWaiting,
      ...(contextLength !== undefined && { contextLength }),
    });
    const server = createServer(generator, {
      modelName,
      token,
      allowedHosts: options.allowHost,
      adapterFolders: options.adapterFolder,
      onError: (error) => out.warn(error instanceof Error ? error.message : String(error)),
    });
    const { url } = await server.listen({ host, port });
    if (out.json) out.event({ event: "listening", url, token: token ?? null, models: [modelName, ...names] });
    else
      out.note(
        `${[modelName, ...names].join(", ")} at ${url}/v1\n${token === undefined ? "no token: everybody on this machine may use it" : `token: ${token}`}`,
      );
    await aborted(signal);
    out.note("stopping: answers under way are finished");
    await server.stop(options.grace * 1000);
    const { generatedTokens, promptTokens } = generator.engine.counts;
    await generator.dispose();
    out.result({ promptTokens, generatedTokens }, () => `✓ stopped, after ${generatedTokens} tokens`);
    return EXIT.done;
  } finally {
    device.dispose();
  }
};

/** The token of the options; 256 random bits if there is none in them. */
function tokenOf({ token }: ServeCommandOptions): string | undefined {
  if (token === false) return undefined;
  if (token === "") throw new UsageError("the token is empty", "--no-token is for none");
  return typeof token === "string" ? token : randomBytes(32).toString("base64url");
}

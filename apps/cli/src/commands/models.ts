import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CachedFile, cachedSnapshot, readSmallFile, verifyCached } from "@weft/io-safetensors/node";
import { formatBytes } from "@weft/checkpoint/format";
import { createWasmBackend } from "@weft/kernels-wasm";
import { parseConfig } from "@weft/models";
import { Device, FormatError } from "@weft/tensor-core";
import {
  isEncoder,
  KNOWN_MODELS,
  type KnownModel,
  knownModel,
  memoryToRun,
  memoryToTrain,
  QLORA_BYTES,
  type Storage,
  STORAGES,
} from "@weft/zoo";
import { type Command, type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { hubName } from "../models/hub-name.js";
import { formatCount, table } from "../output.js";
import { withProgress } from "../progress.js";

export interface ModelsCommandOptions {
  readonly context: number;
}

/** `weft models [NAME]`, `weft models verify [REPOS]`. */
export const models: Command<ModelsCommandOptions, [string[]]> = async ([[name, ...repos]], { context: length }, context) => {
  if (name === "verify") return verify(repos, context);
  if (repos.length > 0) throw new UsageError(`${repos[0]!}: one model at a time`, "weft models verify takes several");
  return name === undefined ? list(length, context) : describe(name, length, context);
};

const billions = (n: number): string => (n >= 999.5e6 ? `${(n / 1e9).toFixed(1)}B` : `${Math.round(n / 1e6)}M`);
const isCached = ({ repo }: Pick<KnownModel, "repo">): boolean => cachedSnapshot(`hf:${repo}`) !== undefined;

async function list(length: number, { out }: Context): Promise<number> {
  const found = await Promise.all(
    KNOWN_MODELS.map(async (model) => {
      const { repo, licence, contextLength, parameters, tested, chat, config } = model;
      const positions = Math.min(length, contextLength);
      const run: Partial<Record<Storage, number>> = {};
      for (const storage of STORAGES) {
        const { weightBytes, cacheBytes } = await memoryToRun(model, storage, positions);
        run[storage] = weightBytes + cacheBytes;
      }
      const qlora = QLORA_BYTES[repo] ?? null;
      return {
        repo,
        architecture: config.model_type,
        licence,
        parameters,
        contextLength,
        chat,
        tested,
        run,
        qlora,
        cached: isCached(model),
        config,
      };
    }),
  );
  out.result({ context: length, models: found }, (style) => {
    const rows = found.map(({ repo, architecture, parameters, run, qlora, licence, tested, cached }) => [
      `${cached ? "✓" : " "} ${repo}`,
      architecture,
      billions(parameters),
      ...(["bf16", "int8", "nf4"] as const).map((storage) => formatBytes(run[storage]!)),
      qlora === null ? "–" : formatBytes(qlora),
      tested,
      licence,
    ]);
    const [head, ...lines] = table(
      [["  model", "type", "size", "bf16", "int8", "nf4", "QLoRA", "tested", "licence"], ...rows],
      [2, 3, 4, 5, 6],
    ).split("\n");
    return [
      style.bold(head!),
      ...lines,
      "",
      `bf16, int8, nf4: weights and the cache of ${formatCount(length)} tokens. QLoRA: the peak of a step over nf4, rank 8 on all linear layers, 1 × 512 tokens.`,
      "tested: with its weights beside the Python originals, or its architecture. ✓: in the cache. weft models NAME says more of one.",
    ].join("\n");
  });
  return EXIT.done;
}

/** A known model, or that of a folder. */
async function modelOf(name: string): Promise<Pick<KnownModel, "config" | "contextLength"> & Partial<KnownModel>> {
  const known = knownModel(name);
  if (known) return known;
  const file = join(name, "config.json");
  if (!existsSync(file))
    throw new FormatError(`${name}: no known model, and no folder with a config.json`, {
      kind: "not-found",
      file: name,
      hint: "weft models lists those that are known",
    });
  const config = parseConfig(readSmallFile(file), file) as KnownModel["config"];
  const positions = [config["max_position_embeddings"], config["n_positions"], config["context_length"]].find((n) => typeof n === "number");
  return { config, contextLength: (positions as number | undefined) ?? Infinity };
}

async function describe(name: string, length: number, context: Context): Promise<number> {
  const model = await modelOf(name);
  const positions = Math.min(length, model.contextLength);
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const memory = await withProgress("plan", context, async (onProgress) => {
    const found = [];
    for (const [i, storage] of STORAGES.entries()) {
      const run = await memoryToRun(model, storage, positions);
      found.push({ storage, ...run, train: isEncoder(model) ? null : await memoryToTrain(model, storage, device) });
      onProgress(i + 1, STORAGES.length);
    }
    return found;
  });
  device.dispose();
  const { repo, licence, parameters, tested, chat } = model;
  const about = {
    ...(repo !== undefined && { repo, licence, parameters, tested, chat, cached: isCached({ repo }) }),
    architecture: model.config.model_type,
  };
  context.out.result({ ...about, context: positions, memory }, (style) => {
    const rows = memory.map(({ storage, weightBytes, cacheBytes, train }) => [
      storage,
      formatBytes(weightBytes),
      cacheBytes === 0 ? "–" : formatBytes(cacheBytes),
      train === null ? "–" : formatBytes(train),
    ]);
    const head = [
      repo === undefined ? style.bold(name) : `${style.bold(repo)}  ${billions(parameters!)}, ${licence}, tested: ${tested}`,
      `${model.config.model_type}, ${Number.isFinite(model.contextLength) ? `${formatCount(model.contextLength)} positions` : "any length"}${chat ? ", chat template" : ""}`,
    ];
    const notes = [`cache: ${formatCount(positions)} tokens. LoRA: the peak of a step, rank 8 on all linear layers, 1 × 512 tokens.`];
    const next = repo === undefined ? [] : ["", `weft pull ${repo}`, `weft generate -m hf:${repo} -p "…"`];
    return [...head, "", table([["stored as", "weights", "cache", "LoRA"], ...rows], [1, 2, 3]), ...notes, ...next].join("\n");
  });
  return EXIT.done;
}

async function verify(names: readonly string[], context: Context): Promise<number> {
  const { out, signal } = context;
  const ids = names.length > 0 ? names.map(hubName) : KNOWN_MODELS.filter(isCached).map(({ repo }) => `hf:${repo}`);
  const found: { readonly id: string; readonly files: readonly CachedFile[] }[] = [];
  for (const id of ids)
    found.push({ id, files: await withProgress(id, context, (onProgress) => verifyCached(id, { signal, onProgress })) });
  const bad = found.flatMap(({ id, files }) => files.filter(({ intact }) => intact === false).map(({ name }) => `${id} ${name}`));
  out.result({ ok: bad.length === 0, repositories: found }, (style) =>
    found.length === 0
      ? "none of the known models is in the cache: weft pull fetches one"
      : found
          .flatMap(({ id, files }) => [
            style.bold(id),
            ...files.map(
              ({ name, bytes, intact }) =>
                `  ${intact === undefined ? "?" : intact ? "✓" : "✗"} ${name}  ${formatBytes(bytes)}${intact === false ? "  is not what was fetched: delete it and pull again" : intact === undefined ? "  a copy, whose checksum the cache does not know" : ""}`,
            ),
          ])
          .join("\n"),
  );
  return bad.length > 0 ? EXIT.unlike : EXIT.done;
}

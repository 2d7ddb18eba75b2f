// Writes adapters of every method for PEFT to read: node dist/write-adapters.js FIXTURES OUT [CASE…]. tests/python/adapters.py loads them and compares the results.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADAPTER_METHODS, PEFT_METHODS } from "@weft/methods";
import { openWeights, writeSafetensorsFile } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { LlamaForCausalLM } from "@weft/models";
import type { OpenedAdapter } from "@weft/adapter-files";
import { type AdapterParameters, type ConfigInput, type HookedModel, PeftModel } from "@weft/registry";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { loadAdapter, savePretrained } from "@weft/registry/node";
import { add, CapabilityError, Device, encode, type Params, type Tensor, tensor, torchGenerator, torchNormal } from "@weft/tensor-core";
import { modelwideSubject } from "./peft/modelwide-case.js";
import { readJson, readTensors, withPrefix } from "./peft/files.js";
import { NetModel } from "./peft/net-model.js";
import type { NetMeta } from "./peft/net-case.js";

/** A case of make_peft.py, make_variants.py or make_modelwide.py: a model, its input, and how its outputs are asked for. */
interface Subject {
  readonly model: HookedModel<unknown, unknown>;
  run(peft: PeftModel<unknown, unknown>): Tensor;
  /** Absent for methods that cannot be merged. */
  merged?(peft: PeftModel<unknown, unknown>): Tensor;
}

interface Meta extends NetMeta {
  readonly method: string;
  readonly unmerged_equals_merged?: boolean;
}

async function subjectOf(suite: string, folder: string, meta: Meta, home: string, device: Device): Promise<Subject> {
  if (suite === "modelwide") {
    const { model, run, input } = await modelwideSubject(folder, meta, device);
    return { model, run: (peft) => run(peft, input) };
  }
  const tensors = await readTensors(join(folder, "case.safetensors"), device);
  if (meta.base === "llama_base") {
    const source = await openWeights(home);
    const model = await LlamaForCausalLM.load(readJson(home, "config.json"), source, { device });
    await source.close();
    const inputs = { inputIds: tensors.get("ids")!, attentionMask: tensors.get("mask")! };
    const logits = (out: unknown): Tensor => (out as { logits: Tensor }).logits;
    return {
      model: model as unknown as Subject["model"],
      run: (peft) => logits(peft.forward(inputs)),
      merged: (peft) => logits(peft.mergeAndUnload().forward(inputs)),
    };
  }
  const layers = Object.fromEntries(Object.entries(meta.layers).filter(([, { type }]) => type !== "Identity"));
  const x = tensors.get("x")!;
  return {
    model: new NetModel(meta.base, layers, withPrefix(tensors, "base.")) as unknown as Subject["model"],
    run: (peft) => peft.forward(x) as Tensor,
    merged: (peft) => peft.mergeAndUnload().forward(x) as Tensor,
  };
}

/** Noise on everything that the adapter trains. Rotations stay small, so that their series converge. */
function withNoise(parameters: AdapterParameters, size: number): AdapterParameters {
  const generator = torchGenerator(7);
  const noisy = (params: Params): Params =>
    Object.fromEntries(
      Object.entries(params).map(([name, t]) => [name, add(t, tensor(torchNormal(generator, t.size, 0, size), { shape: t.shape }))]),
    );
  const { layers, shared, replaced, prompt } = parameters;
  return {
    layers: Object.fromEntries(Object.entries(layers).map(([path, p]) => [path, noisy(p)])),
    shared: noisy(shared),
    replaced: noisy(replaced),
    prompt: noisy(prompt),
  };
}

/** The adapters that a new one is to mix, opened. */
async function expertsIn(folder: string, { adapters = {} }: { readonly adapters?: unknown }): Promise<Map<string, OpenedAdapter>> {
  const opened = Object.entries(adapters as { readonly [name: string]: string }).map(
    async ([name, place]) => [name, await openAdapterFolder(join(folder, place), { methods: ADAPTER_METHODS })] as const,
  );
  return new Map(await Promise.all(opened));
}

async function write(home: string, subject: Subject, peft: PeftModel<unknown, unknown>, useMerged: boolean): Promise<void> {
  mkdirSync(home, { recursive: true });
  await savePretrained(peft as never, home);
  const y = useMerged ? subject.merged!(peft) : subject.run(peft);
  const data = encode(await y.data(), y.dtype);
  const dtype = { f32: "F32", bf16: "BF16", f16: "F16" }[y.dtype as "f32"];
  await writeSafetensorsFile(join(home, "expected.safetensors"), [{ name: "y", dtype: dtype as "F32", shape: y.shape, data }]);
}

const [fixtures, out, ...only] = process.argv.slice(2) as [string, string, ...string[]];
const device = new Device(await createWasmBackend({ threads: 1 }));
const index: object[] = [];
for (const suite of ["peft", "variants", "modelwide"].filter((name) => existsSync(join(fixtures, name)))) {
  for (const name of readdirSync(join(fixtures, suite)).sort()) {
    const folder = join(fixtures, suite, name);
    if (!existsSync(join(folder, "adapter_config.json")) || !existsSync(join(folder, "case.json"))) continue;
    const meta = readJson<Meta>(folder, "case.json");
    if (only.length > 0 && !only.some((prefix) => `${suite}/${name}`.startsWith(prefix))) continue;
    if (meta.method === "add_weighted_adapter" || name === "adalora_trace") continue;
    const subject = await subjectOf(suite, folder, meta, join(fixtures, suite, "llama_base"), device);
    const useMerged = meta.unmerged_equals_merged === false;
    const config = readJson<{ [field: string]: unknown }>(folder, "adapter_config.json");
    const { method, prompt } = PEFT_METHODS.get(config.peft_type as string) ?? {};
    if (!method && !prompt) continue;
    for (const kind of ["loaded", "new"] as const) {
      const peft = new PeftModel(subject.model, ADAPTER_METHODS);
      if (kind === "loaded") await loadAdapter(peft as never, folder, "default");
      else {
        const fresh = { ...config, ...(config.peft_type === "ADALORA" && { rank_pattern: null }) };
        try {
          await peft.addAdapter("default", fresh as unknown as ConfigInput, { seed: 1, experts: await expertsIn(folder, config) });
        } catch (error) {
          // Some methods are read and trained, but a new one begins with data that only Python has.
          if (error instanceof CapabilityError) continue;
          throw error;
        }
        peft.setParameters(withNoise(peft.parameters(), /^(B?OFT|HRA|PSOFT)$/.test(config.peft_type as string) ? 0.06 : 0.2));
      }
      const home = join(out, `${suite}-${name}-${kind}`);
      await write(home, subject, peft, useMerged);
      index.push({ folder: home, fixture: folder, base: meta.base, suite, kind, name, merged: useMerged, tolerance: meta.tolerance });
    }
  }
}
writeFileSync(join(out, "index.json"), JSON.stringify(index, undefined, 1));
process.stdout.write(`${index.length} adapters\n`);
process.exit(0);

// Answers tests/python/differential: a line of JSON with a case comes in, its outputs by the public library are written beside it, and a line goes out.
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights, writeSafetensorsFile } from "@weft/io-safetensors/node";
import { fromCoreDType } from "@weft/io-safetensors";
import { createWasmBackend } from "@weft/kernels-wasm";
import { readTensor } from "@weft/adapter-files";
import { type HookedLayer, type HookedModel, type HookedModule, type LayerHook, PeftModel } from "@weft/registry";
import { loadAdapter, savePretrained } from "@weft/registry/node";
import { Device, encode, forwardBase, type LayerSpec, type Tensor, WeftError } from "@weft/tensor-core";

interface Job {
  readonly home: string;
  readonly layers: readonly { readonly path: string; readonly layer: LayerSpec }[];
  readonly modules: readonly { readonly path: string; readonly kind: string }[];
  readonly adapters: readonly string[];
  /** Layers whose results are asked for. */
  readonly paths: readonly string[];
  readonly modelType: string | null;
}

type ByPath = ReadonlyMap<string, Tensor>;

/** A model as a list of layers, each run on an input of its own. */
class Layers implements HookedModel<ByPath, ByPath> {
  readonly config: { readonly modelType?: string };

  constructor(
    private readonly job: Job,
    readonly weights: ByPath,
  ) {
    this.config = job.modelType === null ? {} : { modelType: job.modelType };
  }

  layers(): HookedLayer[] {
    return this.job.layers.flatMap(({ path, layer }) => {
      const weight = this.weights.get(layer.kind === "parameter" ? path : `${path}.weight`);
      return weight ? [{ path, layer: { ...layer, shape: weight.shape }, base: { weight, bias: this.weights.get(`${path}.bias`) } }] : [];
    });
  }

  *namedModules(): Generator<[string, HookedModule]> {
    for (const { path, kind } of this.job.modules) yield [path, { kind }];
  }

  withWeights(changes: ByPath): Layers {
    return new Layers(this.job, new Map([...this.weights, ...changes]));
  }

  forward(inputs: ByPath, hook?: LayerHook): ByPath {
    const results = this.layers().flatMap(({ path, layer, base }) => {
      const x = inputs.get(path);
      return x ? [[path, hook?.(path, layer, base, x) ?? forwardBase(layer, base, x)] as const] : [];
    });
    return new Map(results);
  }
}

async function readAll(path: string, device: Device): Promise<Map<string, Tensor>> {
  const source = await openWeights(path);
  const result = new Map<string, Tensor>();
  for (const name of source.names()) result.set(name, await readTensor(source, name, { device }));
  await source.close();
  return result;
}

async function answer(job: Job, device: Device): Promise<object> {
  const weights = await readAll(join(job.home, "memory"), device);
  const peft = new PeftModel(new Layers(job, weights), ADAPTER_METHODS);
  for (const name of job.adapters) await loadAdapter(peft as never, join(job.home, name), name === "a0" ? "default" : name);
  peft.setAdapter(job.adapters.map((name) => (name === "a0" ? "default" : name)));
  const inputs = new Map(
    [...(await readAll(join(job.home, "inputs.safetensors"), device))].map(([name, x]) => [name.replace(/^in\./, ""), x]),
  );
  const outputs = peft.forward(new Map(job.paths.flatMap((path) => (inputs.has(path) ? [[path, inputs.get(path)!]] : []))));
  const tensors = [];
  for (const [path, y] of outputs)
    tensors.push({ name: `y.${path}`, dtype: fromCoreDType(y.dtype), shape: y.shape, data: encode(await y.data(), y.dtype) });
  await writeSafetensorsFile(join(job.home, "outputs.safetensors"), tensors);
  await savePretrained(peft as never, join(job.home, "saved"), { adapterNames: ["default"] });
  return { paths: [...outputs.keys()] };
}

const device = new Device(await createWasmBackend({ threads: 1 }));
for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line) as Job;
  const result = await answer(job, device).catch((error: unknown) => {
    const known = error instanceof WeftError;
    return {
      error: { kind: known ? error.kind : "crash", message: (error as Error).message, stack: known ? undefined : (error as Error).stack },
    };
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
device.dispose();

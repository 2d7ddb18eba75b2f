// Writes adapters of every method for PEFT to read: node dist/write-adapters.js FIXTURES OUT [CASE…]. tests/python/adapters.py loads them and compares the results.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADAPTER_METHODS, PEFT_METHODS } from "@weft/methods";
import { writeSafetensorsFile } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import type { OpenedAdapter } from "@weft/adapter-files";
import { type AdapterParameters, type ConfigInput, PeftModel } from "@weft/registry";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { loadAdapter, savePretrained } from "@weft/registry/node";
import { add, CapabilityError, Device, encode, type Params, tensor, torchGenerator, torchNormal } from "@weft/tensor-core";
import { readJson, readTensors } from "./peft/files.js";
import { type CaseMeta, type Peft, type Subject, subjectOf } from "./peft/subject.js";

interface Meta extends CaseMeta {
  readonly method: string;
  readonly tolerance: number;
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

async function write(home: string, subject: Subject, peft: Peft, useMerged: boolean): Promise<void> {
  mkdirSync(home, { recursive: true });
  await savePretrained(peft as never, home);
  const y = subject.run(useMerged ? peft.mergeAndUnload() : peft);
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
    const subject = await subjectOf(folder, meta, await readTensors(join(folder, "case.safetensors"), device), device);
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

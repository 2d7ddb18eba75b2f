import { existsSync } from "node:fs";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import type { WeightSource } from "@weft/io-safetensors";
import { openWeights } from "@weft/io-safetensors/node";
import { openAdapter, type OpenedAdapter } from "@weft/adapter-files";
import { convertAdapter } from "@weft/convert";
import type { Device } from "@weft/tensor-core";
import { Comparison, type Outcome, type Tolerance } from "../case.js";
import { readJson, readTensors } from "../peft/files.js";
import { adapterAt, changesOn, fileOf, reopened, sameFile } from "./convert-files.js";

interface Meta {
  readonly weight_shapes: { readonly [name: string]: readonly number[] };
  readonly peft_config_unet: { readonly [field: string]: unknown };
  readonly tolerance: Tolerance;
}

/** One adapter of a UNet and a text encoder in every dialect: from each to the others, keys, bytes and changes. */
export async function runPipelineCase(folder: string, device: Device): Promise<Outcome> {
  const meta = readJson<Meta>(folder, "case.json");
  const check = new Comparison(meta.tolerance);
  const file = (name: string): string => join(folder, `${name}.safetensors`);
  const [kohya, diffusers, unet] = await Promise.all(["kohya", "diffusers", "peft_unet"].map((name) => openWeights(file(name))));
  const base = await baseOf(folder, meta);
  const delta = await readTensors(file("delta"), device);
  const changes = async (what: string, adapter: OpenedAdapter, prefix = ""): Promise<void> => {
    const got = await changesOn(adapter, base, device);
    check.exact(`${what}: modules`, [...got.keys()].toSorted(), [...delta.keys()].filter((key) => key.startsWith(prefix)).toSorted());
    for (const [path, change] of got) await check.tensors(`${what}: ${path}`, change, delta.get(path)!);
  };

  const fromKohya = await adapterAt(file("kohya"));
  await changes("kohya", fromKohya);
  const named = await reopened((await convertAdapter(fromKohya, { to: "diffusers" })).files[0]!);
  await sameFile(check, "kohya → diffusers", named.weights, diffusers!);
  await changes("kohya → diffusers", named);
  const back = await reopened((await convertAdapter(named, { to: "kohya" })).files[0]!);
  await sameFile(check, "diffusers → kohya", back.weights, kohya!);

  const parts = (await convertAdapter(fromKohya, { to: "peft" })).files;
  check.exact("kohya → peft: files", parts.map(({ path }) => path).toSorted(), [
    "text_encoder/adapter_model.safetensors",
    "unet/adapter_model.safetensors",
  ]);
  await sameFile(check, "kohya → peft", (await reopened(parts.find(({ path }) => path.startsWith("unet/"))!)).weights, unet!);
  const peft = await openAdapter({ config: meta.peft_config_unet, weights: unet! }, { methods: ADAPTER_METHODS });
  const fromPeft = await reopened((await convertAdapter(peft, { to: "kohya" })).files[0]!);
  await sameFile(check, "peft → kohya", fromPeft.weights, kohya!, /^lora_te/);

  const comfyui = await reopened((await convertAdapter(fromKohya, { to: "comfyui" })).files[0]!);
  const again = await reopened((await convertAdapter(comfyui, { to: "kohya" })).files[0]!);
  // The original's names stand for SDXL's in kohya's files, so only the change can be compared.
  await changes("kohya → comfyui → kohya", again);

  for (const name of ["diffusers_old", "diffusers_from_kohya"])
    if (existsSync(file(name))) {
      const converted = await convertAdapter(await adapterAt(file(name)), { to: "diffusers" });
      await sameFile(check, `${name} → diffusers`, (await reopened(converted.files[0]!)).weights, diffusers!);
    }
  const library = await convertAdapter(await adapterAt(file("kohya_library")), { to: "kohya" });
  // diffusers' converter writes rank for alpha.
  await sameFile(check, "kohya_library → kohya", (await reopened(library.files[0]!)).weights, kohya!, /\.alpha$/);
  return check.outcome();
}

/** The weights that the adapter was trained on, or zeros of their shapes where ΔW does not depend on them. */
async function baseOf(folder: string, { weight_shapes }: Meta): Promise<WeightSource> {
  const file = join(folder, "base.safetensors");
  if (existsSync(file)) return openWeights(file);
  const zeros = (shape: readonly number[]) => ({
    dtype: "F32" as const,
    shape,
    data: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)),
  });
  return fileOf(new Map(Object.entries(weight_shapes).map(([name, shape]) => [name, zeros(shape)])));
}

import { type GgufFile, type GgufMetadata, type GgufValue, type NamedTensor, permuteHeads, tensorNames } from "@weft/io-gguf";
import { writeGguf } from "@weft/io-gguf/node";
import { asPlainLora, type ConvertModule, extractedModule, nothingLeft, readFactors } from "@weft/convert";
import { CapabilityError, decode, type DType, FormatError } from "@weft/tensor-core";
import { dequantize, GGUF_TYPES, type GgufType, ggufWeight } from "@weft/quant-nf4-awq";

/** What of a model decides how an adapter lies in a GGUF file. */
export interface GgufModelShape {
  /** `general.architecture` of the model's file. */
  readonly architecture: string;
  readonly heads: number;
  readonly kvHeads: number;
}

const layerOf = (name: string): number => Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? -1);
const bytesOf = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
const text = (value: string): GgufValue => ({ type: "string", value });

const refuse = (label: string, why: string): CapabilityError =>
  new CapabilityError(`${label}: ${why}`, {
    kind: "unwritable-format",
    tensor: label,
    hint: "merge it: weft merge BASE.gguf -a ADAPTER -o OUT.gguf",
  });

/**
 * Writes a LoRA as llama.cpp reads it: `<tensor>.lora_a` [r, in] and `.lora_b` [out, r] in f32, whose product llama.cpp multiplies by alpha / r. Where modules have other scales (rsLoRA of several ranks,
 * patterns), what theirs is more goes into `lora_b`.
 * @returns modules whose factor is no power of two, so that `lora_b` was rounded
 * @throws CapabilityError kind `unwritable-format` for what is no LoRA of a linear layer, or of a layer that the file does not have; MatchError kind `nothing-left` without modules
 * @see llama.cpp `convert_lora_to_gguf.py`, `llama-adapter.cpp`
 */
export async function writeGgufAdapter(
  path: string,
  modules: readonly ConvertModule[],
  { architecture, heads, kvHeads }: GgufModelShape,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  if (modules.length === 0) throw nothingLeft([], "a GGUF file");
  const names = tensorNames(architecture);
  const placed = modules.map((module) => {
    const plain = asPlainLora(module);
    if (typeof plain === "string") throw refuse(module.label, plain);
    const { path: own, parameters, rank, scale } = plain;
    const [down, up] = [parameters.get("lora_down.weight"), parameters.get("lora_up.weight")];
    if (plain.embedding || down?.shape.length !== 2 || parameters.size !== 2 || !up || rank === undefined)
      throw refuse(module.label, "GGUF files hold LoRAs of linear layers, without magnitudes and biases");
    const named = names.toGguf(`${own}.weight`);
    if (!named || named.form || named.values) throw refuse(module.label, `a file of ${architecture} has no such layer`);
    return { name: named.name, module: plain, down, up, count: headsOf(named, { heads, kvHeads }), product: scale * rank };
  });
  // llama.cpp takes 0 for 1.
  const alpha = Math.fround(placed.find(({ product }) => product !== 0)?.product ?? 1);
  const rounded: string[] = [];
  const sorted = placed.toSorted((a, b) => layerOf(a.name) - layerOf(b.name) || (a.name < b.name ? -1 : 1));
  const tensors = sorted.flatMap(({ name, module, down, up, count, product }) => {
    const factor = product / alpha;
    if (factor !== 0 && !Number.isInteger(Math.log2(Math.abs(factor)))) rounded.push(module.label);
    async function* a(): AsyncIterable<Uint8Array> {
      yield bytesOf((await readFactors(module)).down);
    }
    async function* b(): AsyncIterable<Uint8Array> {
      const values = bytesOf((await readFactors(module)).up.map((v) => v * factor));
      yield count === undefined ? values : permuteHeads(values, up.shape[0]!, count, "gguf");
    }
    return [
      { name: `${name}.lora_a`, type: "F32" as const, shape: down.shape, data: a() },
      { name: `${name}.lora_b`, type: "F32" as const, shape: up.shape, data: b() },
    ];
  });
  const metadata: GgufMetadata = new Map<string, GgufValue>([
    ["general.architecture", text(architecture)],
    ["general.type", text("adapter")],
    ["adapter.type", text("lora")],
    ["adapter.lora.alpha", { type: "f32", value: alpha }],
  ]);
  await writeGguf(path, metadata, tensors, { ...(signal && { signal }) });
  return rounded;
}

/**
 * The modules of a LoRA in a GGUF file under transformers' names.
 * @param model head counts; needed where query and key projections have factors, in architectures that permute them
 * @throws FormatError kind `key` for a file that is no LoRA; CapabilityError kinds `unsupported-model`, `unsupported-dtype`, `unknown-model`
 */
export async function modulesOfGguf(file: GgufFile, model: GgufModelShape | undefined): Promise<ConvertModule[]> {
  const { metadata, tensors, location } = file;
  const value = (key: string): unknown => metadata.get(key)?.value;
  const [type, alpha] = [value("adapter.type"), value("adapter.lora.alpha")];
  if (type !== "lora" || typeof alpha !== "number")
    throw new FormatError(
      `${location}: adapter.type is ${JSON.stringify(type)} and adapter.lora.alpha ${JSON.stringify(alpha)}, expected "lora" and a number`,
      {
        kind: "key",
        file: location,
      },
    );
  const architecture = String(value("general.architecture"));
  const names = tensorNames(architecture);
  const modules: ConvertModule[] = [];
  for (const [name, { shape }] of tensors) {
    const stem = /^(.*)\.lora_b$/.exec(name)?.[1];
    if (stem === undefined) {
      if (!name.endsWith(".lora_a") || !tensors.has(`${name.slice(0, -1)}b`)) throw lone(name, location);
      continue;
    }
    const a = tensors.get(`${stem}.lora_a`);
    const [out, rank] = shape as [number, number];
    if (!a || a.shape.length !== 2 || shape.length !== 2 || a.shape[0] !== rank) throw lone(name, location);
    const named = names.toHf(stem);
    if (!named || named.placement === "transposed" || named.form || named.values || stem === "token_embd.weight")
      throw new CapabilityError(`${name}: a checkpoint of ${architecture} has no linear layer of this name`, {
        kind: "unsupported-model",
        tensor: name,
        file: location,
      });
    const count = headsOf(named, model);
    if (isByHeads(named) && count === undefined)
      throw new CapabilityError(
        `${name}: the rows of query and key projections lie head by head, and how many heads there are stands in the model`,
        {
          kind: "unsupported-model",
          tensor: name,
          file: location,
          hint: "name it: --base MODEL.gguf, or a folder with its config.json",
        },
      );
    const [down, stored] = [await matrix(file, `${stem}.lora_a`), await matrix(file, name)];
    const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
    const up = count === undefined ? stored : new Float32Array(permuteHeads(bytes, out, count, "hf").slice().buffer);
    const module = extractedModule(
      named.name.slice(0, -".weight".length),
      { shape: [out, a.shape[1]!], factors: { out, inputs: a.shape[1]!, rank, up, down }, residual: 0 },
      "F32",
    );
    modules.push({ ...module, scale: (alpha === 0 ? rank : alpha) / rank });
  }
  return modules;
}

const isByHeads = ({ placement }: NamedTensor): boolean => placement === "q-heads" || placement === "k-heads";

/** Of how many heads the rows are, where they have an order of their own; factors of a matrix that is stored transposed lie as any. */
const headsOf = (named: NamedTensor, model: Partial<Pick<GgufModelShape, "heads" | "kvHeads">> | undefined): number | undefined =>
  isByHeads(named) ? (named.placement === "q-heads" ? model?.heads : model?.kvHeads) : undefined;

const lone = (name: string, file: string): FormatError =>
  new FormatError(`${name}: expected a matrix .lora_a [r, in] and another .lora_b [out, r]`, {
    kind: "missing-tensor",
    tensor: name,
    file,
  });

const DENSE: ReadonlyMap<string, DType> = new Map([
  ["F32", "f32"],
  ["F16", "f16"],
  ["BF16", "bf16"],
]);

async function matrix(file: GgufFile, name: string): Promise<Float32Array> {
  const { type, shape, data } = await file.read(name);
  const dense = DENSE.get(type);
  if (dense) return Float32Array.from(decode(data.slice(), dense) as ArrayLike<number>);
  if (!Object.hasOwn(GGUF_TYPES, type))
    throw new CapabilityError(`${name}: its type ${type} is not read`, { kind: "unsupported-dtype", tensor: name, file: file.location });
  return dequantize(ggufWeight(type as GgufType, shape as [number, number], data));
}

import { decode } from "@weft/tensor-core";
import { type Config, type Described, f32, text, u32 } from "./read-config.js";
import { fromF32, type Json, type Metadata } from "./read-metadata.js";

/** A rotary embedding in a `config.json`. */
export interface Rope {
  readonly theta: number;
  readonly type: string;
  readonly fields: Json;
}

/** The rotary embedding, in either dialect of transformers: one object `rope_parameters`; before 5, `rope_scaling` beside `rope_theta`. @param fields the object, where there is one for each kind of layer */
export function ropeOf(
  config: Config,
  theta: number,
  fields = (config.json["rope_parameters"] ?? config.json["rope_scaling"] ?? {}) as Json,
): Rope {
  config.same("partial_rotary_factor", 1);
  if ((fields["partial_rotary_factor"] ?? 1) !== 1)
    throw config.refusal("its rotary embedding turns a part of each head, which is not written as GGUF");
  const own = fields["rope_theta"];
  const type = String(fields["rope_type"] ?? fields["type"] ?? "default");
  return { theta: typeof own === "number" ? own : config.number("rope_theta", theta), type, fields };
}

/** What attention is multiplied by where nothing else is said. @see transformers `modeling_rope_utils.py` */
const impliedFactor = (type: string, factor: number, original: number): number =>
  factor <= 1 ? 1 : type === "yarn" ? 0.1 * Math.log(factor) + 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));

/** What llama.cpp multiplies by itself: of yarn, the factor for its scale. */
const ownFactor = (type: string, factor: number): number => (type === "yarn" ? impliedFactor(type, factor, 1) : 1);

/**
 * Metadata and tensors of a scaled rotary embedding. `llama3`, and `longrope` with the same factors at every length, become what each frequency is divided by (`rope_freqs.weight`), where the architecture has that.
 * @param divided whether files of the architecture may have `rope_freqs.weight` and the factors of longrope
 * @throws CapabilityError kind `unsupported-model` for types that no GGUF file has
 * @see llama.cpp `conversion/base.py` set_gguf_parameters, `conversion/llama.py` generate_extra_tensors, `conversion/phi.py`
 */
export function ropeScaling(config: Config, { theta, type, fields }: Rope, headDim: number, divided: boolean): Described {
  const context = config.number("max_position_embeddings");
  const original = config.optional("original_max_position_embeddings") ?? numberOf(fields, "original_max_position_embeddings") ?? context;
  const refuse = (): Error =>
    config.refusal(`its rotary embedding is scaled (${JSON.stringify(type)}) in a way that GGUF files of the model do not have`);
  const scaled = (name: string, factor: number): Described["entries"] => [
    ["rope.scaling.type", text(name)],
    ["rope.scaling.factor", f32(factor)],
  ];
  const factorOf = (): number => numberOf(fields, "factor") ?? context / original;
  switch (type) {
    case "default":
      return { entries: [] };
    case "linear":
      return { entries: scaled("linear", factorOf()) };
    case "llama3":
      if (!divided) throw refuse();
      return { entries: [], tensors: [{ name: "rope_freqs.weight", values: llama3Factors(config, fields, theta, headDim, original) }] };
    case "yarn": {
      if (fields["truncate"] === false) throw refuse();
      const factor = factorOf();
      const [fast, slow, attention] = [numberOf(fields, "beta_fast"), numberOf(fields, "beta_slow"), yarnAttention(fields, factor)];
      return {
        entries: [
          ...scaled("yarn", factor),
          ["rope.scaling.original_context_length", u32(original)],
          ...(attention === undefined ? [] : ([["rope.scaling.attn_factor", f32(attention / ownFactor(type, factor))]] as const)),
          ...(fast === undefined ? [] : ([["rope.scaling.yarn_beta_fast", f32(fast)]] as const)),
          ...(slow === undefined ? [] : ([["rope.scaling.yarn_beta_slow", f32(slow)]] as const)),
        ],
      };
    }
    case "longrope":
    case "su": {
      if (!divided) throw refuse();
      const [short, long] = [listOf(config, fields, "short_factor", headDim), listOf(config, fields, "long_factor", headDim)];
      const attention = numberOf(fields, "attention_factor") ?? impliedFactor("longrope", factorOf(), original);
      if (attention === 1 && short.every((x, i) => x === long[i]))
        return { entries: [], tensors: [{ name: "rope_freqs.weight", values: short }] };
      return {
        entries: [
          ["rope.scaling.type", text("longrope")],
          ["rope.scaling.original_context_length", u32(original)],
          ["rope.scaling.attn_factor", f32(attention)],
        ],
        tensors: [
          { name: "rope_factors_long.weight", values: long },
          { name: "rope_factors_short.weight", values: short },
        ],
      };
    }
    default:
      throw refuse();
  }
}

const numberOf = (fields: Json, key: string): number | undefined => (typeof fields[key] === "number" ? fields[key] : undefined);

/** What yarn multiplies attention by, where the config does not leave it to the factor. */
function yarnAttention(fields: Json, factor: number): number | undefined {
  const given = numberOf(fields, "attention_factor");
  const [mscale, all] = [numberOf(fields, "mscale"), numberOf(fields, "mscale_all_dim")];
  if (given !== undefined || !mscale || !all) return given;
  const scale = (m: number): number => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1);
  return scale(mscale) / scale(all);
}

function listOf(config: Config, fields: Json, key: string, headDim: number): readonly number[] {
  const list = fields[key];
  if (Array.isArray(list) && list.length === headDim / 2 && list.every((x) => typeof x === "number")) return list as number[];
  throw config.refusal(`${key} must be ${headDim / 2} numbers, one per pair of a head`);
}

/** What Llama 3.1 divides each frequency by. */
function llama3Factors(config: Config, fields: Json, theta: number, headDim: number, original: number): readonly number[] {
  const [factor, low, high] = (["factor", "low_freq_factor", "high_freq_factor"] as const).map((key) => {
    const value = numberOf(fields, key);
    if (value === undefined) throw config.refusal(`${key} of its rotary embedding is missing or no number`);
    return value;
  }) as [number, number, number];
  return Array.from({ length: headDim / 2 }, (_, j) => {
    const wavelength = 2 * Math.PI * theta ** ((2 * j) / headDim);
    if (wavelength < original / high) return 1;
    if (wavelength > original / low) return factor;
    const smooth = (original / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
}

/**
 * The rotary embedding of a file as the fields of a `config.json` of transformers 4, which 5 reads too. What frequencies are divided by (`rope_freqs.weight`, of Llama 3.1 and later) is longrope with the
 * same numbers at every length.
 * @throws CapabilityError kind `unsupported-model` for scalings that no config stands for
 */
export async function ropeFields(read: Metadata): Promise<Json> {
  const scaling = await scalingOf(read);
  return { ...(scaling && { rope_scaling: scaling }), rope_theta: read.float("rope.freq_base") ?? 10000 };
}

async function scalingOf(read: Metadata): Promise<Json | undefined> {
  const type = read.value("rope.scaling.type") ?? (read.own("rope.scaling.factor") === undefined ? "none" : "linear");
  const context = read.number("context_length");
  const original = read.own("rope.scaling.original_context_length") ?? context;
  const refuse = (): Error => read.refusal(`its rotary embedding is scaled (${String(type)}) in a way of which no config.json is written`);
  const factors = async (name: string): Promise<readonly number[]> => {
    const { type: stored, data } = await read.file.read(name);
    if (stored !== "F32") throw refuse();
    return Array.from(decode(data, "f32"), fromF32);
  };
  /** Left out where it is what the other fields imply. */
  const attention = (kind: string, factor: number): Json => {
    const given = (read.float("rope.scaling.attn_factor") ?? 1) * ownFactor(kind, factor);
    return Math.abs(given / impliedFactor(kind, factor, original) - 1) < 1e-6 ? {} : { attention_factor: given };
  };
  if (read.has("rope_freqs.weight")) {
    if (type !== "none") throw refuse();
    const same = await factors("rope_freqs.weight");
    return {
      rope_type: "longrope",
      factor: 1,
      attention_factor: 1,
      original_max_position_embeddings: original,
      short_factor: same,
      long_factor: same,
    };
  }
  if (read.has("rope_factors_long.weight")) {
    const [long, short] = [await factors("rope_factors_long.weight"), await factors("rope_factors_short.weight")];
    return {
      rope_type: "longrope",
      ...attention("longrope", context / original),
      original_max_position_embeddings: original,
      short_factor: short,
      long_factor: long,
    };
  }
  const factor = read.float("rope.scaling.factor") ?? 1;
  if (type === "none" || (type === "linear" && factor === 1)) return undefined;
  if (type === "linear") return { rope_type: "linear", factor };
  if (type !== "yarn") throw refuse();
  const [fast, slow] = [read.float("rope.scaling.yarn_beta_fast"), read.float("rope.scaling.yarn_beta_slow")];
  return {
    rope_type: "yarn",
    factor,
    original_max_position_embeddings: original,
    ...attention("yarn", factor),
    ...(fast !== undefined && { beta_fast: fast }),
    ...(slow !== undefined && { beta_slow: slow }),
  };
}

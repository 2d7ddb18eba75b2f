import {
  type AdapterMethod,
  add,
  boolean,
  type ConfigClass,
  configClass,
  featuresOf,
  float,
  mul,
  oneOf,
  pattern,
  reshape,
  tensor,
  type Tensor,
  torchGenerator,
  torchRandperm,
  strength,
} from "@weft/tensor-core";
import { additive, count, fields, normal, requireAtMost, seed, type Size, trained } from "@weft/tensor-core/methods";
import { sparse } from "./sparse.js";
import { reconstructionFilters, WAVELET_NAMES } from "./wavelet.js";

/** The config of a WaveFT adapter. */
export interface WaveFTConfigFields {
  readonly nFrequency: number;
  readonly scaling: number;
  /** db1-10, sym2-10 or coif1-4; `db1` is Haar's. */
  readonly waveletFamily: string;
  /** The coefficients are those of a wavelet transform; else entries of ΔW themselves. */
  readonly useIdwt: boolean;
  /** `nFrequency` is the mean over the layers, of which each has a share by its size. */
  readonly proportionalParameters: boolean;
  /** Seed of the coefficients' places. */
  readonly randomLocSeed: number;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

const FIELDS = fields("waveft", ["fan_in_fan_out", "bias", "init_weights"], {
  n_frequency: count(2592),
  scaling: strength(float(25)),
  wavelet_family: oneOf("db1", WAVELET_NAMES),
  use_idwt: boolean(true),
  random_loc_seed: seed(777),
  n_frequency_pattern: pattern("n_frequency", 1, 2 ** 31 - 1, true),
  proportional_parameters: boolean(false),
});

/** PEFT's `WaveFTConfig` (`peft_type` WAVEFT): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const WaveFTConfig: ConfigClass<WaveFTConfigFields> = configClass("WAVEFT", FIELDS);

/** The coefficients' places in the order of the seed, flat. */
const placesOf = ({ randomLocSeed, nFrequency }: WaveFTConfigFields, size: Size): ArrayLike<number> =>
  torchRandperm(torchGenerator(randomLocSeed), size.out * size.in, nFrequency);

/** What coefficients reach along one axis of ΔW, [n, L]: places, and whether they are inside (else the place is 0). */
interface Reach {
  readonly places: Int32Array;
  readonly inside: Uint8Array;
  /** Which half of the axis each coefficient is in: 1 for the second, of details. */
  readonly detail: Uint8Array;
}

/**
 * Coefficients at `positions` of an axis of `size` places. PEFT pads the axis by L - 2 to an even length, around the middle; coefficient k of a half
 * reaches 2k … 2k + L-1, of which L - 2 are cut off in front.
 */
function reachOf(positions: readonly number[], size: number, length: number): Reach {
  const half = Math.ceil((size + length - 2) / 2);
  const offset = Math.floor((2 * half - size) / 2);
  const [places, inside] = [new Int32Array(positions.length * length), new Uint8Array(positions.length * length)];
  const detail = Uint8Array.from(positions, (position) => (position + offset >= half ? 1 : 0));
  positions.forEach((position, n) => {
    const first = 2 * (position + offset - detail[n]! * half) - (length - 2);
    for (let i = 0; i < length; i++) {
      if (first + i < 0 || first + i >= size) continue;
      places[n * length + i] = first + i;
      inside[n * length + i] = 1;
    }
  });
  return { places, inside, detail };
}

/**
 * ΔW of coefficients of a wavelet transform: each reaches L × L entries, by the product of a filter along each axis. PEFT exchanges the bands of the axes: a
 * coefficient of details along the columns has the high-pass filter along the rows.
 */
function inverseTransform(values: Tensor, places: ArrayLike<number>, wavelet: string, size: Size): Tensor {
  const { low, high } = reconstructionFilters(wavelet);
  const [n, length] = [places.length, low.length];
  const rows = reachOf(
    Array.from(places, (place) => Math.floor(place / size.in)),
    size.out,
    length,
  );
  const columns = reachOf(
    Array.from(places, (place) => place % size.in),
    size.in,
    length,
  );
  const factors = ({ inside }: Reach, { detail }: Reach): Float32Array =>
    Float32Array.from(inside, (isIn, i) => (isIn ? (detail[Math.floor(i / length)] ? high : low)[i % length]! : 0));
  const along = (data: Float32Array | Int32Array, axis: 1 | 2): Tensor =>
    tensor(data, { shape: axis === 1 ? [n, length, 1] : [n, 1, length] });
  const spread = mul(mul(reshape(values, [n, 1, 1]), along(factors(rows, columns), 1)), along(factors(columns, rows), 2));
  const index = add(mul(along(rows.places, 1), size.in), along(columns.places, 2));
  return sparse(reshape(spread, [-1]), reshape(index, [-1]), size);
}

/**
 * WaveFT (Bilican et al. 2025): ΔW = scaling·IDWT(C), n learned coefficients of a wavelet (`db1` is Haar's) at places drawn from a seed. Each
 * reaches L × L entries of ΔW for filters of length L, so none but those are computed. Linear and Conv1D (fan_in_fan_out).
 * @see peft `tuners/waveft/layer.py`, `waverec2d.py`
 */
export const WAVEFT: AdapterMethod<WaveFTConfigFields> = {
  ...additive<WaveFTConfigFields>({
    name: "WAVEFT",
    defaultTargets: { models: { gpt2: ["mlp.c_proj"], gpt_bigcode: ["mlp.c_proj"] } },
    prefix: "waveft_",
    fields: FIELDS,
    configFromShapes: (config, _, { spectrum }) => (spectrum ? { ...config, nFrequency: spectrum[0]! } : config),
    parameters({ nFrequency: n, initWeights, useIdwt, waveletFamily }, size) {
      if (useIdwt) reconstructionFilters(waveletFamily);
      requireAtMost("WAVEFT", "n_frequency", n, size.in * size.out);
      return { spectrum: trained([n], initWeights ? "zeros" : normal(0.01)) };
    },
    names: ["spectrum"],
    change({ spectrum }, config, size) {
      const places = placesOf(config, size);
      const values = mul(spectrum!, config.scaling);
      if (!config.useIdwt) return sparse(values, tensor(Int32Array.from(places), { shape: [places.length] }), size);
      return inverseTransform(values, places, config.waveletFamily, size);
    },
  }),
  allot({ proportionalParameters, nFrequency }, layers) {
    if (!proportionalParameters) return layers.map(() => ({}));
    const sizes = layers.map((layer) => featuresOf(layer).in * featuresOf(layer).out);
    const total = sizes.reduce((a, b) => a + b, 0);
    return sizes.map((size) => ({ config: { nFrequency: Math.max(1, roundHalfEven((size / total) * (nFrequency * layers.length))) } }));
  },
};

/** Python's `round`. */
function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  return x - down === 0.5 ? down + (down % 2) : Math.round(x);
}

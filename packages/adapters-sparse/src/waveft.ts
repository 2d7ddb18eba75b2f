import {
  type AdapterMethod,
  boolean,
  configClass,
  type ConfigClass,
  finite,
  mul,
  oneOf,
  pattern,
  reshape,
  tensor,
  type Tensor,
  torchGenerator,
  torchRandperm,
} from "@weft/tensor-core";
import { additive, count, fields, normal, requireAtMost, seed, type Size, trained } from "@weft/tensor-core/methods";
import { sparse } from "./sparse.js";

/** The config of a WaveFT adapter. */
export interface WaveFTConfigFields {
  readonly nFrequency: number;
  readonly scaling: number;
  readonly waveletFamily: "db1";
  /** The coefficients are those of a wavelet transform; else entries of ΔW themselves. */
  readonly useIdwt: boolean;
  /** Seed of the coefficients' places. */
  readonly randomLocSeed: number;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

const FIELDS = fields("waveft", ["fan_in_fan_out", "bias", "init_weights"], {
  n_frequency: count(2592),
  scaling: finite(25),
  wavelet_family: oneOf("db1", ["db1"]),
  use_idwt: boolean(true),
  random_loc_seed: seed(777),
  n_frequency_pattern: pattern(1, 2 ** 31 - 1, true),
  proportional_parameters: boolean(false),
});

export const WaveFTConfig: ConfigClass<WaveFTConfigFields> = configClass("WAVEFT", FIELDS);

/** The coefficients' places in the order of the seed, flat. */
const placesOf = ({ randomLocSeed, nFrequency }: WaveFTConfigFields, size: Size): ArrayLike<number> =>
  torchRandperm(torchGenerator(randomLocSeed), size.out * size.in, nFrequency);

/**
 * The 2 × 2 entries of ΔW that each Haar coefficient reaches, [n, 4], and its sign in them: place p of an axis is low-pass coefficient p of the
 * first half, or high-pass p - half. An entry behind the end of an odd axis is cut off (sign 0).
 */
function haar(places: ArrayLike<number>, size: Size): { index: Tensor; sign: Tensor } {
  const [rows, columns] = [Math.ceil(size.out / 2), Math.ceil(size.in / 2)];
  const shape = [places.length, 4];
  const [index, sign] = [new Int32Array(places.length * 4), new Float32Array(places.length * 4)];
  for (let k = 0; k < places.length; k++) {
    const [r, c] = [Math.floor(places[k]! / size.in), places[k]! % size.in];
    for (let at = 0; at < 4; at++) {
      const [i, j] = [at >> 1, at & 1];
      const [row, column] = [2 * (r % rows) + i, 2 * (c % columns) + j];
      if (row >= size.out || column >= size.in) continue;
      index[4 * k + at] = row * size.in + column;
      // PEFT exchanges the bands of the axes: a place that is high-pass along the columns alternates along the rows.
      sign[4 * k + at] = (c >= columns && i ? -1 : 1) * (r >= rows && j ? -1 : 1);
    }
  }
  return { index: tensor(index, { shape }), sign: tensor(sign, { shape }) };
}

/**
 * WaveFT (Bilican et al. 2025): ΔW = scaling·IDWT(C), n learned coefficients of the Haar wavelet (`db1`; other families are refused) at places
 * drawn from a seed. Each reaches four entries of ΔW, so none but those are computed. Linear and Conv1D (fan_in_fan_out).
 * @see peft `tuners/waveft/layer.py`, `waverec2d.py`
 */
export const WAVEFT: AdapterMethod<WaveFTConfigFields> = additive({
  name: "WAVEFT",
  prefix: "waveft_",
  fields: FIELDS,
  configFromShapes: (config, _, { spectrum }) => (spectrum ? { ...config, nFrequency: spectrum[0]! } : config),
  parameters({ nFrequency: n, initWeights }, size) {
    requireAtMost("WAVEFT", "n_frequency", n, size.in * size.out);
    return { spectrum: trained([n], initWeights ? "zeros" : normal(0.01)) };
  },
  names: ["spectrum"],
  change({ spectrum }, config, size) {
    const places = placesOf(config, size);
    const values = mul(spectrum!, config.scaling);
    if (!config.useIdwt) return sparse(values, tensor(Int32Array.from(places), { shape: [places.length] }), size);
    const { index, sign } = haar(places, size);
    return sparse(reshape(mul(mul(reshape(values, [-1, 1]), 0.5), sign), [-1]), reshape(index, [-1]), size);
  },
});

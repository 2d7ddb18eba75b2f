import { encodeKernels, FREE } from "./encode-kernels.js";

/** Numbers that are stored together. */
const SIZE = 256;
const [X, WEIGHTS, SCALES, MINIMA, INVERSES, CODES] = [0, 1024, 2048, 2112, 2176, 2240].map((at) => FREE + at) as [
  number,
  number,
  number,
  number,
  number,
  number,
];

/** The grid of scales that a search tries: (first + step · k + most) / (largest - minimum), k = 0 … tries. */
export interface AffineSearch {
  /** Neighbours that share a scale: 16 or 32. */
  readonly size: 16 | 32;
  /** The largest code. */
  readonly most: number;
  readonly first: number;
  readonly step: number;
  readonly tries: number;
  /** Compare sums of |error| instead of error². */
  readonly absolute: boolean;
}

/** ggml's searches for the scales of 256 numbers, by kernels: what is asked of them, and what they find. */
export class BlockSearch {
  /** The numbers. */
  readonly x: Float32Array;
  /** What the error of each counts. */
  readonly weights: Float32Array;
  /** Of each run. */
  readonly scales: Float32Array;
  /** Of `affine`: minima, negated. */
  readonly minima: Float32Array;
  /** Of `symmetric`: what codes follow from; 0 for a run of zeros. */
  readonly inverses: Float32Array;
  /** Of `affine`: those of the best scale. */
  readonly codes: Uint8Array;
  private readonly kernels = encodeKernels();

  /** @throws CapabilityError kinds `no-wasm-simd`, `no-wasm` */
  constructor() {
    const { memory } = this.kernels;
    this.x = new Float32Array(memory, X, SIZE);
    this.weights = new Float32Array(memory, WEIGHTS, SIZE);
    this.scales = new Float32Array(memory, SCALES, 16);
    this.minima = new Float32Array(memory, MINIMA, 16);
    this.inverses = new Float32Array(memory, INVERSES, 16);
    this.codes = new Uint8Array(memory, CODES, SIZE);
  }

  /** Takes 256 numbers from `from` on. */
  load(x: Float32Array, from: number): void {
    this.x.set(x.subarray(from, from + SIZE));
  }

  /** Scales, minima and codes of all runs for x ≈ scale · code - minimum, code 0 … most: the grid's best by weighted least squares. @see ggml-quants.c make_qkx2_quants, make_qkx3_quants */
  affine({ size, most, first, step, tries, absolute }: AffineSearch): void {
    this.kernels.searchAffine(X, WEIGHTS, SCALES, MINIMA, CODES, SIZE / size, size, most, first, step, tries, Number(absolute));
  }

  /**
   * Scales of runs of 16 for x ≈ scale · code, code -most … most - 1: the best of nineteen about the one that puts the largest magnitude at -most.
   * @param runs 1 … 16 of them
   * @param weighted by `weights`, else by the squares of the numbers
   * @see ggml-quants.c make_qx_quants
   */
  symmetric(runs: number, most: number, weighted: boolean): void {
    this.kernels.searchSymmetric(X, weighted ? WEIGHTS : 0, SCALES, INVERSES, runs, most);
  }
}

let made: BlockSearch | undefined;

/** The one of this thread. @throws CapabilityError kinds `no-wasm-simd`, `no-wasm` */
export const blockSearch = (): BlockSearch => (made ??= new BlockSearch());

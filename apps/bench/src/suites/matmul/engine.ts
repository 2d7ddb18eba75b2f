import type { Contestant } from "../../turns.js";
import type { Product } from "./product.js";

/** One product on one engine, ready to run. */
export interface Prepared extends Contestant {
  /** The product as this engine computes it. */
  result(): Promise<ArrayLike<number>>;
  /** Frees what the product took. */
  release(): void | Promise<void>;
}

/** Something that multiplies matrices. */
export interface Engine {
  readonly name: string;
  prepare(product: Product): Promise<Prepared>;
  dispose?(): void;
}

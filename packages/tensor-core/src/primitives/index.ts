import { argreduce } from "./argreduce.js";
import { argsort } from "./argsort.js";
import { barrier } from "./barrier.js";
import * as binary from "./binary.js";
import { bitcast } from "./bitcast.js";
import { broadcast } from "./broadcast.js";
import { cast } from "./cast.js";
import { concat } from "./concat.js";
import { conv } from "./conv.js";
import type { BinaryPrimitive, UnaryPrimitive } from "./elementwise.js";
import { dynamicSlice } from "./dynamic-slice.js";
import { flip } from "./flip.js";
import { full } from "./full.js";
import { gather } from "./gather.js";
import { iota } from "./iota.js";
import { lookup } from "./lookup.js";
import { matmul } from "./matmul.js";
import { pad } from "./pad.js";
import type { Primitive } from "./primitive.js";
import { random } from "./random.js";
import { reduce } from "./reduce.js";
import { reshape } from "./reshape.js";
import { scan } from "./scan.js";
import { scatterAdd } from "./scatter-add.js";
import { slice } from "./slice.js";
import { stopGradient } from "./stop-gradient.js";
import { transpose } from "./transpose.js";
import { update } from "./update.js";
import * as unary from "./unary.js";
import { where } from "./where.js";

/** Names of the elementwise primitives of one tensor. */
export type UnaryOp = keyof typeof unary;
/** Names of the elementwise primitives of two tensors. */
export type BinaryOp = keyof typeof binary;

/** y = f(x), elementwise; the list is `unary.ts`. */
export const UNARY: Readonly<Record<UnaryOp, UnaryPrimitive>> = unary;
/** y = f(a, b), elementwise; the list is `binary.ts`. */
export const BINARY: Readonly<Record<BinaryOp, BinaryPrimitive>> = binary;

export const isUnary = (op: string): op is UnaryOp => Object.hasOwn(unary, op);
export const isBinary = (op: string): op is BinaryOp => Object.hasOwn(binary, op);

/**
 * The primitives, by name: everything that a backend must be able to run. Each is a file beside this one with all that the core knows of it;
 * the public functions that check, promote and broadcast before they call it lie in `ops/`. docs/adding-a-primitive.md tells how one is added.
 */
export const PRIMITIVES: Readonly<Record<string, Primitive>> = {
  full,
  iota,
  ...unary,
  ...binary,
  cast,
  bitcast,
  where,
  reduce,
  argreduce,
  matmul,
  conv,
  reshape,
  transpose,
  broadcast,
  slice,
  flip,
  pad,
  concat,
  gather,
  lookup,
  scatterAdd,
  dynamicSlice,
  update,
  scan,
  argsort,
  random,
  stopGradient,
  barrier,
};

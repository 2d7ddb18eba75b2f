import { bytesPerElement, type DType } from "@weft/tensor-core";
import { decodeSmallFloat, encode, type Lanes, SCALAR_LANES } from "@weft/tensor-core/program";
import { type ElementType, TYPE } from "../model/messages.js";
import type { Builder } from "./builder.js";
import { kindOf, type Value } from "./value.js";

/** How elements of each dtype lie in the graph between steps. */
export const STORED: Readonly<Record<DType, ElementType>> = {
  f32: TYPE.f32,
  f16: TYPE.f16,
  bf16: TYPE.bf16,
  f8e4m3: TYPE.u8,
  f8e5m2: TYPE.u8,
  i32: TYPE.i32,
  i8: TYPE.i8,
  u8: TYPE.u8,
  bool: TYPE.bool,
};

/** How they are fed and fetched: JavaScript has no bf16, and the runtime does not take its f16 where it has one (Node 24). */
export const PASSED: Readonly<Record<DType, ElementType>> = { ...STORED, f16: TYPE.u16, bf16: TYPE.u16 };

/** Elements as they are stored in a dtype. */
export interface Stored {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Stored elements as what is computed with. */
export function load(b: Builder, { name, dtype, shape }: Stored): Value {
  const kind = kindOf(dtype);
  if (dtype === "f32" || dtype === "i32" || dtype === "bool") return { name, kind, shape };
  if (dtype === "f8e4m3" || dtype === "f8e5m2") {
    const index = b.graph.node("Cast", [name], { to: TYPE.i32 });
    return { name: b.graph.node("Gather", [table(b, dtype), index]), kind, shape };
  }
  return { name: b.graph.node("Cast", [name], { to: kind === "f" ? TYPE.f32 : TYPE.i32 }), kind, shape };
}

/** The 256 numbers of an f8 format. */
function table(b: Builder, dtype: "f8e4m3" | "f8e5m2"): string {
  return b.graph.constant(
    TYPE.f32,
    [256],
    Float32Array.from({ length: 256 }, (_, bits) => decodeSmallFloat(SCALAR_LANES, bits, dtype)),
  );
}

/** A register value of dtype `from` as it is stored in a dtype, rounded. */
export function store(b: Builder, l: Lanes<Value, Value, Value>, value: Value, from: DType, dtype: DType): Stored {
  const as = (v: Value, type: ElementType): Stored => ({ name: b.graph.node("Cast", [v.name], { to: type }), dtype, shape: v.shape });
  if (dtype === "f16" || dtype === "bf16") return as(b.as(value, "f"), STORED[dtype]);
  if (bytesPerElement(dtype) === 1 && dtype !== "bool") return as(b.as(encode(l, value, from, dtype), "i"), STORED[dtype]);
  const { name, shape } = b.as(encode(l, value, from, dtype), kindOf(dtype));
  return { name, dtype, shape };
}

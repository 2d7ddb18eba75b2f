import { fromCoreDType, type TensorView } from "@weft/io-safetensors";
import { FormatError, type MatrixShape } from "@weft/tensor-core";
import type { PartBytes, QuantFormat, QuantizedWeight } from "../quant-format.js";

/** Tensors of a module by their names behind its path: `weight`, `weight.absmax`, `qweight`. */
export type ModuleTensors = ReadonlyMap<string, TensorView>;

/** `quantization_config` of config.json. */
export type QuantizationConfig = { readonly [field: string]: unknown };

/** Where a module's tensors come from. */
export interface ReadOptions {
  /** Path of the module, for errors. */
  readonly path?: string;
  /** The checkpoint's `quantization_config`, where the tensors alone do not tell. */
  readonly config?: QuantizationConfig;
}

/** How a program lays quantised weights down in a safetensors file. */
export interface QuantFiles {
  /** `quant_method` of `quantization_config`. */
  readonly method: string;
  /** True for a module whose weight it wrote. */
  matches(tensors: ModuleTensors, config?: QuantizationConfig): boolean;
  /** The weight of a module. @throws FormatError kind `quantized-weight` naming the tensor that is missing or is not as expected */
  read(tensors: ModuleTensors, options?: ReadOptions): QuantizedWeight;
  /** The tensors of a weight; undefined for a program whose files are only read. @throws CapabilityError kind `unwritable-format` for a format that it does not have */
  readonly write?: (weight: QuantizedWeight) => ModuleTensors;
  /** `quantization_config` of a checkpoint whose weights are in this format. @param skipped modules that are not quantised */
  readonly config?: (format: QuantFormat, skipped?: readonly string[]) => QuantizationConfig;
}

/** What a tensor is expected to be. */
export interface Expected {
  readonly dtype?: readonly string[];
  /** Undefined sizes are any. */
  readonly shape?: readonly (number | undefined)[];
}

const show = (shape: readonly (number | undefined)[]): string => `[${shape.map((n) => n ?? "any").join(",")}]`;

/** A reader of a module's tensors, whose errors name them. */
export class ModuleReader {
  private readonly tensors: ModuleTensors;
  private readonly path: string;

  constructor(tensors: ModuleTensors, { path = "" }: ReadOptions = {}) {
    this.tensors = tensors;
    this.path = path;
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  /** @throws FormatError kind `quantized-weight` */
  take(name: string, { dtype, shape }: Expected = {}): TensorView {
    const tensor = this.tensors.get(name);
    if (!tensor) throw this.error(name, "is missing", `beside it are ${[...this.tensors.keys()].join(", ") || "none"}`);
    if (dtype && !dtype.includes(tensor.dtype)) throw this.error(name, `is ${tensor.dtype}, expected ${dtype.join(" or ")}`);
    const fits = !shape || (shape.length === tensor.shape.length && shape.every((n, i) => n === undefined || n === tensor.shape[i]));
    if (!fits) throw this.error(name, `is ${show(tensor.shape)}, expected ${show(shape)}`);
    return tensor;
  }

  /** Two sizes in an I64 tensor. @throws FormatError kind `quantized-weight` */
  matrix(name: string): MatrixShape {
    const { data } = this.take(name, { dtype: ["I64"], shape: [2] });
    const sizes = Array.from(new BigInt64Array(data.slice().buffer), Number);
    if (!sizes.every((n) => Number.isSafeInteger(n) && n >= 0)) throw this.error(name, `holds ${sizes.join(" and ")}, expected two sizes`);
    return sizes as unknown as MatrixShape;
  }

  /** The parts of a format, as they lie in the file. @param besides those that are not read */
  parts(format: QuantFormat, shape: MatrixShape, besides: readonly string[] = []): PartBytes {
    const specs = Object.entries(format.parts(shape)).filter(([name]) => !besides.includes(name));
    return Object.fromEntries(
      specs.map(([name, { dtype, shape: size }]) => [name, this.take(name, { dtype: [fromCoreDType(dtype)], shape: size }).data]),
    );
  }

  error(name: string, problem: string, more?: string): FormatError {
    const tensor = this.path ? `${this.path}.${name}` : name;
    return new FormatError(`${tensor} ${problem}${more ? `; ${more}` : ""}`, {
      kind: "quantized-weight",
      tensor,
      hint: "the checkpoint is incomplete, or was written by another program than its config says: fetch it again",
    });
  }
}

/** The parts of a weight as tensors of a file, under their own names. */
export const tensorsOf = ({ format, shape, parts }: QuantizedWeight): ModuleTensors =>
  new Map(
    Object.entries(format.parts(shape)).map(([name, { dtype, shape: size }]) => [
      name,
      { dtype: fromCoreDType(dtype), shape: size, data: parts[name]! },
    ]),
  );

/** A whole number of a config, under the first of its names that is there. @throws FormatError kind `quantized-weight` */
export function integerField(config: QuantizationConfig, names: readonly string[], otherwise: number): number {
  const name = names.find((n) => config[n] !== undefined && config[n] !== null);
  const value = name === undefined ? otherwise : config[name];
  if (!Number.isInteger(value))
    throw new FormatError(`quantization_config: ${name} is ${JSON.stringify(value)}, expected a whole number`, {
      kind: "quantized-weight",
    });
  return value as number;
}

import { decode, type DType, type MatrixShape, type Tensor, fromBytes, type Device } from "@weft/tensor-core";
import { type TensorView, toCoreDType } from "@weft/io-safetensors";
import { openWeights } from "@weft/io-safetensors/node";

/** The tensors of a fixture as they lie in the file. */
export class Fixture {
  private readonly tensors: ReadonlyMap<string, TensorView>;

  constructor(tensors: ReadonlyMap<string, TensorView>) {
    this.tensors = tensors;
  }

  static async open(path: string): Promise<Fixture> {
    const source = await openWeights(path);
    try {
      const tensors = new Map<string, TensorView>();
      for (const name of source.names()) tensors.set(name, await source.read(name));
      return new Fixture(tensors);
    } finally {
      await source.close();
    }
  }

  names(): string[] {
    return [...this.tensors.keys()];
  }

  view(name: string): TensorView {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`the fixture has no ${name}`);
    return tensor;
  }

  /** Tensors whose names begin so, by the rest of their names. */
  below(prefix: string): Map<string, TensorView> {
    return new Map([...this.tensors].filter(([name]) => name.startsWith(prefix)).map(([name, view]) => [name.slice(prefix.length), view]));
  }

  bytes(name: string): Uint8Array {
    return this.view(name).data;
  }

  shape(name: string): MatrixShape {
    return this.view(name).shape as unknown as MatrixShape;
  }

  dtype(name: string): DType {
    return toCoreDType(this.view(name).dtype)!;
  }

  /** Values as f32. */
  values(name: string): Float32Array {
    return Float32Array.from(decode(this.bytes(name), this.dtype(name)));
  }

  tensor(name: string, device: Device): Tensor {
    return fromBytes(this.bytes(name), this.view(name).shape, this.dtype(name), device);
  }
}

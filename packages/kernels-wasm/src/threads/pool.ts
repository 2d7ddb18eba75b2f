import { type KernelArgs, type KernelName, KERNELS } from "../kernel-args.js";
import type { WasmMemory } from "../memory.js";
import { type Kernel, SCRATCH_BYTES } from "../modules.js";
import type { Job, Threads } from "./threads.js";

/** A kernel that was compiled at run time, in one memory. */
export type FusedKernel = Job;

/** The kernels of one memory, and the threads that run them. Instances are made when they are first needed. */
export class Pool {
  private readonly threads: Threads;
  private readonly place: number;
  private readonly imports: { readonly env: WebAssembly.ModuleImports };
  private named: ReadonlyMap<KernelName, Job> | undefined;
  private readonly fused = new Map<string, FusedKernel>();
  /** The kernels of products that read a packed matrix, by what decodes it. */
  private readonly decoding = new Map<FusedKernel, ReadonlyMap<KernelName, Job>>();

  constructor(memory: WasmMemory, threads: Threads) {
    this.threads = threads;
    this.imports = { env: { memory: memory.memory, scratch: threads.keep(memory, SCRATCH_BYTES), decode: () => undefined } };
    this.place = threads.enter(memory);
  }

  /** Chunks that a job is handed out in if it has so many items; 1 where nobody shares it. */
  get chunks(): number {
    return this.threads.chunks;
  }

  /**
   * Runs `items` items of the kernel that `args` are for; on several threads in chunks that whoever is free takes, unless `small`.
   * @param decode reads the packed matrix of a product
   * @throws DeviceError if a thread failed
   */
  run(args: KernelArgs, items: number, small = false, decode?: FusedKernel): void {
    const kernels = decode ? this.products(decode) : (this.named ??= this.instantiate());
    this.threads.launch(kernels.get(args.kernel)!, args.address, items, small);
  }

  runFused(kernel: FusedKernel, args: number, items: number, small = false): void {
    this.threads.launch(kernel, args, items, small);
  }

  /** The kernel `run` of a module, compiled once per key. @throws WebAssembly.CompileError where a page's policy forbids it */
  compileFused(key: string, emit: () => Uint8Array<ArrayBuffer>): FusedKernel {
    let kernel = this.fused.get(key);
    if (!kernel) {
      const code = this.threads.compile(key, emit);
      const { run } = new WebAssembly.Instance(code.module, this.imports).exports as unknown as { run: Kernel };
      kernel = { place: this.place, id: code.id, code, run };
      this.fused.set(key, kernel);
    }
    return kernel;
  }

  private products(decode: FusedKernel): ReadonlyMap<KernelName, Job> {
    let kernels = this.decoding.get(decode);
    if (!kernels) {
      const env = { ...this.imports.env, decode: decode.run };
      const all = new WebAssembly.Instance(this.threads.modules.matmul, { env }).exports as unknown as Record<KernelName, Kernel>;
      const { id: decoder, code } = decode;
      kernels = new Map(KERNELS.map((name, id) => [name, { place: this.place, id, decoder, code, run: all[name] }]));
      this.decoding.set(decode, kernels);
    }
    return kernels;
  }

  private instantiate(): ReadonlyMap<KernelName, Job> {
    const { matmul, general } = this.threads.modules;
    const all = {
      ...new WebAssembly.Instance(matmul, this.imports).exports,
      ...new WebAssembly.Instance(general, this.imports).exports,
    } as unknown as Record<KernelName, Kernel>;
    const code = { address: 0, length: 0 };
    return new Map(KERNELS.map((name, id) => [name, { place: this.place, id, code, run: all[name] }]));
  }
}

import { type KernelArgs, type KernelModule, type KernelName, moduleOf, PRODUCTS } from "../kernel-args.js";
import type { WasmMemory } from "../memory.js";
import { bytesOf } from "../compile.js";
import { type Kernel, SCRATCH_BYTES } from "../modules.js";
import type { Code, Job, Threads } from "./threads.js";

/** A kernel that was compiled at run time, in one memory. */
export type FusedKernel = Job;

/** The kernels of one memory, and the threads that run them. Instances are made when they are first needed. */
export class Pool {
  private readonly threads: Threads;
  private readonly place: number;
  private readonly imports: { readonly env: WebAssembly.ModuleImports };
  private readonly named = new Map<string, Job>();
  private readonly fused = new Map<string, FusedKernel>();
  /** The kernels of products that read a packed matrix, by what decodes it. */
  private readonly decoding = new Map<FusedKernel, ReadonlyMap<string, Job>>();

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
    const job = decode ? this.products(decode).get(args.kernel)! : (this.named.get(args.kernel) ?? this.enter(args.kernel));
    this.threads.launch(job, args.address, items, small);
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
      kernel = { place: this.place, index: 0, code, run };
      this.fused.set(key, kernel);
    }
    return kernel;
  }

  private products(decode: FusedKernel): ReadonlyMap<string, Job> {
    let kernels = this.decoding.get(decode);
    if (!kernels) {
      const env = { ...this.imports.env, decode: decode.run };
      kernels = this.jobs(PRODUCTS, this.threads.products.module, { env }, { code: decode.code!, decodes: true });
      this.decoding.set(decode, kernels);
    }
    return kernels;
  }

  /** Instantiates the module that a kernel is of. */
  private enter(kernel: KernelName): Job {
    const { threads } = this;
    const { module: compiled, fused } = threads.products;
    const module = moduleOf(kernel);
    const code = module === PRODUCTS ? undefined : threads.compile(module.code, () => bytesOf(module, fused));
    for (const [name, job] of this.jobs(module, code?.module ?? compiled, this.imports, code && { code })) this.named.set(name, job);
    return this.named.get(kernel)!;
  }

  private jobs(
    { kernels }: KernelModule,
    compiled: WebAssembly.Module,
    imports: { readonly env: WebAssembly.ModuleImports },
    how: { readonly code: Code; readonly decodes?: boolean } | undefined,
  ): Map<string, Job> {
    const { exports } = new WebAssembly.Instance(compiled, imports);
    return new Map(Object.keys(kernels).map((name, index) => [name, { place: this.place, index, run: exports[name] as Kernel, ...how }]));
  }
}

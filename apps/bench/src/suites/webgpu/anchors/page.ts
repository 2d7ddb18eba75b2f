/** Makes this process look like a page to engines that look for `navigator.gpu`. */
export async function becomePage(gpu: GPU): Promise<void> {
  const { globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const scope = globalThis as { navigator?: object };
  if (scope.navigator) Object.defineProperty(scope.navigator, "gpu", { value: gpu, configurable: true });
  else Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "Node", hardwareConcurrency: 1 }, configurable: true });
  copySharedUploads();
}

/** Dawn takes no memory that is shared between threads, which WebAssembly engines upload from. */
function copySharedUploads(): void {
  const prototype = (globalThis as unknown as { GPUQueue: { prototype: GPUQueue } }).GPUQueue.prototype;
  // Called below with the queue it belongs to.
  // oxlint-disable-next-line unbound-method
  const real = prototype.writeBuffer as (...args: unknown[]) => undefined;
  prototype.writeBuffer = function writeBuffer(
    this: GPUQueue,
    buffer: GPUBuffer,
    at: number,
    data: GPUAllowSharedBufferSource,
    ...range: unknown[]
  ) {
    const shared = data instanceof Uint8Array && !(data.buffer instanceof ArrayBuffer);
    return real.call(this, buffer, at, shared ? new Uint8Array(data) : data, ...range);
  };
}

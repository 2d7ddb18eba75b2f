/** Errors of tensors, functions that are compiled or differentiated, and the devices that they run on. */
export interface DeviceErrorKinds {
  /** Shapes do not fit an operation: the message names both. Reshape or slice the operand that is not as meant. */
  shape: "shape";
  /** A dtype is not what an operation takes. `cast` the operand that the message names. */
  dtype: "dtype";
  /** What this build, backend or runtime cannot do. The hint names another way. */
  capability: "capability";
  /** A device failed. Open it again; on a GPU, update its driver, or take the CPU backend. */
  device: "device";
  /** The caller's AbortSignal fired, or the process was asked to stop. Nothing is wrong; unfinished outputs are taken away. */
  cancelled: "cancelled";
  /** The input of a layer has another shape than the layer takes. Its last axis (of an image: the second) is the layer's `in`. */
  "input-shape": "shape";
  /** A gradient is asked for of a value that was evaluated already. Take gradients before `evaluate`, or of a function (`grad`, `valueAndGrad`). */
  computed: "config";
  /** `compile` is told to donate an argument that there is none of. Arguments are counted from 0. */
  donate: "config";
  /** A donated tensor is used again. Keep what the call returns in its place, or compile without `donate`. */
  donated: "device";
  /** A tensor or function is used after it was disposed of. Dispose of it after its last use. */
  disposed: "device";
  /** An argument of a compiled function is a function or a symbol, which later calls cannot be compared with. Close over it. */
  signature: "config";
  /** An instance of a class stands among arguments. Pass the tensors that it holds, or close over it. */
  tree: "config";
  /** A tensor of another copy of this package is among inputs. Install one version of all `@weft/*` packages; `npm ls @weft/tensor-core` shows copies. */
  "two-copies": "config";
  /** Tensors of two devices meet in one computation. Move one of them: `device.tensor(await t.data(), …)`. */
  "other-device": "device";
  /** A tensor is read at once before it is in the device's memory. `await device.load([tensor])` first. */
  "not-loaded": "device";
  /** The source of a tensor gave another number of bytes than its shape and dtype take. Mend the source's `read`. */
  source: "device";
  /** No device, or none of that name, could be opened; the message says why of each. `weft doctor` tells what the machine offers. */
  "no-device": "device" | "capability";
  /** Memory has run out: the device's, or what the page or process may take. Work on smaller pieces, dispose of tensors that are not needed, lower `--max-memory` and `--jobs`. */
  "out-of-memory": "device";
  /** There is no WebAssembly, or a page's Content-Security-Policy forbids it. Allow `script-src 'wasm-unsafe-eval'`, or take the WebGPU backend. */
  "no-wasm": "capability";
  /** WebAssembly has no SIMD here. Update the browser (Chrome 91, Firefox 89, Safari 16.4), or take the WebGPU backend. */
  "no-wasm-simd": "capability";
  /** There is no WebGPU: an old browser, a page that is not secure, or no `webgpu` package in Node. Take the CPU backend, or install `webgpu`. */
  "no-webgpu": "capability" | "device";
  /** WebGPU is there, but found no GPU that it may use. Update the driver, or take the CPU backend. */
  "no-adapter": "device";
  /** The device is gone: a GPU's driver was reset, or had too much to do at once; a thread has ended. Open it again; use a smaller batch. */
  "device-lost": "device";
  /** A GPU command was refused by the driver's checks: a fault of weft. Please report it with the message. */
  "gpu-validation": "device";
  /** A kernel does not compile on this GPU: a fault of weft or of the driver. Update the driver; please report it with the message. */
  shader: "device";
  /** A tensor is larger than a kernel can bind on this GPU. Split it by rows. */
  "binding-too-large": "capability";
  /** A fused kernel reads more buffers than the GPU allows. `evaluate` a part of the computation before the rest. */
  "too-many-bindings": "capability";
  /** A kernel needs more workgroups than the GPU allows. Split the tensor by rows. */
  "too-many-groups": "capability";
  /** The backend has no kernel for a primitive. Run this part on another backend. */
  "no-kernel": "capability";
  /** The GPU device measures no times. Request the feature `timestamp-query`, or take the time around `finish()`. */
  "no-timestamps": "capability";
  /** A file of tuned kernels holds what no tuning has. Remove the file, and run `weft bench --tune` again. */
  tuning: "config";
  /** The package `onnxruntime-node` is not installed. Install it beside weft: the message says which version. */
  "no-onnxruntime": "capability";
  /** Another version of `onnxruntime-node` is installed than was tested. Install the one that the message names. */
  "onnxruntime-version": "capability";
  /** `onnxruntime-node` is installed, and does not start on this machine. Install it anew, or take another backend. */
  "onnxruntime-broken": "capability";
  /** onnxruntime has no execution provider of that name here, or it does not start. The message says why, the hint which there are or what installs it; `weft doctor` lists those that start. */
  "no-provider": "capability";
  /** An index that a tensor holds is none of those that an operation takes, on a device that checks them. Compare what made it with what it points into. */
  index: "shape";
  /** A contradiction inside weft. Please report it with what was computed. */
  internal: "device" | "capability";
}

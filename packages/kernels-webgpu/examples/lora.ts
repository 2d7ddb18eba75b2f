import { compile, loraLinear, type Tensor } from "@weft/tensor-core";
import { createNodeWebGpuDevice } from "@weft/kernels-webgpu/node"; // in a page: createWebGpuDevice(navigator.gpu)

const device = await createNodeWebGpuDevice();
const weight = device.tensor([
  [1, 0, 2],
  [0, 1, -1],
]);
const [a, b] = [device.tensor([[1, 1, 1]]), device.tensor([[0.5], [-0.5]])];

// Traced once, then one submit per call: two kernels, the low-rank part inside the base product.
const layer = compile((x: Tensor) => loraLinear(x, weight, a, b, 2));
const x = device.tensor([[1, 2, 3]]);
console.log((await layer.prepare(x)).executable.kernels.join(", "));
console.log(await (await layer(x)).data());
device.dispose();

/** Where models run. */
export const DEVICES = ["auto", "cpu", "onnx", "webgpu"] as const;
export type DeviceName = (typeof DEVICES)[number];

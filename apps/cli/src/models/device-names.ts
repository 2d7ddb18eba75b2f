import { DEVICES } from "@weft/fine-tuning/fields";

/** Where models run. */
export { DEVICES };
export type DeviceName = (typeof DEVICES)[number];

/** What products with packed weights read. */
export const ACTIVATIONS = ["f32", "int8"] as const;
export type Activations = (typeof ACTIVATIONS)[number];

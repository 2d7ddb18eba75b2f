/** Values of GPUBufferUsage and GPUMapMode, which are globals only in browsers. */
export const USAGE = { mapRead: 0x1, copySource: 0x4, copyTarget: 0x8, uniform: 0x40, storage: 0x80, queryResolve: 0x200 } as const;
export const MAP_READ = 0x1;
/** GPUShaderStage.COMPUTE */
export const COMPUTE_STAGE = 0x4;

/** Sizes and offsets of copies and bindings are multiples of 4 bytes. */
export function words(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

export function align(bytes: number, to: number): number {
  return Math.ceil(bytes / to) * to;
}

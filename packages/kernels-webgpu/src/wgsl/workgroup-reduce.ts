import type { DType, ReduceOp } from "@weft/tensor-core";
import { reduceStep } from "./instructions.js";
import type { Shader } from "./shader.js";
import { registerType } from "./storage.js";

/**
 * A reduction over all threads of a workgroup, in an order that is always the same. All threads must call it, and get the result.
 *
 * With subgroups each of them reduces its values by shuffles, of whatever size it is (of one larger than the workgroup a part is there),
 * and workgroup memory joins the few results: two barriers. Without, it goes by halves in workgroup memory: two for every doubling.
 * @returns WGSL for the reduction of an expression; `lid` is in scope
 */
export function workgroupReduce(shader: Shader, how: ReduceOp, dtype: DType): (value: string) => string {
  const type = registerType(dtype);
  const name = `reduce_${how}_${type}`;
  const step = (a: string, b: string): string => reduceStep(how, dtype, a, b);
  shader.declare(`var<workgroup> tree_${type}: array<${type}, ${shader.workgroup}>;`);
  if (shader.limits.subgroups) {
    shader.declare(`fn ${name}(x: ${type}, sg_lane: u32, sg_size: u32, sg_id: u32, sg_count: u32) -> ${type} {
  var v = x;
  for (var m = 1u; m < min(sg_size, ${shader.workgroup}u); m <<= 1u) { let other = subgroupShuffleXor(v, m); v = ${step("v", "other")}; }
  workgroupBarrier();
  if (sg_lane == 0u) { tree_${type}[sg_id] = v; }
  workgroupBarrier();
  v = tree_${type}[0];
  for (var i = 1u; i < sg_count; i++) { v = ${step("v", `tree_${type}[i]`)}; }
  return v;
}`);
    return (value) => `${name}(${value}, sg_lane, sg_size, sg_id, sg_count)`;
  }
  shader.declare(`fn ${name}(x: ${type}, lid: u32) -> ${type} {
  workgroupBarrier();
  tree_${type}[lid] = x;
  workgroupBarrier();
  for (var s = ${shader.workgroup / 2}u; s > 0u; s >>= 1u) {
    if (lid < s) { tree_${type}[lid] = ${step(`tree_${type}[lid]`, `tree_${type}[lid + s]`)}; }
    workgroupBarrier();
  }
  return tree_${type}[0];
}`);
  return (value) => `${name}(${value}, lid)`;
}

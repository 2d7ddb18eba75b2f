/** What reductions over subgroups are made of, the number of a subgroup in its workgroup included, which not every browser knows. */
const PROBE = `enable subgroups;
@compute @workgroup_size(64)
fn main(@builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) size: u32, @builtin(subgroup_id) id: u32, @builtin(num_subgroups) count: u32) {
  for (var m = 1u; m < size; m <<= 1u) { _ = subgroupShuffleXor(lane + id + count, m); }
}`;

/** True if kernels may use subgroups: the device has the feature, and its compiler everything that they need. */
export async function hasSubgroups(device: GPUDevice): Promise<boolean> {
  if (!device.features.has("subgroups")) return false;
  device.pushErrorScope("validation");
  device.createShaderModule({ label: "are there subgroups?", code: PROBE });
  return (await device.popErrorScope()) === null;
}

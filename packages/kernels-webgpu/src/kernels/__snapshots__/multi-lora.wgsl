// multiLora up vector
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: u32, p7: u32, p8: u32, p9: u32, p10: u32, p11: u32, p12: u32, p13: u32, p14: u32, p15: u32, p16: u32, p17: u32, p18: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read_write> b0: array<f32>;
@group(0) @binding(2) var<storage, read_write> b1: array<f32>;
@group(0) @binding(3) var<storage, read> b2: array<i32>;
@group(0) @binding(4) var<storage, read> b3: array<i32>;
@group(0) @binding(5) var<storage, read_write> b4: array<f32>;
fn load_a0(base: u32, r: u32, k: u32, end: u32) -> f32 {
if (r >= P.p0 || k >= end) { return 0.0; }
return b0[base + r * P.p2 + k * 1u];
}
fn load_b0(base: u32, r: u32, k: u32, end: u32) -> f32 {
if (r >= P.p1 || k >= end) { return 0.0; }
if (k >= ranks || base + k >= P.p5) { return 0.0; }
return b1[P.p6 + (base + k) * P.p7 + r];
}
fn adapter_of(row: u32) -> i32 {
  let adapter = b2[P.p8 + row];
  return select(adapter, -1, adapter < 0 || u32(adapter) >= P.p10);
}
fn first_rank(row: u32) -> u32 { return u32(b3[P.p9 + u32(max(adapter_of(row), 0))]); }
fn rank_of(row: u32) -> u32 {
  if (adapter_of(row) < 0) { return 0u; }
  return u32(b3[P.p9 + u32(adapter_of(row)) + 1u]) - first_rank(row);
}
var<private> ranks: u32;
fn own_ranks(row: u32) -> u32 {
  ranks = rank_of(row);
  return first_rank(row);
}
var<workgroup> sums: array<f32, 256>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
if (group >= P.p16) { return; }
let batch = group / P.p17;
let lk = lid / 32u;
let ln = lid % 32u;
let col = (group % P.p18) * 32u + ln;
let base_load_a0 = P.p3 + batch * P.p4;
let base_load_b0 = own_ranks(batch);
var acc = f32();
for (var k = lk; k < P.p11; k += 8u) { acc += f32(load_a0(base_load_a0, 0u, k, P.p11)) * load_b0(base_load_b0, col, k, P.p11); }
sums[lid] = acc;
workgroupBarrier();
for (var s = 4u; s > 0u; s >>= 1u) {
if (lk < s) { sums[lid] += sums[lid + s * 32u]; }
workgroupBarrier();
}
if (lk == 0u && col < P.p13) {
let v = sums[lid];
b4[P.p15 + (batch * P.p12 + 0u) * P.p14 + col] = v;
}
}

// row(max sub exp sum div)
enable subgroups;
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: f32, p5: f32, p6: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<f32>;
@group(0) @binding(2) var<storage, read_write> b1: array<f32>;
fn w_max(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, w_isnan(b)), a, w_isnan(a)); }
fn w_isnan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn w_exp(x: f32) -> f32 {
let t0 = w_min(x, 89f);
let t1 = w_max(t0, (-105f));
let t2 = t1 * 1.4426950216293335f;
let t3 = round(t2);
let t4 = t3 * 0.693359375f;
let t5 = t1 - t4;
let t6 = t3 * (-0.00021219444170128554f);
let t7 = t5 - t6;
let t8 = t7 * t7;
let t9 = 0.0013950628926977515f * t7;
let t10 = t9 + 0.008368969894945621f;
let t11 = t10 * t7;
let t12 = t11 + 0.04166620224714279f;
let t13 = t12 * t7;
let t14 = t13 + 0.166665181517601f;
let t15 = t14 * t7;
let t16 = t15 + 0.5f;
let t17 = t8 * t16;
let t18 = t17 + t7;
let t19 = t18 + 1f;
let t20 = w_to_i32(t3);
let t21 = t20 >> 1u;
let t22 = t21 + 127;
let t23 = t22 << 23u;
let t24 = t19 * bitcast<f32>(t23);
let t25 = t20 - t21;
let t26 = t25 + 127;
let t27 = t26 << 23u;
let t28 = t24 * bitcast<f32>(t27);
return t28;
}
fn w_min(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, w_isnan(b)), a, w_isnan(a)); }
fn w_to_i32(x: f32) -> i32 {
  return select(select(i32(max(x, -2147483648.0)), 2147483647, x >= 2147483648.0), 0, w_isnan(x));
}
var<workgroup> tree_f32: array<f32, 256>;
fn reduce_max_f32(x: f32, sg_lane: u32, sg_size: u32, sg_id: u32, sg_count: u32) -> f32 {
  var v = x;
  for (var m = 1u; m < min(sg_size, 256u); m <<= 1u) { let other = subgroupShuffleXor(v, m); v = w_max(v, other); }
  workgroupBarrier();
  if (sg_lane == 0u) { tree_f32[sg_id] = v; }
  workgroupBarrier();
  v = tree_f32[0];
  for (var i = 1u; i < sg_count; i++) { v = w_max(v, tree_f32[i]); }
  return v;
}
fn reduce_sum_f32(x: f32, sg_lane: u32, sg_size: u32, sg_id: u32, sg_count: u32) -> f32 {
  var v = x;
  for (var m = 1u; m < min(sg_size, 256u); m <<= 1u) { let other = subgroupShuffleXor(v, m); v = v + other; }
  workgroupBarrier();
  if (sg_lane == 0u) { tree_f32[sg_id] = v; }
  workgroupBarrier();
  v = tree_f32[0];
  for (var i = 1u; i < sg_count; i++) { v = v + tree_f32[i]; }
  return v;
}
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32, @builtin(subgroup_invocation_id) sg_lane: u32, @builtin(subgroup_size) sg_size: u32, @builtin(subgroup_id) sg_id: u32, @builtin(num_subgroups) sg_count: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
let unit = group;
if (unit >= P.p1) { return; }
let row = unit;
let o0 = P.p2 + row * P.p3;
var s1 = P.p4;
for (var j = lid; j < P.p0; j += 256u) {
let v0 = b0[o0 + j];
s1 = w_max(s1, v0);
}
let v1 = reduce_max_f32(s1, sg_lane, sg_size, sg_id, sg_count);
var s4 = P.p5;
for (var j = lid; j < P.p0; j += 256u) {
let v0 = b0[o0 + j];
let v2 = v0 - v1;
let v3 = w_exp(v2);
s4 = s4 + v3;
}
let v4 = reduce_sum_f32(s4, sg_lane, sg_size, sg_id, sg_count);
for (var j = lid; j < P.p0; j += 256u) {
let v0 = b0[o0 + j];
let v2 = v0 - v1;
let v3 = w_exp(v2);
let v5 = v3 / v4;
b1[P.p6 + row * P.p0 + j] = v5;
}
}

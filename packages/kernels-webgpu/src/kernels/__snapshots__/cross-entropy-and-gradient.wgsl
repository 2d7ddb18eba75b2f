// row(max sub exp sum log add where sub exp eq cast sub mul where)
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: u32, p7: f32, p8: f32, p9: f32, p10: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
fn bits_b0(i: u32) -> u32 { return (b0[i / 4u] >> ((i % 4u) * 8u)) & 0xffu; }
@group(0) @binding(2) var<storage, read> b1: array<i32>;
@group(0) @binding(3) var<storage, read_write> b2: array<f32>;
@group(0) @binding(4) var<storage, read> b3: array<f32>;
@group(0) @binding(5) var<storage, read_write> b4: array<f32>;
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
fn w_log(x: f32) -> f32 {
let t0 = x < (1.1754943508222875e-38f);
let t1 = x * 8388608f;
let t2 = select(x, t1, t0);
let t3 = bitcast<i32>(t2) - 1060439283;
let t4 = t3 >> 23u;
let t5 = select(0, 23, t0);
let t6 = t4 - t5;
let t7 = t3 & 8388607;
let t8 = t7 + 1060439283;
let t9 = bitcast<f32>(t8) - 1f;
let t10 = f32(t6);
let t11 = t9 * t9;
let t12 = (-0.07866719365119934f) * t9;
let t13 = t12 + 0.12881025671958923f;
let t14 = t13 * t9;
let t15 = t14 + (-0.13125652074813843f);
let t16 = t15 * t9;
let t17 = t16 + 0.14181189239025116f;
let t18 = t17 * t9;
let t19 = t18 + (-0.1662491410970688f);
let t20 = t19 * t9;
let t21 = t20 + 0.20002290606498718f;
let t22 = t21 * t9;
let t23 = t22 + (-0.2500079870223999f);
let t24 = t23 * t9;
let t25 = t24 + 0.33333316445350647f;
let t26 = t25 * t9;
let t27 = t26 * t11;
let t28 = t10 * (-0.00021219444170128554f);
let t29 = t27 + t28;
let t30 = t11 * 0.5f;
let t31 = t29 - t30;
let t32 = t31 + t9;
let t33 = t10 * 0.693359375f;
let t34 = t32 + t33;
let t35 = x < w_float(0x7f800000u);
let t36 = select(x, t34, t35);
let t37 = x == 0f;
let t38 = select(w_float(0x7fc00000u), w_float(0xff800000u), t37);
let t39 = 0f < x;
let t40 = select(t38, t36, t39);
return t40;
}
fn w_float(bits: u32) -> f32 { return bitcast<f32>(bits); }
var<workgroup> tree_f32: array<f32, 256>;
fn reduce_max_f32(x: f32, lid: u32) -> f32 {
  workgroupBarrier();
  tree_f32[lid] = x;
  workgroupBarrier();
  for (var s = 128u; s > 0u; s >>= 1u) {
    if (lid < s) { tree_f32[lid] = w_max(tree_f32[lid], tree_f32[lid + s]); }
    workgroupBarrier();
  }
  return tree_f32[0];
}
fn reduce_sum_f32(x: f32, lid: u32) -> f32 {
  workgroupBarrier();
  tree_f32[lid] = x;
  workgroupBarrier();
  for (var s = 128u; s > 0u; s >>= 1u) {
    if (lid < s) { tree_f32[lid] = tree_f32[lid] + tree_f32[lid + s]; }
    workgroupBarrier();
  }
  return tree_f32[0];
}
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 256u + lid;
let unit = group;
if (unit >= P.p1) { return; }
let row = unit;
let o0 = P.p2 + row * P.p3;
let o7 = P.p4 + row;
let o12 = 0u;
let o13 = P.p5 + row;
let o17 = P.p6 + row;
let v7 = i32((bits_b0(o7)) != 0u);
let v8 = P.p7;
let v13 = b1[o13];
let v17 = b2[o17];
var s1 = P.p8;
for (var j = lid; j < P.p0; j += 256u) {
let v0 = b3[o0 + j];
s1 = w_max(s1, v0);
}
let v1 = reduce_max_f32(s1, lid);
var s4 = P.p9;
for (var j = lid; j < P.p0; j += 256u) {
let v0 = b3[o0 + j];
let v2 = v0 - v1;
let v3 = w_exp(v2);
s4 = s4 + v3;
}
let v4 = reduce_sum_f32(s4, lid);
let v5 = w_log(v4);
let v6 = v5 + v1;
let v9 = select(v8, v6, v7 != 0);
for (var j = lid; j < P.p0; j += 256u) {
let v0 = b3[o0 + j];
let v10 = v0 - v9;
let v11 = w_exp(v10);
let v12 = i32(o12 + j);
let v14 = i32(v12 == v13);
let v15 = f32(v14);
let v16 = v11 - v15;
let v18 = v16 * v17;
let v19 = select(v8, v18, v7 != 0);
b4[P.p10 + row * P.p0 + j] = v19;
}
}

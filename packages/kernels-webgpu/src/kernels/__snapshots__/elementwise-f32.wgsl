// fused(exp add)
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read_write> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
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
fn w_isnan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn w_max(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, w_isnan(b)), a, w_isnan(a)); }
fn w_to_i32(x: f32) -> i32 {
  return select(select(i32(max(x, -2147483648.0)), 2147483647, x >= 2147483648.0), 0, w_isnan(x));
}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 64u + lid;
let i = tid;
if (i >= P.p1) { return; }
let c1 = i % P.p2;
let cr1 = i / P.p2;
let c0 = cr1;
let v0 = b1[P.p3 + c0 * P.p4 + c1];
let v1 = w_exp(v0);
let v2 = b2[P.p5 + c1];
let v3 = v1 + v2;
b0[P.p0 + i] = v3;
}

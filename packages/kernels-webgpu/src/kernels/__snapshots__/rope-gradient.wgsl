// fused(mul mul add)
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: u32, p7: u32, p8: u32, p9: u32, p10: u32, p11: u32, p12: u32, p13: u32, p14: u32, p15: u32, p16: u32, p17: u32, p18: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read_write> b0: array<f32>;
@group(0) @binding(2) var<storage, read> b1: array<f32>;
@group(0) @binding(3) var<storage, read> b2: array<f32>;
@group(0) @binding(4) var<storage, read_write> b3: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 64u + lid;
let i = tid;
if (i >= P.p1) { return; }
let c3 = i % P.p2;
let cr3 = i / P.p2;
let c2 = cr3 % P.p3;
let cr2 = cr3 / P.p3;
let c1 = cr2 % P.p4;
let cr1 = cr2 / P.p4;
let c0 = cr1;
let v0 = b1[P.p5 + c0 * P.p6 + c1 * P.p7 + c2 * P.p8 + c3];
let v1 = b2[P.p9 + c1 * P.p10 + c2 * P.p11 + c3];
let v2 = v0 * v1;
let v3 = b1[P.p12 + c0 * P.p13 + c1 * P.p14 + c2 * P.p15 + c3];
let v4 = b3[P.p16 + c1 * P.p17 + c2 * P.p18 + c3];
let v5 = v3 * v4;
let v6 = v2 + v5;
b0[P.p0 + i] = v6;
}

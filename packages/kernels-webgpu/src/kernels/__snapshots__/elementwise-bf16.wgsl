// fused(mul cast)
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32, p6: f32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read_write> b0: array<u32>;
fn word_b0(w: u32, v: u32, mask: u32) {
  if (mask == 0xffffffffu) { b0[w] = v; } else if (mask != 0u) { b0[w] = (b0[w] & ~mask) | v; }
}
@group(0) @binding(2) var<storage, read> b1: array<u32>;
fn bits_b1(i: u32) -> u32 { return (b1[i / 2u] >> ((i % 2u) * 16u)) & 0xffffu; }
fn w_to_bf16(x: f32) -> u32 {
let t0 = bitcast<i32>(bitcast<u32>(x) >> 16u);
let t1 = bitcast<i32>(x) + 32767;
let t2 = t0 & 1;
let t3 = t1 + t2;
let t4 = bitcast<i32>(bitcast<u32>(t3) >> 16u);
let t5 = w_isnan(x);
let t6 = t0 & 32768;
let t7 = t6 | 32704;
let t8 = select(t4, t7, t5);
return bitcast<u32>(t8);
}
fn w_isnan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32) {
let group = wid.x + wid.y * wn.x;
let tid = group * 64u + lid;
if (tid * 2u >= P.p1 + P.p2) { return; }
var word0 = 0u;
var mask0 = 0u;
for (var l = 0u; l < 2u; l++) {
let i = tid * 2u + l - P.p2;
if (i < P.p1) {
let c1 = i % P.p3;
let cr1 = i / P.p3;
let c0 = cr1;
let v0 = (bitcast<f32>(bitcast<i32>(bits_b1(P.p4 + c0 + c1 * P.p5)) << 16u));
let v1 = P.p6;
let v2 = v0 * v1;
let v3 = (bitcast<f32>(bitcast<i32>(w_to_bf16(v2)) << 16u));
{
word0 |= (w_to_bf16(v3)) << ((l % 2u) * 16u);
mask0 |= 0xffffu << ((l % 2u) * 16u);
}
}
if (l % 2u == 1u) { word_b0((P.p0 + i) / 2u, word0, mask0); word0 = 0u; mask0 = 0u; }
}
}

// row(cast mul sum mul add rsqrt mul cast mul cast)
struct Params { p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: f32, p6: f32, p7: f32, p8: u32 }
@group(0) @binding(0) var<uniform> P: Params;
@group(0) @binding(1) var<storage, read> b0: array<u32>;
fn bits_b0(i: u32) -> u32 { return (b0[i / 2u] >> ((i % 2u) * 16u)) & 0xffffu; }
@group(0) @binding(2) var<storage, read_write> b1: array<u32>;
fn word_b1(w: u32, v: u32, mask: u32) {
  if (mask == 0xffffffffu) { b1[w] = v; } else if (mask != 0u) { b1[w] = (b1[w] & ~mask) | v; }
}
@group(0) @binding(3) var<storage, read> b2: array<u32>;
fn bits_b2(i: u32) -> u32 { return (b2[i / 2u] >> ((i % 2u) * 16u)) & 0xffffu; }
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
var<workgroup> tree_f32: array<f32, 256>;
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
let o11 = P.p4;
let v4 = P.p5;
let v6 = P.p6;
var s3 = P.p7;
for (var j = lid; j < P.p0; j += 256u) {
let v0 = (bitcast<f32>(bitcast<i32>(bits_b0(o0 + j)) << 16u));
let v1 = v0;
let v2 = v1 * v1;
s3 = s3 + v2;
}
let v3 = reduce_sum_f32(s3, lid);
let v5 = v3 * v4;
let v7 = v5 + v6;
let v8 = 1f / sqrt(v7);
for (var q = lid; q < P.p0 / 2u; q += 256u) {
var word0 = 0u;
for (var l = 0u; l < 2u; l++) {
let j = q * 2u + l;
let v0 = (bitcast<f32>(bitcast<i32>(bits_b0(o0 + j)) << 16u));
let v1 = v0;
let v9 = v1 * v8;
let v10 = (bitcast<f32>(bitcast<i32>(w_to_bf16(v9)) << 16u));
let v11 = (bitcast<f32>(bitcast<i32>(bits_b2(o11 + j)) << 16u));
let v12 = v11 * v10;
let v13 = (bitcast<f32>(bitcast<i32>(w_to_bf16(v12)) << 16u));
word0 |= w_to_bf16(v13) << (l * 16u);
}
word_b1((P.p8 + row * P.p0) / 2u + q, word0, 0xffffffffu);
}
}
